"""A rule: one way to say a fact, written as a pattern with names for what many patterns share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ai_memory_integrations.learning.facts import Fact
from ai_memory_integrations.learning.values.text import phrase
from ai_memory_integrations.learning.words import HOBBY_VERBS, LANGUAGES, LIFE_VERBS, MAKES, SHUNNED_VERBS

Shape = Callable[[str], str]

_FRAGMENTS = {
    "adv": r"(?:(?:really|absolutely|truly|just|also|still|now|currently|personally|recently|actually|honestly|totally"
    r"|genuinely|especially|particularly|do|always|all|finally|both|mostly|mainly|only|definitely|very much|quite"
    r"|kind of|already|happily|generally|usually|normally|strongly|much|officially|originally|so|very|pretty"
    r"|severely|highly|deathly|proudly|super|primarily|basically|simply|secretly|tend to|regularly|seriously)\s+)*",
    "we": r"(?:I|we|my (?:wife|husband|partner|girlfriend|boyfriend|family|fiancée?) and I)",
    "are": r"(?:I'm|we're)",
    "have": r"(?:I|we)\s+(?:{adv})(?:have|own)",
    "partner": r"(?P<t>wife|husband|partner|spouse|girlfriend|boyfriend|fiancée?|hubby|gf|bf)",
    "other": r"(?P<t>boss|manager|editor|coach|teacher|doctor|therapist|landlord|advis[oe]r|trainer|supervisor"
    r"|dentist|vet|tutor|mentor|lawyer|business partner|best friend|maid of honou?r|best man"
    r"|(?:mother|father)[- ]in[- ]law"
    r"|stepmother|stepfather|friend|roommate|flatmate|housemate|colleague"
    r"|co-?worker|neighbou?r|labmate|teammate|bandmate|aunt|uncle|niece|nephew)",
    "relative": r"(?P<t>son|daughter|brother|sister|bro|sis|cousin|grandson|granddaughter)",
    "parent": r"(?P<t>mother|father|mom|mum|dad|grandmother|grandfather)",
    "count": r"(?:a|an|one|two|three|four|five|six|seven|eight|nine|ten|\d{1,2}|twin)",
    "notnow": r"(?:don't|no longer|never)",
    "life": r"(?:" + "|".join(sorted(LIFE_VERBS, key=len, reverse=True)) + ")",
    "shunned": r"(?:" + "|".join(sorted(SHUNNED_VERBS, key=len, reverse=True)) + ")",
    "hobby": "|".join(sorted(HOBBY_VERBS, key=len, reverse=True)),
    "answer": r"(?:answer|reply|respond|write|speak|talk|keep|use|call|address|be|give|show|add|send|explain"
    r"|tell|cite|format"
    r"|include|start|begin|end|sign|remind|check|ask|put|make|translate|spell)",
    "language": "|".join(sorted(map(str.capitalize, LANGUAGES))),
    "make": "|".join(sorted(MAKES)),
    "field": r"(?:finance|marketing|sales|hr|it|tech|healthcare|education|logistics|construction|hospitality"
    r"|advertising"
    r"|insurance|banking|publishing|retail|fashion|film|tourism|consulting|biotech|real estate|human resources"
    r"|public relations|customer support|agriculture|manufacturing|law|politics|media|aerospace|accounting|bookkeeping"
    r"|design|web design|graphic design|research|admin|qa|devops|data entry|payroll|procurement|support|it support|pr"
    r"|photography|security|engineering|events|catering)",
}


@dataclass(frozen=True)
class Rule:
    """One way to say a fact.

    `cue` is text that a clause must hold, in lower case, before the pattern is tried. `label` may name groups of the
    pattern ("Favourite {t}"), and so may `says`, which makes the value ("teaches {v}"). A rule with `retract` takes
    back what its label holds; without a captured value, whatever that is.
    """

    label: str
    cue: str
    pattern: str
    shape: Shape = phrase
    says: str = "{v}"
    retract: bool = False

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern compiled, when a clause first holds the cue: few messages need more than a few of them."""
        pattern = self.pattern.replace("[A-Z]", "(?-i:[A-Z])")
        for _ in range(2):
            pattern = re.sub(r"\{([a-z]+)\}", lambda found: _FRAGMENTS[found[1]], pattern)
        return re.compile(pattern, re.I)

    def find(self, clause: str) -> Fact | None:
        """The fact that a clause states by this rule."""
        found = self.regex.match(clause)
        if found is None:
            return None
        groups = found.groupdict(default="")
        if "v" in groups:
            groups["v"] = self.shape(groups["v"].strip())
            if not groups["v"]:
                return None
        topic = groups.get("t", "").lower()
        label = self.label.format(t=_TOPICS.get(topic, topic))
        label = label[:1].upper() + label[1:]
        value = self.says.format(**groups) if "v" in groups or self.says != "{v}" else ""
        return Fact(label, value, self.retract)


_TOPICS = {
    "mom": "mother",
    "mum": "mother",
    "dad": "father",
    "bro": "brother",
    "sis": "sister",
    "hubby": "husband",
    "gf": "girlfriend",
    "bf": "boyfriend",
    "adviser": "advisor",
    "coworker": "colleague",
    "co-worker": "colleague",
    "neighbor": "neighbour",
    "maid of honour": "maid of honor",
    "mother in law": "mother-in-law",
    "father in law": "father-in-law",
}


def say(label: str, cue: str, pattern: str, shape: Shape = phrase, says: str = "{v}") -> Rule:
    return Rule(label, cue, pattern, shape, says)


def unsay(label: str, cue: str, pattern: str, shape: Shape = phrase, says: str = "{v}") -> Rule:
    return Rule(label, cue, pattern, shape, says, retract=True)
