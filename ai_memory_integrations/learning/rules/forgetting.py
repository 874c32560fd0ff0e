"""What is to be forgotten, by the words that name it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ai_memory_integrations.learning.facts import Fact
from ai_memory_integrations.learning.privacy import telling_words
from ai_memory_integrations.learning.rules.table import state

# "Forget my ...": the label of what is to be forgotten. An empty label stands for everything.
FORGETTABLE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), label)
    for pattern, label in (
        (r"everything (?:you (?:know|remember|(?:have )?learn(?:ed|t)) )?about me$|(?:all )?my data$|me$", ""),
        (r"my (?:first |full )?name$|what I'm called$|who I am$", "Name"),
        (r"(?:my|the) (?:home|(?:home |street )?address|home ?town|location|city|town)$|where I live$", "Lives in"),
        (r"(?:my|the) (?:employer|company|workplace|job|work)$|where I work$", "Works at"),
        (r"(?:my|the) (?:job|work|occupation|profession)$|what I do for a living$", "Occupation"),
        (r"(?:my|the) age$|how old I'm$", "Age"),
        (r"(?:my|the) birthday$|(?:my|the) date of birth$|when I was born$", "Birthday"),
        (r"(?:my|the) (?:wife|husband|partner|spouse|girlfriend|boyfriend)(?:'s name)?$", "Wife"),
        (r"(?:my|the) (?:diet)$", "Diet"),
        (r"(?:my|the) (?:allergy|allergies)$|what I'm allergic to$", "Allergic to"),
        (r"(?:my|the) (?:health|illness|condition|conditions|diagnosis)$", "Health"),
        (r"(?:my|the) (?:kids|children)$", "Children"),
        (r"(?:my|the) (?:pets?|dogs?|cats?)$", "Pets"),
        (r"(?:my|the) (?:plans?|trip)$", "Plans"),
        (r"(?:my|the) (?:goals?)$", "Goal"),
        (r"where I'm from$|where I come from$", "From"),
        (r"(?:my|the) nationality$", "Nationality"),
    )
)


def forget(named: Iterable[str]) -> Iterator[Fact]:
    """What is taken back by naming it: a label, a fact or, failing these, whatever speaks of it."""
    for each in named:
        wanted = _ABOUT.sub("", each).rstrip(" .!,")
        labels = [label for pattern, label in FORGETTABLE if pattern.match(wanted)]
        facts = list(state([wanted]))
        yield from (Fact(label, "", retract=True) for label in labels)
        yield from (Fact(fact.label, fact.value, retract=True) for fact in facts)
        if "" not in labels and telling_words(wanted):
            yield Fact("", wanted, retract=True)


_ABOUT = re.compile(
    r"^(?:(?:the (?:bit|part|thing|stuff|fact|line|one|piece)s?|what|all|anything|everything|stuff|things?|whatever)\s+"
    r"(?=about|that|on|where|i\b|with)|about\s+|that\s+(?=\w)|(?:I|you)\s+(?:just |ever )?(?:said|told you|mentioned"
    r"|wrote|gave you)\s+|where (?=my\b|I (?:said|told)))+",
    re.I,
)
