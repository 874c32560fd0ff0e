"""What people study, and at which school."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.studies import school, subject
from ai_memory_integrations.learning.values.text import thing

STUDIES = (
    say("Studies", "study", r"I {adv}study (?P<v>.+)", subject),
    say("Studies", "studying", r"(?:I'm|I've been) {adv}studying (?P<v>.+)", subject),
    say("Studies", "major", r"(?:I|I'm) {adv}major(?:ing)? in (?P<v>.+)", subject),
    say(
        "Studies",
        "i'm",
        r"I'm (?:doing|pursuing|getting|working on|finishing) (?:a|my) (?:degree|phd|bachelor's|master's|masters"
        r"|doctorate) (?:in|on) (?P<v>.+)",
        subject,
    ),
    say(
        "Studies",
        "thesis",
        r"I'm {adv}(?:writing|finishing|working on|defending) my (?P<v>(?:thesis|dissertation|phd) (?:on|about) .+)",
        thing,
    ),
    say("School", " ", r"I {adv}(?:go to|attend|study at|'m studying at) (?P<v>.+)", school),
    say("School", "student at", r"I'm {adv}an? (?:[\w-]+ )*student at (?P<v>.+)", school),
    unsay("Studies", "studying", r"I (?:stopped|quit|gave up) studying (?P<v>.+)", subject),
)
