"""What people do, where no other rule has understood a clause."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.doings import activity, project, shunned
from ai_memory_integrations.learning.values.health import food
from ai_memory_integrations.learning.values.text import as_said

FALLBACK = (
    say("Activities", " ", r"I {adv}(?P<v>{life} .+)", activity),
    say("Activities", "don't ", r"I {adv}don't {adv}(?P<v>{shunned} .+)", shunned, "does not {v}"),
    say(
        "Activities",
        " run ",
        r"I {adv}(?P<v>run an? (?:.* )?(?:campaign|club|group|choir|blog|podcast|channel|meetup|newsletter"
        r"|league|charity|stall|youth group)\b.*)",
        activity,
    ),
    unsay("", "no more ", r"(?:and |so )?no more (?P<v>[\w&-]+(?: [\w&-]+)?)$", as_said),
    unsay("", " away", r"I(?:'ve)? (?:put|given|thrown) (?:my |the )?(?P<v>[\w&-]+) away", as_said),
    say("Avoids", " no ", r"I {adv}(?:use|eat|drink|wear) no (?P<v>.+)", food),
    say(
        "Activities",
        "i'm",
        r"I'm {adv}(?P<v>(?:writing|building|restoring|renovating|designing|making|converting|opening) (?:an?"
        r"|my|our) .+)",
        project,
        "is {v}",
    ),
)
