"""Where people live, with whom, where they come from."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.people import housemates
from ai_memory_integrations.learning.values.places import known_place, near, place, whereabouts
from ai_memory_integrations.learning.values.work import job_place, origin

HOMES = (
    say("Lives in", " live in ", r"{we} {adv}live in (?P<v>.+)", place),
    say("Lives in", "living in ", r"(?:I've|we've) {adv}been living in (?P<v>.+)", place),
    say("Lives in", "living in ", r"{are} {adv}living in (?P<v>.+)", place),
    say("Lives in", "based ", r"{are} {adv}based (?:out of|in) (?P<v>.+)", place),
    say("Lives in", "resid", r"{we} {adv}reside in (?P<v>.+)", place),
    say(
        "Lives in",
        "lived in ",
        r"(?:I've|we've|I have) {adv}lived in (?P<v>.+ (?:since|for|all my life).*)",
        place,
    ),
    say(
        "Lives in",
        " to ",
        r"(?:{we}|I've|we've) {adv}(?:moved|relocated|emigrated|immigrated)(?!.*\bthen\b|.* for (?:college|school"
        r"|uni))(?: back| over| house| out)?(?: from [^,]+?)? to (?P<v>.+)",
        known_place,
    ),
    say("Lives in", "my home", r"my home(?:town)? is (?:now )?(?:in )?(?P<v>.+)", known_place),
    say(
        "Lives in",
        " live ",
        r"{we} {adv}live (?P<v>(?:on|near|by|close to|just outside|outside|next to|north of|south of) .+)",
        near,
    ),
    say("Lives in", "i'm ", r"{are} {adv}(?:based )?(?P<v>near (?:[A-Z]).+)", near),
    say("Grew up in", "grew up", r"I (?:was )?{adv}(?:was born and )?grew up in (?P<v>.+)", place),
    say("Grew up in", "raised in", r"I was raised in (?P<v>.+)", place),
    say("Lives with", "with ", r"{are} {adv}living with (?P<v>my .+)", housemates),
    say(
        "Lives with",
        " share ",
        r"(?:I|we) {adv}share (?:an?|the) (?:flat|house|apartment|place|room) with (?P<v>.+)",
        housemates,
    ),
    say("Lives with", " alone", r"I {adv}live (?:alone|by myself|on my own)(?= in\b| now|$|,)", says="alone"),
    say("Lives in", "renting ", r"{are} {adv}renting (?P<v>an? .+ in [A-Z].+)", place),
    say("Lives with", " live with ", r"I {adv}live with (?P<v>my .+)"),
    unsay("Lives in", " live in ", r"{we} {adv}(?:{notnow}) (?:actually |really )?live in (?P<v>.+)", place),
    unsay("Lives in", "live there", r"{we} {adv}(?:don't live there anymore|no longer live there)"),
    unsay("Lives in", "not living in", r"I'm (?:not|no longer) living in (?P<v>.+)", place),
    unsay("Lives in", "used to live", r"{we} used to live in (?P<v>.+)", place),
    unsay("Lives in", "moved", r"{we} {adv}moved (?:away from|out of) (?P<v>.+)", place),
    say(
        "Is in",
        " in ",
        r"{are} {adv}(?:back |over |up |down |out )?in (?P<v>[A-Z](?!.*\b(?:for (?:the|an?|two|three|\d|work)"
        r"|until|till|visiting|on holiday)\b).*)",
        whereabouts,
    ),
    say(
        "From",
        " home to ",
        r"(?:I|we)?.{0,40}\b(?:go|come|going|coming|fly|went|travel|drive) home to (?P<v>[A-Z]\w+)",
        whereabouts,
    ),
    say("Works in", " in ", r"I'm {adv}(?:an? )(?P<v>.+ in [A-Z].+)", job_place),
    say("From", " from ", r"I'm (?:[A-Z][\w'-]+ (?:[A-Z][\w'-]+ )?)?{adv}from (?P<v>.+)", known_place),
    say("From", " from ", r"I'm {adv}(?:an? )?(?P<v>.+ from .+)", origin),
    say(
        "Lives in",
        " in ",
        r"(?:{we}|I've|we've) {adv}(?:found|rented|got|leased|moved into) an? "
        r"(?:[\w-]+ ){0,2}(?:flat|apartment|room|studio)"
        r" in (?P<v>.+)",
        known_place,
    ),
    say("From", "come from", r"I {adv}come from (?P<v>.+)", known_place),
)
