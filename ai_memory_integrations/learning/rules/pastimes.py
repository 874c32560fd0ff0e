"""What people do again and again, and what they are able to do."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.doings import habit, third
from ai_memory_integrations.learning.values.possessions import collection, tool
from ai_memory_integrations.learning.values.studies import languages, learnt, skill
from ai_memory_integrations.learning.values.tastes import played
from ai_memory_integrations.learning.values.text import as_said, thing

PASTIMES = (
    say(
        "Hobby",
        " ",
        r"I {adv}(?P<v>{hobby})(?=$|,| a lot| for fun| in my| since| regularly| competitively| as a hobby| too\b)",
        third,
    ),
    say(
        "Hobby",
        " ",
        r"I {adv}(?P<t>paint|draw|sew|brew|grow|carve|photograph|breed|keep|restore|build) (?P<v>bees|chickens"
        r"|hens|minis|miniatures|portraits"
        r"|landscapes|watercolou?rs|beer|mead|vegetables|tomatoes|roses|orchids|cacti|model (?:trains|ships"
        r"|planes)|wood|birds|koi|ducks|pottery|quilts)\b",
        as_said,
        "{t}s {v}",
    ),
    say("Skills", " in ", r"I {adv}(?:code|program|develop|write code) {adv}in (?P<v>.+)", skill),
    say("Skills", " know ", r"I {adv}know (?:some |a bit of |a little )?(?P<v>.+)", skill),
    say(
        "Skills",
        "good at ",
        r"I'm {adv}(?:good|great|decent|skilled) at (?P<v>(?!it\b|that\b|this\b)[\w ]+?)(?= and\b| but\b|,|$)",
        learnt,
    ),
    say("Speaks", "speaking", r"I {adv}(?:was )?(?:grew up|raised) speaking (?P<v>.+)", languages),
    say("Speaks", " in ", r"I {adv}(?:write|think|dream|count|swear|pray|work) in (?P<v>.+)", languages),
    say("Speaks", "bilingual", r"I'm {adv}(?:bi|tri)lingual[,:]?(?: in| -)? ?(?P<v>.+)", languages),
    say(
        "Speaks",
        "my ",
        r"my (?P<v>[A-Z][a-z]+) is {adv}(?:not |a bit |a little )?(?:rusty|ok|okay|fluent|basic|good|great|bad"
        r"|terrible|decent|poor|better)",
        languages,
    ),
    say(
        "Native language",
        " is my ",
        r"(?P<v>[A-Z]\w+) is my (?:native|first|mother) (?:language|tongue)",
        languages,
    ),
    say("Uses", " use ", r"I {adv}use (?P<v>.+)", tool),
    say("Uses", "i'm on ", r"I'm {adv}on (?P<v>.+)", tool),
    say(
        "Uses",
        " to ",
        r"I(?:'ve)? {adv}(?:switched|changed|migrated|moved)(?: over| back)? (?:from .+? )?to (?P<v>.+)",
        tool,
    ),
    unsay(
        "Uses",
        " from ",
        r"I(?:'ve)? {adv}(?:switched|changed|migrated|moved)(?: over| back)? from (?P<v>[A-Z]\w*(?: [A-Z]\w*)?) to ",
        as_said,
    ),
    unsay("Uses", " using ", r"I(?:'ve)? {adv}(?:stopped|quit|gave up) using (?P<v>.+)", tool),
    say("Hobby", "hobb", r"my (?:main |favou?rite |biggest )?hobb(?:y|ies)(?: is| are) (?P<v>.+)", thing),
    say("Hobby", "time", r"in my (?:free|spare) time,? I {adv}(?:like to |love to |enjoy )?(?P<v>.+)", thing),
    say("Hobby", "collect", r"I {adv}collect (?P<v>.+)", collection, "collects {v}"),
    say("Speaks", "speak", r"I {adv}(?:can )?speak {adv}(?P<v>.+)", languages),
    say(
        "Habits",
        "don't",
        r"I {adv}don't (?P<v>drive|smoke|vape|gamble|swim|fly|cycle)(?= at all|$|,| and| so| but| or|\.)",
        says="does not {v}",
    ),
    say(
        "Habits",
        " ",
        r"I {adv}(?P<v>(?:go to|look after|take the (?:train|bus|tram|ferry|metro|tube)|get up|wake up"
        r"|go to bed|go (?:running|swimming|climbing|dancing|cycling"
        r"|hiking)|work (?!hard|on\b)|swim|run(?= every| on\b| in the| daily| twice| three)"
        r"|jog|climb|cycle|train|sing|volunteer|cook|meditate|do yoga|do pilates|dance|practi[cs]e|fast|visit"
        r"|call|see my|commute|bike|walk|swim|row|have (?:lessons|class|classes"
        r"|therapy|practice|choir|band practice|dialysis|physio)|teach|take (?:classes|lessons))\b.+)",
        habit,
    ),
    say("Habits", "smok", r"I {adv}(?:smoke|vape)$", says="smokes"),
    unsay("Habits", "smok", r"I(?:'ve)? {adv}(?:quit|stopped|gave up|given up) smoking", says="smokes"),
    say("Habits", "smok", r"I(?:'ve)? {adv}(?:quit|stopped|gave up|given up) smoking", says="does not smoke"),
    unsay("Habits", "started", r"I(?:'ve)? {adv}started (?:driving|smoking|vaping|swimming|flying|cycling)"),
    say("Speaks", "fluent in", r"I'm {adv}fluent in (?P<v>.+)", languages),
    say(
        "Native language",
        "my ",
        r"my (?:native (?:language|tongue)|first language|mother tongue) is (?P<v>.+)",
        languages,
    ),
    say("Native language", "native", r"I'm a native (?P<v>.+) speaker", languages),
    say("Learning", "learning", r"(?:I'm|I've been|I've started|I started) {adv}learning (?P<v>.+)", learnt),
    unsay("Learning", "learning", r"I(?:'ve)? (?:stopped|gave up|quit|given up) (?:on )?learning (?P<v>.+)", learnt),
    unsay(
        "Learning",
        "gave up",
        r"I(?:'ve)? {adv}(?:gave up|given up|quit|stopped)(?: on)? (?:learning )?(?P<v>[A-Z]\w+)$",
        as_said,
    ),
    say(
        "Learning",
        "taking ",
        r"(?:I'm|I've|I've been|I've started|I started|I) {adv}(?:started )?(?:taking"
        r"|having) (?P<v>[\w ]+?) (?:lessons|classes)\b",
        learnt,
    ),
    say("Plays", "play", r"I {adv}play (?P<v>.+)", played),
    say("Plays", "playing", r"I've {adv}been playing (?P<v>.+)", played),
    unsay("Plays", "play", r"I (?:don't|no longer|stopped|used to) play(?:ing)? (?P<v>.+)", played),
)
