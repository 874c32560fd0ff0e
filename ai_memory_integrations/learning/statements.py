"""A message as the plain statements its author makes about themselves.

What is quoted, pasted, asked, supposed, joked, reported or acted is left out here, before any rule looks at it:
when in doubt a sentence is dropped. What is left are clauses that begin with the author: "I'm ...", "my ...".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ai_memory_integrations.learning.facts import Fact, one_line
from ai_memory_integrations.learning.fragments import completed, corrections, people
from ai_memory_integrations.learning.privacy import is_private, removals
from ai_memory_integrations.learning.words import GIVEN_NAMES, word_set

SCANNED = 4000
LONGEST_SENTENCE = 400


@dataclass(frozen=True)
class Said:
    """What a message states: clauses to learn from, what is to be forgotten or put right, whether it is private."""

    clauses: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    corrections: tuple[Fact, ...] = ()
    private: bool = False


def read(text: str) -> Said:
    """The statements of a message, in order. Only its first 4,000 characters are looked at."""
    private = is_private(text)
    forgotten = tuple(canonical(one_line(named)) for named in removals(own_words(beginning(text, SCANNED))))
    if private:
        return Said(forgotten=forgotten, private=True)
    text = beginning(text, SCANNED)
    text = own_words(text)
    if _JOKE.search(text) or not _is_english(text):
        return Said(forgotten=forgotten)
    return Said(tuple(_stated_clauses(text, asked=bool(forgotten))), forgotten, tuple(corrections(text)))


def _is_english(text: str) -> bool:
    """Whether a message is not mostly in another language: "im Ernst" is German for "seriously"."""
    said = re.findall(r"[^\W\d_]+", text.casefold())
    english, foreign = sum(word in _ENGLISH for word in said), sum(word in _FOREIGN for word in said)
    bare = _BARE_IM.search(text)
    return foreign <= english and not (bare and english == 0 and bare[1].casefold() not in GIVEN_NAMES)


_BARE_IM = re.compile(r"(?<![\w'])[Ii]m ([A-Z]\w+)")
_ENGLISH = word_set("""
    i my me the and is are you your it its to of for with that this not have has from at but so we our hi hello hey im
    what how do don't be been was would can please now just he she they live work like love
""") - {"im"}
_FOREIGN = word_set("""
    ich und der die das ist nicht wenn würde mit für auf ein eine einen mein meine wir sie aber auch bin habe noch jetzt
    je le la les et est pas une des mon ma mes nous vous avec pour dans suis que qui mais
    el los las es una con por para pero mi mis soy estoy muy yo como del
    il che sono non gli una mio mia per ho anche questo eu uma com não meu minha estou
    ik het een niet van mijn maar ook voor jag och det är inte en ett på jeg og ikke
""")


def _stated_clauses(text: str, *, asked: bool) -> list[str]:
    clauses: list[str] = []
    for sentence in sentences(text):
        stated = _stated(sentence)
        if stated is None:
            break
        clauses.extend(people(sentence))
        if asked and removals(stated):
            continue
        taken_back = _TAKEN_BACK.search(stated)
        if taken_back:
            clauses.clear()
            stated = stated[taken_back.end() :]
        if not _DOUBT.search(stated):
            clauses.extend(clause for whole in completed(canonical(stated)) for clause in _clauses(whole))
    return clauses


def beginning(text: str, length: int) -> str:
    """The whole sentences among the first *length* characters."""
    if len(text) <= length:
        return text
    text = text[:length]
    return text[: max(text.rfind(mark) for mark in ".!?\n") + 1]


def own_words(text: str) -> str:
    """The text without code, quotations, tagged parts and quoted lines, its quotation marks and dashes plain."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_PLAIN)
    text = _CODE_BLOCK.sub(" \n", text)
    text = _INLINE_CODE.sub(_GAP, text)
    if "</" in text:
        text = _TAGGED.sub(_GAP, text)
    text = _NAMED_IN_QUOTES.sub(r"\1\2", text)
    text = _QUOTED.sub(_GAP, text)
    lines = [line for line in text.split("\n") if not _QUOTED_LINE.match(line)]
    return "" if _is_verse(lines) else "\n".join(lines)


