"""What people's bodies suffer, need, eat or must not eat."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.health import (
    aid,
    ailment,
    allergen,
    any_ailment,
    condition,
    diet,
    food,
    given_up,
    medicine,
)
from ai_memory_integrations.learning.values.text import phrase

HEALTH = (
    say("Allergic to", "allergic to", r"I'm {adv}allergic to (?P<v>.+)", allergen),
    say(
        "Allergic to",
        "allergy",
        r"I have (?:an? )?{adv}(?:(?:severe|bad|mild|serious|strong|terrible) )?allergy to (?P<v>.+)",
        allergen,
    ),
    say(
        "Allergic to",
        "allergy",
        r"I have (?:an? )?{adv}(?:(?:severe|bad|mild|serious|strong|terrible) )?(?P<v>\w+(?: \w+)?) allergy\b",
        allergen,
    ),
    unsay("Allergic to", "allergic to", r"I'm (?:not|no longer) {adv}allergic to (?P<v>.+)", allergen),
    say("Health", "i'm", r"I'm {adv}(?P<v>.+)", condition),
    unsay("Health", "i'm", r"I'm (?:not|no longer) {adv}(?P<v>.+)", condition),
    say("Health", "ha", r"(?:I have|I've had) (?P<v>.+)", ailment),
    say("Health", "i've", r"I've (?P<v>(?!had|been).+)", ailment),
    say("Health", "suffer", r"I {adv}suffer from (?P<v>.+)", ailment),
    say("Health", "diagnosed", r"(?:I was|I've been|I got) {adv}diagnosed with (?P<v>.+)", any_ailment),
    say(
        "Needs",
        " ",
        r"I {adv}(?:need|use|wear|rely on|require|depend on|need to use|have to use|have) (?P<v>.+)",
        aid,
    ),
    say("Diet", "i'm", r"I'm {adv}(?:on )?(?P<v>.+)", diet),
    say("Diet", "i've been", r"I've {adv}been (?P<v>.+)", diet),
    say("Diet", " ", r"I(?:'ve)? {adv}(?:went|go|gone|became|become|turned|eat|keep|follow) (?P<v>.+)", diet),
    say("Diet", " diet", r"(?:I'm|I've been) {adv}(?:on|following) (?:a |the )?(?P<v>[\w-]+) diet", diet),
    unsay("Diet", "i'm", r"I'm (?:not|no longer) {adv}(?P<v>.+)", diet),
    unsay("Diet", "stopped being", r"I stopped being (?P<v>.+)", diet),
    unsay("Diet", "used to be", r"I used to be (?P<v>.+)", diet),
    say(
        "Avoids",
        " eat ",
        r"I {adv}(?:don't|can't|never|mustn't|must not|shouldn't|may not) {adv}eat (?P<v>.+)",
        food,
    ),
    say("Avoids", "eating", r"I {adv}(?:avoid|stopped|gave up|quit) eating (?P<v>.+)", food),
    say("Avoids", "avoid", r"I {adv}avoid (?P<v>.+)", given_up),
    say(
        "Avoids",
        " ",
        r"I(?:'ve)? {adv}(?:can't have|can't do|can't tolerate|can't digest|don't do|gave up|given up|quit"
        r"|cut out|stopped having"
        r"|don't touch|stay away from|went off) (?P<v>.+)",
        given_up,
    ),
    say("Avoids", " me", r"(?P<v>.+?) (?:doesn't|don't|does not|do not) agree with me", given_up),
    say("Avoids", " me", r"(?P<v>.+?) makes? me (?:sick|ill|puke|throw up|vomit|itch|break out)", given_up),
    unsay("Avoids", "again", r"I {adv}(?:eat|drink|have|started (?:eating|drinking)) (?P<v>.+?) again", given_up),
    unsay("Diet", "not ", r"I'm (?:so )?not (?P<v>\w+) anymore", diet),
    say(
        "Health",
        " ",
        r"(?:I have|I've had) an? (?P<v>(?:bad|dodgy|weak|artificial) (?:knee|knees|back|shoulder|hip|heart|ankle"
        r"|wrist|leg|neck|foot|arm|eyesight|nerve|elbow))\b",
    ),
    say("Health", "recovering", r"I'm {adv}(?P<v>recovering from .+)", phrase),
    say("Health", " take", r"I {adv}(?:take|have to take) (?P<v>.+)", medicine, "takes {v}"),
    say("Health", "i'm on ", r"I'm {adv}on (?P<v>.+)", medicine, "on {v}"),
    say(
        "Health",
        " get ",
        r"I {adv}(?:get|suffer from) {adv}(?:terribly |badly )?(?P<v>seasick|carsick|airsick"
        r"|motion sick(?:ness)?|migraines|hay fever|panic attacks)\b",
    ),
    say("Needs", "wheelchair", r"I'm {adv}in a (?P<v>wheelchair)\b"),
    say("Avoids", " drink ", r"I {adv}(?:don't|can't|never|mustn't) {adv}drink (?P<v>.+)", food),
    say("Avoids", " drink", r"I {adv}don't drink(?:$|,)", says="alcohol"),
    unsay("Avoids", " eat ", r"I can eat (?P<v>.+?) (?:again|now)"),
    unsay("Avoids", " eat", r"I {adv}(?:eat|started eating) (?P<v>.+?) again"),
)
