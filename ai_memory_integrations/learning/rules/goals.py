"""What people want of life."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.plans import ambition
from ai_memory_integrations.learning.values.text import thing

HOPES = (
    say("Goal", "always wanted", r"I(?:'ve| have) always wanted to (?P<v>.+)", thing),
    say(
        "Goal",
        " like to ",
        r"(?:I'd|I would) {adv}(?:like|love) to (?P<v>(?:learn|visit|become|run an?|write an?|move to"
        r"|travel) .*\b(?:someday|one day|this year|next year|eventually))",
        ambition,
    ),
    say(
        "Goal",
        "trying to",
        r"I'm {adv}trying to (?P<v>(?:quit|stop|give up|lose|learn|get (?:fit|in shape|pregnant)|eat (?:less"
        r"|more|healthier)|drink less|save) .*|get pregnant)",
        ambition,
    ),
)

GOALS = (
    say(
        "Goal",
        "my ",
        r"my (?:main |big |biggest |ultimate |lifelong )*(?:goal|dream|ambition|aim"
        r"|resolution)(?: for (?:this year|next year|the year|20\d\d|life))? is (?:to )?(?P<v>.+)",
        thing,
    ),
    say("Goal", "training for", r"I'm {adv}(?P<v>training for .+)", thing),
    say("Goal", "saving", r"(?:I'm|we're) {adv}(?P<v>saving (?:up )?for .+)", thing),
    say("Goal", " to ", r"I {adv}(?:want to|hope to|would love to|dream of|'m hoping to) (?P<v>.+)", ambition),
    unsay("Goal", " ", r"I (?:no longer|don't) want to (?P<v>.+)", ambition),
)
