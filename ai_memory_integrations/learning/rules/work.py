"""What people do for a living, and for whom."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.doings import third, trade
from ai_memory_integrations.learning.values.places import whereabouts
from ai_memory_integrations.learning.values.studies import subject
from ai_memory_integrations.learning.values.work import (
    any_job,
    business,
    employer,
    occupation,
    status,
    workplace,
    workplace_in,
)

WORK = (
    say(
        "Works at",
        " work",
        r"I {adv}work (?:[\w-]+ time |[\w-]+ days? a week |part-time |full-time "
        r"|remotely |there )?(?:at|for) (?P<v>.+)",
        employer,
    ),
    say(
        "Works at",
        "working",
        r"(?:I've|I'm) {adv}(?:been )?(?:working|employed) (?:at|for|by) (?P<v>.+)",
        employer,
    ),
    say("Works at", " work", r"I {adv}work (?:in|at) (?P<v>an? .+ in .+)", workplace_in),
    say("Works at", " work", r"I {adv}work as .+? (?:at|for) (?P<v>.+)", employer),
    say("Works at", " ", r"I'm {adv}(?:an?|the) (?P<v>.+ (?:at|for|with|of) .+)", workplace),
    say(
        "Works at",
        "job",
        r"(?:I {adv}(?:got|have|found|started|landed|accepted|took)|I've {adv}(?:got|found|started)) (?:a "
        r"|my )?(?:new |full-time |part-time )*(?:job|position|role) (?:at|with) (?P<v>.+)",
        employer,
    ),
    say("Works at", "working", r"I {adv}(?:started|began) working (?:at|for) (?P<v>.+)", employer),
    say("Works at", "employer", r"my (?:new |current )?employer is (?P<v>.+)", employer),
    say(
        "Works in",
        " work in ",
        r"I {adv}work in (?P<v>{field}\b(?! for| at| with).*)",
    ),
    say("Works in", " work in ", r"I {adv}work in (?P<v>{field}) (?:for|at|with)\b"),
    say("Works at", " work in ", r"I {adv}work in {field} (?:for|at|with) (?P<v>.+)", employer),
    say("Works in", "i'm in ", r"I'm {adv}in (?P<v>{field})$"),
    say("Occupation", " do ", r"I {adv}do (?P<v>{field}) (?:for|at) (?:an?\b|the\b|[A-Z])"),
    say("Works at", " do ", r"I {adv}do {field} (?:for|at) (?P<v>[A-Z].+)", employer),
    say("Works in", " work ", r"I {adv}work (?:from|out of) (?P<v>[A-Z].+)", whereabouts),
    say("Works at", "leave from", r"I'm {adv}on (?:\w+ )?leave from (?P<v>.+)", employer),
    say("Works at", "i'm with", r"I'm (?:now )?with (?P<v>[A-Z]\w+(?: [A-Z]\w+)*)(?= now\b| these days| since)"),
    say("Works at", "i'm with", r"I'm (?:now )?with (?P<v>the .+)", employer),
    say("Works at", "joined", r"(?:I|I've) {adv}joined (?P<v>[A-Z].+)", employer),
    say("Works at", "start", r"I(?:'m)? {adv}start(?:ed|ing)? (?:at|with) (?P<v>[A-Z].+)", employer),
    say(
        "Works at",
        "job at",
        r"I(?:'ve)? {adv}(?:got|start|starting|have|had) (?:the|an?|my) (?:new )?(?:job|position|role) (?:at"
        r"|with) (?P<v>.+)",
        employer,
    ),
    say("Occupation", "for a living", r"I {adv}(?P<v>[a-z]+ (?:[\w-]+ ){0,4}?)for a living", third),
    say(
        "Habits",
        " ",
        r"I {adv}(?P<t>repair|restore|design|sell|translate|tutor|groom|breed|bake) (?P<v>.+)",
        trade,
        "{t}s {v}",
    ),
    say("Occupation", "between jobs", r"I'm {adv}between jobs", says="between jobs"),
    unsay("Works at", "between jobs", r"I'm {adv}between jobs"),
    unsay("Works at", " ", r"I(?:'ve)? {adv}(?:quit|resigned from|got fired from) (?P<v>[A-Z].+)", employer),
    unsay("Works at", "i'm not with", r"I'm (?:not|no longer) (?:at|with) (?P<v>[A-Z].+)", employer),
    say("Occupation", " work", r"I {adv}work as (?P<v>.+)", any_job),
    say("Occupation", "working as", r"(?:I've|I'm) {adv}(?:been )?working as (?P<v>.+)", any_job),
    say("Occupation", "i'm", r"I'm {adv}(?P<v>(?:an?|the) .+)", occupation),
    say("Occupation", "i'm", r"I'm {adv}(?P<v>(?!an? |the |no )[a-z].+)", occupation),
    say("Occupation", "i'm", r"I'm {adv}(?:an? )?(?P<v>[\w-]+ year (?:[\w-]+ ){0,2}student)\b"),
    say(
        "Studies",
        "i'm",
        r"I'm {adv}in (?P<v>(?:my )?(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth"
        r"|ninth|tenth|eleventh|twelfth|final) (?:grade|year)(?: of (?:[a-z]+ )?(?:school|college|university|studies"
        r"|training|phd|apprenticeship))?\b)",
    ),
    say("Occupation", "i've been", r"I've been (?P<v>an? .+)", occupation),
    say("Occupation", "job", r"my (?:new |current )?(?:job|occupation|profession) is (?P<v>.+)", occupation),
    say("Occupation", "promoted", r"I (?:{adv}got|was) (?:{adv})promoted to (?P<v>.+)", any_job),
    say("Occupation", "became", r"I {adv}became (?P<v>.+)", occupation),
    say("Occupation", "i'm", r"I'm {adv}(?P<v>.+)", status),
    say("Occupation", " retired", r"I {adv}retired", says="retired"),
    unsay("Works at", " retired", r"I(?:'m)? {adv}retired"),
    say("Occupation", "for myself", r"I {adv}work for myself", says="self-employed"),
    say("Occupation", "teach", r"I {adv}teach (?P<v>(?!you|him|her|them|my).+)", subject, "teaches {v}"),
    say("Occupation", " ", r"I {adv}(?P<t>run|own|manage) (?P<v>.+)", business, "{t}s {v}"),
    unsay("Works at", " work", r"I {adv}(?:{notnow}) work (?:at|for) (?P<v>.+)", employer),
    unsay("Works at", "used to work", r"I used to work (?:at|for) (?P<v>.+)", employer),
    unsay("Works at", "job", r"I {adv}(?:quit|left|lost|resigned from|gave up) my job"),
    unsay("Works at", " ", r"I(?:'ve)? {adv}(?:got|was|been) {adv}(?:laid off|fired|made redundant)"),
    unsay("Works at", "left", r"I {adv}left (?P<v>[A-Z].+)", employer),
    unsay("Occupation", "i'm", r"I'm (?:no longer|not) (?P<v>an? .+)", occupation),
    unsay("Occupation", "i'm", r"I'm (?:no longer|not) {adv}(?P<v>.+)", status),
)