_GAP = "|"
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "´": "'", "`": "`", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‟": '"', "＂": '"'}
    | {"…": "... ", "—": " - ", "–": " - ", "\u2028": "\n", "\u2029": "\n", "\x85": "\n", "\x0b": "\n", "\x0c": "\n"}
    | {"|": " ", "\t": "    "}
)
_CODE_BLOCK = re.compile(r"(?:```|~~~).*?(?:```|~~~|\Z)", re.S)
_INLINE_CODE = re.compile(r"`[^`\n]*`?")
_TAGGED = re.compile(r"<([A-Za-z][\w-]{0,30})[^<>]{0,200}>.*?(?:</\1>|\Z)", re.S)
_NAMED_IN_QUOTES = re.compile(
    r"(\b(?:call me|called|named|name is|name's|go by) )[\"']([^\"'\n]{1,30})[\"'](?!\w)", re.I
)
_QUOTED = re.compile(r"\"[^\"]*(?:\"|\Z)|(?<![\w\"])'(?:[^'\n]|(?<=\w)'(?=\w)){1,600}'(?!\w)")
_QUOTED_LINE = re.compile(
    r"\s*(?:>|\||#!|    +\S.*[;{}=()])|\s*(?:On .{5,80} wrote:)|\s*(?!FYI|BTW|PS|P\.S|Update|Edit|Note|Correction"
    r"|Context|Background|Reminder|Remember|.{0,20}\b[Aa]bout me)[A-Z][\w .]{0,25}: (?=I\b|I'|My\b|We\b)"
)


