"""What people are: their age, birth, nationality, traits."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.people import age, nationality, year
from ai_memory_integrations.learning.values.places import known_place
from ai_memory_integrations.learning.values.text import as_said
from ai_memory_integrations.learning.values.times import birthday

PEOPLE = (
    say("Born in", "born", r"I was born (?:and raised |and grew up )?in (?P<v>.+)", known_place),
    say("Born in", "born in", r"I was born in (?P<v>.+)", year),
    say("Birthday", "born on", r"I was born on (?P<v>.+)", birthday),
    say("Birthday", "birthday", r"my birthday is (?P<v>.+)", birthday),
    say("Birthday", "birthday", r"my birthday's (?P<v>.+)", birthday),
    say("Age", "i'm", r"I'm (?:[A-Z][\w'-]+, )?{adv}(?P<v>\d.*)", age),
    say("Age", "year", r"I'm {adv}an? (?P<v>\d{1,2})[- ]years?[- ]old\b", age),
    say("Age", "turned", r"I {adv}turned (?P<v>\d.*)", age),
    say("Age", "my age", r"my age is (?P<v>\d.*)", age),
    say("Nationality", "i'm", r"I'm {adv}(?P<v>.+)", nationality),
    say(
        "Nationality",
        "half ",
        r"I'm {adv}(?P<v>half (?-i:[A-Z])\w+(?:,? (?:and )?half (?-i:[A-Z])\w+)?)",
        as_said,
    ),
    unsay("Nationality", "not", r"I'm (?:not|no longer) {adv}(?P<v>.+)", nationality),
    say("Time zone", "time", r"my time ?zone is (?P<v>.+)"),
)

TRAITS = (
    say(
        "Is",
        "i'm",
        r"I'm {adv}(?P<v>left-handed|right-handed|ambidextrous|(?:an? )?(?:introvert|extrovert|insomniac"
        r"|perfectionist|night owl|early bird|early riser|morning person"
        r"|night person|only child|twin|veteran|expat|immigrant|refugee|orphan|foster parent|grandmother"
        r"|grandfather|grandparent|widow|widower|nomad|digital nomad))(?=$|,| and| so| but|\.)",
        as_said,
    ),
    say("Is", " tall", r"I'm {adv}(?P<v>\d[\d.,' ]*(?:m|cm|ft|feet|foot)?(?: ?\d+)? tall)\b", as_said),
)
