"""Partners, relatives, friends and others whom people call theirs."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.names import capital_name, person
from ai_memory_integrations.learning.values.people import children, was_single
from ai_memory_integrations.learning.values.text import as_said

FAMILY = (
    say(
        "{t}",
        "my ",
        r"my {adv}{partner}(?:'s name)?(?: is called| is named|'s called| is|,)? (?P<v>[A-Z].*)",
        capital_name,
    ),
    say(
        "{t}",
        "my ",
        r"my (?:\w+ )?{relative}(?:'s name)?(?: is called| is named|'s called| is|,)? (?P<v>[A-Z].*)",
        capital_name,
    ),
    say(
        "{t}",
        "my ",
        r"my {parent}(?:'s name)?(?: is called| is named|'s called| is|,)? (?P<v>[A-Z].*)",
        capital_name,
    ),
    say(
        "{t}",
        "my ",
        r"my (?:new |dear |lovely |old |current )?{other}(?:'s name)?(?: is called| is named|'s called"
        r"| is(?: now| going to be| gonna be)?|,)? (?P<v>[A-Z].*)",
        person,
    ),
    say(
        "{t}",
        "have a",
        r"{have} an? (?:[\w-]+ )?(?P<t>son|daughter|brother|sister|cousin)(?:,| called| named"
        r"|, called)? (?P<v>[A-Z].*)",
        capital_name,
    ),
    say(
        "{t}",
        "have a",
        r"I have an? (?:new |lovely )?{partner}(?: now)?,?(?: called| named)? (?P<v>[A-Z].*)",
        capital_name,
    ),
    unsay(
        "Relationship",
        "have a",
        r"I have an? (?:new |lovely )?(?P<v>boyfriend|girlfriend|partner|husband|wife)\b",
        was_single,
    ),
    say("Child", "my child", r"my child (?P<v>[A-Z]\w+(?:, \d+)?)$", as_said),
    say("Partner", "engaged to", r"(?:I'm|I just got|I got) {adv}engaged to (?P<v>[A-Z].*)", capital_name),
    say("Relationship", "engaged to", r"I {adv}got engaged to [A-Z]", says="engaged"),
    say("Partner", "married", r"I(?:'ve| have) {adv}been married to (?P<v>[A-Z].*)", capital_name),
    say("Relationship", "been married", r"(?:I've|we've) {adv}been married\b", says="married"),
    unsay(
        "Wife",
        " and i",
        r"(?P<v>[A-Z]\w+) and I {adv}(?:broke up|split up|got divorced|separated|are over|aren't together)",
        capital_name,
    ),
    say("Partner", "married to", r"I'm {adv}married to (?P<v>.+)", capital_name),
    say(
        "Relationship",
        "i'm",
        r"(?:I'm|we're) {adv}(?P<v>married|single|divorced|engaged|widowed|separated)(?= to [A-Z]|$|,| and| with"
        r"| for|\.)",
        str.lower,
    ),
    say("Relationship", "married", r"(?:I|we) {adv}got married(?! (?:next|in (?!\d{4})|this))", says="married"),
    say("Relationship", "divorced", r"(?:I|we) {adv}got divorced", says="divorced"),
    say("Relationship", "engaged", r"(?:I|we) {adv}got engaged", says="engaged"),
    unsay("Relationship", "i'm", r"(?:I'm|we're) (?:not|no longer) (?P<v>married|single|engaged)\b", str.lower),
    unsay("Wife", " ", r"(?:I|we) {adv}(?:got divorced|split up|broke up|separated)(?! with)"),
    unsay("Wife", "i'm", r"I'm {adv}(?:divorced|single|separated)"),
    unsay("Wife", "broke up", r"I {adv}broke up with (?P<v>[A-Z].*)", capital_name),
    unsay(
        "Wife",
        "my ",
        r"(?:I {adv}(?:broke up with|left|divorced) my (?:wife|husband|partner|girlfriend|boyfriend)|my (?:wife"
        r"|husband|partner|girlfriend|boyfriend)(?: and I)? {adv}(?:broke up|split up|separated|left me"
        r"|got divorced|divorced))",
    ),
    say(
        "Children",
        " ",
        r"{have} (?P<v>{count} (?:\w+ )?(?:(?:step)?kids?|(?:step)?child(?:ren)?|sons?|daughters?|boys|girls"
        r"|twins)\b.*)",
        children,
    ),
    say(
        "Children",
        " of ",
        r"I'm {adv}(?:an? )?(?:\w+ )?(?:mother|father|mom|mum|dad|parent) of (?P<v>{count}\b(?: (?:boys|girls"
        r"|sons|daughters|kids|teenagers|teens|toddlers))?)(?! (?:dogs|cats))",
    ),
    say("Children", "have t", r"(?:I|we) {adv}have (?P<v>(?:\w+ )?(?:twins|triplets))\b"),
    say(
        "Siblings",
        " ",
        r"I have (?P<v>{count} (?:(?!twin\b)\w+ )?(?:brothers?|sisters?|siblings)\b(?!,? (?-i:[A-Z])).*)",
        children,
    ),
)
