"""What people like, dislike and prefer."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.tastes import loved, of_person
from ai_memory_integrations.learning.values.text import as_said, thing

TASTES = (
    say("Likes", " ", r"(?:I|we) {adv}(?:like|love|enjoy|adore|loved? to|can't get enough of) (?P<v>.+)", loved),
    say(
        "Likes",
        "i'm",
        r"I'm {adv}(?:into|fond of|crazy about|keen on|obsessed with|passionate about|mad about"
        r"|a sucker for) (?P<v>.+)",
        loved,
    ),
    say(
        "Likes",
        "fan of",
        r"I'm {adv}an? {adv}(?:huge |big |massive |great |lifelong |avid |die-hard |real )*fan of (?P<v>.+)",
        loved,
    ),
    say(
        "Dislikes",
        " ",
        r"I {adv}(?:hate|dislike|despise|detest|loathe|can't stand(?! up\b| still| straight| here| on\b| in\b"
        r"| by\b| next)|can't bear) (?P<v>(?!to\b).+)",
        loved,
    ),
    say(
        "Dislikes",
        "don't",
        r"I {adv}don't {adv}(?:like|enjoy|love|care for) (?P<v>(?!to\b|.*\banymore\b).+)",
        loved,
    ),
    say(
        "Dislikes",
        "not",
        r"I'm not {adv}(?:an? {adv}(?:huge |big |great )?fan of|into|fond of|keen on|crazy about) (?P<v>(?!to\b"
        r"|.*\banymore\b).+)",
        loved,
    ),
    unsay("Likes", "anymore", r"I {adv}don't {adv}(?:like|love|enjoy|adore|care for) (?P<v>.+)", loved),
    unsay("Likes", "no longer", r"I {adv}no longer {adv}(?:like|love|enjoy|adore|care for) (?P<v>.+)", loved),
    unsay(
        "Likes",
        " ",
        r"I'm (?:not|no longer) {adv}(?:an? {adv}(?:huge |big )?fan of|into|fond of|keen on|crazy about"
        r"|obsessed with) (?P<v>.+)",
        loved,
    ),
    unsay("Likes", "used to", r"I used to (?:like|love|enjoy|adore|be into) (?P<v>.+)", loved),
    unsay("Likes", "stopped", r"I(?:'ve)? stopped (?:liking|loving|enjoying) (?P<v>.+)", loved),
    unsay("Dislikes", " ", r"I {adv}(?:don't|no longer) {adv}(?:hate|dislike|mind) (?P<v>.+)", loved),
    unsay("Dislikes", "used to", r"I used to (?:hate|dislike) (?P<v>.+)", loved),
    say(
        "Favourite {t}",
        "favo",
        r"my (?:all-time |all time |absolute )?favou?rite (?P<t>[a-z]+(?: [a-z]+)?)(?: of all time)? (?:is|are"
        r"|has always been|will always be) (?:definitely |probably |still |now |actually )?(?P<v>.+)",
        thing,
    ),
    say("Likes", "nothing beats", r"nothing beats (?P<v>.+)", loved),
    say(
        "Likes",
        " fan",
        r"I'm {adv}an? (?:huge|big|massive|lifelong|die-hard"
        r"|great) (?P<v>[\w' -]+?) fan\b",
        loved,
    ),
    say("Likes", "addicted", r"I'm {adv}(?:addicted to|hooked on) (?P<v>.+)", loved),
    say(
        "Likes",
        " for ",
        r"I(?:'ve)? {adv}(?:have|got) a (?:soft spot|weakness|thing|passion) for (?P<v>.+)",
        loved,
    ),
    say("Likes", "loved", r"I(?:'ve| have) always (?:loved|liked|enjoyed|been into) (?P<v>.+)", loved),
    say(
        "Likes",
        " person",
        r"I'm {adv}an? {adv}(?:total |big )?(?P<v>cat|dog|horse|animal|book|tea|coffee|wine|beach|mountain) person\b",
        of_person,
    ),
    say("Favourite {t}", ":", r"(?:my )?(?:new )?favou?rite (?P<t>[a-z]+(?: [a-z]+)?)(?: now)?: (?P<v>.+)", thing),
    say("Prefers", " person", r"I'm more of an? (?P<v>\w+) person\b", as_said),
    say("Prefers", "rather", r"(?:I'd|I would) {adv}rather (?P<v>(?!not\b|be called|you\b)\w+ .+ than .+)", loved),
    say(
        "Dislikes",
        " my ",
        r"(?P<v>(?!that|this|it\b|they|the\b)[\w' -]+?) (?:isn't|aren't|is not|are not) {adv}my (?:thing"
        r"|cup of tea|jam)",
        loved,
    ),
    say("Dislikes", "not", r"I'm not {adv}(?:big on|much for|one for) (?P<v>.+)", loved),
    say(
        "Favourite {t}",
        "my favo",
        r"(?P<v>[A-Z][\w' ]+?) (?:is|are) (?:still |by far |definitely |probably )?my (?:all-time "
        r"|absolute )?favou?rite (?P<t>[a-z]+(?: [a-z]+)?)$",
        thing,
    ),
    unsay("Likes", " off ", r"I(?:'ve)? {adv}(?:gone|went|am|'m) (?:right |completely )?off (?P<v>.+)", loved),
    say("Prefers", "prefer", r"I {adv}prefer (?P<v>(?!to be called).+)", loved),
)
