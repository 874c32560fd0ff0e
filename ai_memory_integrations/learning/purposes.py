"""What a block asks for, read from its label and description."""

from __future__ import annotations

import re
from enum import Enum

from ai_memory_integrations.types import Block


class Purpose(Enum):
    PERSON = "what the user says about themselves"
    PREFERENCES = "what the user likes, wants and needs"
    SUMMARY = "what was talked about"
    OTHER = "something else"


_BY_LABEL = {
    **dict.fromkeys(("human", "user", "user_facts", "user_info", "user_profile", "about_user"), Purpose.PERSON),
    **dict.fromkeys(("preferences", "user_preferences"), Purpose.PREFERENCES),
    **dict.fromkeys(("summary", "conversation_summary"), Purpose.SUMMARY),
}
_PERSON_WORD = r"(?:user|human|customer|client|person|subject|patient|student|member|visitor|player|speaker)s?"
_TALK = r"(?:conversations?|chats?|discussions?|talked|dialogues?|messages|threads?)"
_SUMMARY = re.compile(
    rf"\bsummar(?:y|ies|i[sz]e)\b.*\b{_TALK}\b|\b{_TALK}\b.{{0,20}}\bsummar(?:y|ies)\b",
    re.I | re.S,
)
_TASTES = r"(?:preferences|likes|dislikes|tastes)"
_PREFERENCES = re.compile(
    rf"\b{_PERSON_WORD}(?:'s|s'|s)?\s+(?:\w+\s+)?{_TASTES}\b"
    rf"|\b{_TASTES}\b.{{0,30}}\b(?:of|about|for)\s+(?:the|this|our|a)\s+{_PERSON_WORD}\b",
    re.I,
)
_KNOWLEDGE = r"(?:facts?|details?|information|profile|biography|personal data|everything|what (?:we|you) know)"
_PERSON = re.compile(
    rf"\b{_KNOWLEDGE}\b.{{0,30}}\b(?:about|of|on)\s+(?:the|this|our|a|each)\s+(?:\w+\s+)?{_PERSON_WORD}\b"
    rf"|\b{_PERSON_WORD}(?:'s|s')?\s+(?:facts|details|information|profile|biography)\b",
    re.I,
)


def purpose_of(block: Block) -> Purpose:
    """What belongs into a block. A well-known label decides; else the description has to ask in plain words."""
    known = _BY_LABEL.get(block.label.lower())
    if known is not None:
        return known
    for purpose, asks in ((Purpose.SUMMARY, _SUMMARY), (Purpose.PREFERENCES, _PREFERENCES), (Purpose.PERSON, _PERSON)):
        if asks.search(block.description):
            return purpose
    return Purpose.OTHER
