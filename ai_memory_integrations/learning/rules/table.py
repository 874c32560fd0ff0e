"""The table of rules, and what clauses state by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ai_memory_integrations.learning.facts import Fact
from ai_memory_integrations.learning.rules.fallback import FALLBACK
from ai_memory_integrations.learning.rules.family import FAMILY
from ai_memory_integrations.learning.rules.goals import GOALS, HOPES
from ai_memory_integrations.learning.rules.health import HEALTH
from ai_memory_integrations.learning.rules.homes import HOMES
from ai_memory_integrations.learning.rules.names import NAMES
from ai_memory_integrations.learning.rules.pastimes import PASTIMES
from ai_memory_integrations.learning.rules.people import PEOPLE, TRAITS
from ai_memory_integrations.learning.rules.pets import PETS
from ai_memory_integrations.learning.rules.plans import APPOINTMENTS, PLANS
from ai_memory_integrations.learning.rules.possessions import BELONGINGS, POSSESSIONS
from ai_memory_integrations.learning.rules.rule import Rule
from ai_memory_integrations.learning.rules.studies import STUDIES
from ai_memory_integrations.learning.rules.tastes import TASTES
from ai_memory_integrations.learning.rules.wishes import WISHES
from ai_memory_integrations.learning.rules.work import WORK

# The facts of one clause come in this order.
RULES: tuple[Rule, ...] = (
    *NAMES,
    *HOMES,
    *PEOPLE,
    *WORK,
    *STUDIES,
    *FAMILY,
    *PETS,
    *HEALTH,
    *WISHES,
    *TASTES,
    *PASTIMES,
    *BELONGINGS,
    *TRAITS,
    *APPOINTMENTS,
    *HOPES,
    *POSSESSIONS,
    *PLANS,
    *GOALS,
)


def state(clauses: Iterable[str]) -> Iterator[Fact]:
    """The facts that clauses state, in the order they are said; of one clause what holds before what does not."""
    for clause in clauses:
        folded = clause.lower()
        asked = _by_first_word(folded.partition(" ")[0])
        found = list(_found(clause, folded, asked)) or list(_found(clause, folded, FALLBACK))
        yield from dict.fromkeys(sorted(found, key=lambda fact: fact.retract))


def _found(clause: str, folded: str, rules: Iterable[Rule]) -> Iterator[Fact]:
    for rule in rules:
        if rule.cue in folded and (fact := rule.find(clause)) is not None:
            yield fact


_FIRST_WORDS = re.compile(
    r"(?:\(\?:)?((?:I'm|I've|I'd|I|we're|we've|we|my|our)(?:\|(?:I'm|I've|I'd|I|we're|we've|we|my|our))*)(?:\)|(?![\w']))"
)
_STANDING_FOR = {"{we}": "I|we|my", "{are}": "I'm|we're", "{have}": "(?:I|we)"}


@lru_cache(64)
def _by_first_word(word: str) -> tuple[Rule, ...]:
    """The rules whose pattern can begin with a word: a few of them for "my", all that say nothing of it for "call"."""
    if word not in _WORDS:
        word = ""
    return tuple(rule for rule in RULES if not (first := _first_words(rule)) or word in first)


_WORDS = frozenset({"i", "i'm", "i've", "i'd", "we", "we're", "we've", "my", "our"})


def _first_words(rule: Rule) -> set[str]:
    pattern = rule.pattern
    for name, stands_for in _STANDING_FOR.items():
        if pattern.startswith(name):
            pattern = stands_for + pattern[len(name) :]
    found = _FIRST_WORDS.match(pattern)
    if found is None or found[0].startswith("(") != found[0].endswith(")"):
        return set()
    words = set(found[1].lower().split("|"))
    # "I(?:'ve)? got" also begins with "I've".
    if not pattern.startswith("(?:'", found.end()):
        return words
    return words | {each for each in _WORDS for word in words if each.startswith(f"{word}'")}
