"""What people are going to do."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.plans import event, future, journey, journey_named, plan
from ai_memory_integrations.learning.values.text import as_said, thing
from ai_memory_integrations.learning.values.times import turning, when

APPOINTMENTS = (
    say(
        "Plans",
        " is ",
        r"(?:my|our) (?P<t>(?:[\w-]+ ){0,2}(?:trip|holiday|vacation|wedding|honeymoon|move|interview|exam|exams"
        r"|surgery|operation|flight|conference|marathon|driving test"
        r"|test|appointment|concert|race|graduation|defen[cs]e|due date|scan|party)(?: (?:to|in"
        r"|with) [A-Z]\w+)?) is {adv}(?P<v>(?:on |in |at |this |next |tomorrow|due ).*)",
        when,
        "{t} {v}",
    ),
    say(
        "Plans",
        " is ",
        r"(?:the |my )?(?P<t>exam|defen[cs]e|surgery|interview|driving test|due date|graduation"
        r"|thesis defen[cs]e) is {adv}(?P<v>(?:on |in |at |this |next |tomorrow).*)",
        when,
        "{t} {v}",
    ),
    say("Plans", "wedding", r"(?:the|our) wedding is {adv}(?P<v>(?:on |in |this |next ).*)", when, "wedding {v}"),
    say(
        "Plans",
        " ",
        r"{we} {adv}(?P<v>(?:fly|travel|leave|move|drive|sail|head) (?:to|for) (?:the )?[A-Z].+)",
        plan,
    ),
    say("Plans", "off to ", r"{are} {adv}off to (?P<v>[A-Z].+)", plan),
    say(
        "Plans",
        "booked",
        r"(?:I|we|I've|we've) {adv}booked (?:an? |our |my )?(?P<v>(?:trip|flight|flights|holiday|cruise|hotel"
        r"|cabin|table).+)",
        journey,
    ),
    say("Plans", "due ", r"I'm pregnant,? due (?P<v>(?:in|on) .+)", when, "due {v}"),
    say("Plans", "expecting", r"{are} {adv}(?P<v>expecting (?:our|my|a|another) .+)", as_said),
    say("Plans", " be ", r"I'll be (?P<v>\d\d (?:in|on|next|this) .+)", turning),
    say("Plans", "turning", r"I'm {adv}turning (?P<v>\d\d (?:in|on|next|this) .+)", turning),
    unsay(
        "Plans",
        " is off",
        r"(?:my|our|the) (?P<v>[\w ]+?) (?:is|are) (?:off|cancell?ed|called off|not happening)$",
        journey_named,
    ),
)

PLANS = (
    say("Plans", "going to", r"{are} {adv}going to (?P<v>.+)", plan),
    say("Plans", "gonna", r"{are} {adv}gonna (?P<v>.+)", plan),
    say("Plans", "planning", r"{are} {adv}planning (?P<v>(?:an?|my|our) .+)", event),
    say("Plans", "planning", r"{are} {adv}planning (?:to|on) (?P<v>.+)", plan),
    say("Plans", "plan to", r"{we} {adv}plan to (?P<v>.+)", plan),
    say("Plans", "ing to", r"{are} {adv}(?P<v>(?:moving|travell?ing|flying|relocating|heading) to .+)", journey),
    say(
        "Plans",
        "ing ",
        r"{are} {adv}(?P<v>(?:visiting|getting married|starting|running|retiring|graduating|hosting|expecting)\b.+)",
        plan,
    ),
    say("Plans", "have", r"{have} (?P<v>(?:an?|my) .+)", future),
    unsay("Plans", "cancel", r"(?:I|we|I've|we've) {adv}(?:cancell?ed|called off) (?:my|our|the) (?P<v>.+)", thing),
    unsay(
        "Plans",
        "not",
        r"{are} (?:not|no longer) (?:going to|planning (?:to|a)|travell?ing to|flying to|moving to) (?P<v>.+)",
        thing,
    ),
)