def _is_verse(lines: list[str]) -> bool:
    """Whether the text is set in short lines with no stop at their end, as poems, lyrics and lists of data are."""
    full = [line.strip() for line in lines if line.strip()]
    if len(full) < 4 or any(_INTRODUCES_SELF.search(line) for line in full):
        return False
    return sum(line[-1] not in ".!?;" for line in full) > len(full) / 2


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, with the mark that ends them, each on one line."""
    for line in text.split("\n"):
        for sentence in _STOP.split(_BULLET.sub("", line)):
            flat = one_line(sentence)
            if flat and len(flat) <= LONGEST_SENTENCE:
                yield flat


_STOP = re.compile(
    r"(?<=[!?;])\s+|(?<=[^\W\d_][^\W\d_]\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bvs\.)"
    r"(?<!\bProf\.)\s+"
    r"|(?<=[\d)'\"|]\.)\s+|(?<=\.\.\.)\s+"
)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")


def _stated(sentence: str) -> str | None:
    """The part of a sentence that its author states, "" for none; None when what follows is given material."""
    sentence = _strip_openers(sentence)
    if _MATERIAL.search(sentence) and not _OWN_START.match(sentence):
        return None
    if _TASK.search(sentence):
        return None
    if sentence.endswith("?"):
        asked = _ASKED.search(sentence)
        sentence = sentence[: asked.start()] if asked else ""
    colon = _COLON.search(sentence)
    if colon:
        if not _INTRODUCES_SELF.search(sentence[: colon.start()]):
            return None if colon.end() == len(sentence) else ""
        sentence = sentence[colon.end() :].strip()
    return sentence.rstrip(".!; ")


_COLON = re.compile(r":(?=\s|$)")
_INTRODUCES_SELF = re.compile(
    r"\b(?:about me|about myself|introduce myself|(?:need to|should) know|my details|my profile|fyi|btw|p\.?s"
    r"|update|edit|note|correction|context|background|reminder|remember)\s*:?$",
    re.I,
)
_OWN_START = re.compile(r"(?:I|my|we|our)\b", re.I)
_MATERIAL = re.compile(
    r"\b(?:translat\w+|proof-?read|rewrite|rephrase|paraphrase|reword|summari[sz]e|grammar|spell-?check|pretend"
    r"|imagine|role-?play\w*|act as|play the (?:role|part)|in the (?:voice|style)|story|poem|jokes?|bio|song|lyrics"
    r"|haiku|limerick|dialogue|monologue|screenplay|scene|fiction|chapter|transcri\w+|the following|this (?:text"
    r"|sentence|phrase|line|quote)|how (?:do|would) (?:I|you|one) say|say in|in (?:french|spanish|german|italian"
    r"|latin|japanese) is|let's play)\b",
    re.I,
)
_TASK = re.compile(
    r"\b(?:want you to|need you to|like you to|can you|could you|would you|please|help me)\b.{0,40}"
    r"\b(?:translate|proof-?read|rewrite|rephrase|paraphrase|pretend|role-?play|act as|summari[sz]e|correct)\b",
    re.I,
)
_ASKED = re.compile(
    r"(?:\s*[,;]|\s+-|\s+and|\s+but|\s+so)\s+(?:(?:and|but|so)\s+)?(?:do|does|did|is|are|was|can|could|would|will"
    r"|should|what|what's|whats|where|which|who|who's|how|when|why|any|have you|got any|am i)\b",
    re.I,
)
_TAKEN_BACK = re.compile(r"\b(?:scratch that|I mean|no,? wait|wait,? no|strike that|I meant)\b[, -]*", re.I)
_JOKE = re.compile(
    r"\b(?:just kidding|only kidding|kidding|j/?k|just joking|only joking|joking|sarcasm|haha not|yeah right"
    r"|my character|role-?play\w*)\b|(?<!\S)/s\b|🙄|(?<!\S)not!(?!\w)",
    re.I,
)
_DOUBT = re.compile(
    r"\b(?:if|imagine|supposing|suppose|assum(?:e|ing)|pretend(?:ing)?|wish(?:es|ed)?|hypothetical(?:ly)?|unless"
    r"|as though|dream(?:ed|t) |let's say|say I|for example|for instance|e\.g|an? example|character|in (?:the|a"
    r"|my) (?:book|movie|film|story|game|song|play|novel|dream)|said|says|say|saying|tells|told|claims?|claimed"
    r"|thinks?|believes?|thought|wrote|writes|supposedly|apparently|allegedly|rumou?r|yeah right|maybe|perhaps"
    r"|might|probably|possibly|doubt|wonder(?:ing|ed)?|guess|almost|nearly|pov|when I was|back when|jokes?"
    r"|as a (?:kid|child|teenager)|according to)\b|^(?:oh |wow |ah )?(?:great|joy|sure|wonderful|fantastic|perfect"
    r"|yay|lovely)\b|\b(?:just|simply|absolutely|really|so) (?:love|adore|enjoy) (?:waiting|being|getting|paying"
    r"|having to|when|how|standing|sitting in|spending|losing|working (?:late|weekends))\b",
    re.I,
)

_OPENER = re.compile(
    r"(?:hi there|hey there|hello there|hi|hello|hey|heya|hiya|good (?:morning|afternoon|evening|day)|greetings"
    r"|in real life|irl"
    r"|well|so|oh|ok|okay|yes|yeah|yep|yup|no|nope|nah|hmm+|um+|uh|ah|actually|also|and|but|or|plus|anyway|sorry"
    r"|thanks|thank you|great|cool|nice|perfect|by the way|btw|fyi|p\.?s\.?|just so you know|for the record"
    r"|for context|for what it's worth|fwiw|to be (?:honest|fair|clear)|tbh|honestly|frankly|truthfully|to clarify"
    r"|correction|update|note|in fact|fun fact|first of all|first off|(?:please )?(?:remember|note|keep in mind"
    r"|don't forget|be aware)(?: that)?|(?:you should|you need to) know(?: that)?|(?:as|like) I (?:said|mentioned"
    r"|told you)(?: before| earlier)?|I(?: already)? (?:told you|said|mentioned)(?: before)?(?: that)?|I (?:should"
    r"|forgot to|want to|wanted to|have to|must) (?:mention|say|add|tell you)(?: that)?|I'm (?:happy|proud|glad|sad"
    r"|sorry|excited) to (?:say|report|announce)(?: that)?|(?:not sure|I don't know|no idea|dunno) (?:if"
    r"|whether)? ?(?:it|this|that) (?:matters|helps|is relevant)|in case (?:it|that) (?:matters|helps)"
    r"|unfortunately|sadly|luckily|fortunately|as you (?:know|may know)|right now|now|nowadays|these days"
    r"|at the moment|currently|originally|personally|recently|lately|today|yesterday|last (?:week|month|year)"
    r"|this (?:week|month|year)|next (?:week|month|year)|tomorrow|for now|since you asked|to answer your question"
    r"|the thing is|the truth is|guess what|one more thing|good news|big news|because|cause|though|then|finally"
    r"|still|nice to meet you|as of (?:today|now)|from now on|with that said|that said)(?:\s*[,.!:;]+\s*|\s+-\s+"
    r"|\s+)(?=\S)",
    re.I,
)
_KEPT_OPENERS = re.compile(r"(?:from now on|tomorrow|next \w+)", re.I)


def _strip_openers(sentence: str) -> str:
    """The sentence from where it comes to the point."""
    for _ in range(5):
        opener = _OPENER.match(sentence)
        if opener is None or _KEPT_OPENERS.match(sentence):
            break
        sentence = sentence[opener.end() :]
    return sentence


def _clauses(sentence: str) -> Iterator[str]:
    """The clauses of a sentence that speak of its author, with the words that rules look for in one spelling."""
    for clause in _JOINT.split(canonical(sentence)):
        said = _strip_openers(clause.strip(" ,;-"))
        yield from _with_subject(said)


_JOINT = re.compile(
    r"\s*[,;]?\s+(?:and|but|so|because|although|though|while|plus|cause|'cause|cuz|as)\s+(?:now\s+|currently\s+"
    r"|also\s+|then\s+)?(?=(?:I|I'm|I've|my|we|we're|we've|our)\b)|\s*,\s+(?=(?:I|I'm|I've|my|we|we're|we've)\b)"
    r"|\s+-\s+|\s*\(",
)
_VERBS = (
    r"(?:live|work|love|like|hate|have|study|speak|play|enjoy|prefer|own|drive|was born|come from|moved|dislike|teach"
    r"|can't|don't|grew|sing|paint|restore|make|write|do|go)"
)
_ELIDED = re.compile(rf",?\s+(?:and|but)\s+(?:also\s+|then\s+|really\s+|currently\s+|now\s+)?(?={_VERBS}\s)")
_PLAIN_VERB = re.compile(
    rf"(?:I'm|I've been|(?:I|We|we)\s+(?:\w+ly\s+|just\s+|also\s+)?({_VERBS}|speak|collect|run|am))\b"
)
_GOVERNS = re.compile(r"\b(?:to|how|that|you|help|let|what|when|where|who|which|full of|lots of|so much)\b")


def _with_subject(clause: str) -> list[str]:
    """ "I live in Rome and work at Acme" as two clauses, each with its subject.

    Left whole when the second verb may hang on another word ("to tell stories and teach people") or be a noun.
    """
    first, *more = _ELIDED.split(clause)
    verb = _PLAIN_VERB.match(first)
    if not more or verb is None or _GOVERNS.search(first) or any(part.split()[0] == verb[1] for part in more):
        return [clause]
    return [first, *(f"I {part}" for part in more)]


def canonical(text: str) -> str:
    """Contractions and the pronoun spelt in the one way that rules are written in: `I'm`, `don't`, `anymore`."""
    text = _I.sub("I", text)
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    return text


_I = re.compile(r"\bi\b(?!\.)")
_SPELLINGS = tuple(
    (re.compile(pattern, re.I), spelling)
    for pattern, spelling in (
        (r"\bI am\b|(?<![\w'])im\b", "I'm"),
        (r"\bI have been\b", "I've been"),
        (r"(?<![\w'])ive\b", "I've"),
        (r"\bwe are\b", "we're"),
        (r"\bwe have been\b", "we've been"),
        (r"\bdo not\b|\bdont\b", "don't"),
        (r"\bcan ?not\b|\bcant\b", "can't"),
        (r"\bis not\b|\bisnt\b", "isn't"),
        (r"\bany more\b", "anymore"),
        (r"\bname's\b", "name is"),
        (r"\bI(?:'ve| have) got\b", "I have"),
        (r"\bwe(?:'ve| have) got\b", "we have"),
    )
)
