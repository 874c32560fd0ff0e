"""How people want to be reached and answered."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say
from ai_memory_integrations.learning.values.tastes import wish

WISHES = (
    say(
        "Contact",
        " me ",
        r"(?:please )?(?:only )?(?:contact|reach) me (?P<v>(?:by|via|through|only|after \d|before \d"
        r"|in the (?:morning|afternoon|evening)).*)",
        wish,
    ),
    say("Contact", "reach me", r"the best (?:way|time) to (?:reach|contact) me is (?P<v>.+)", wish),
    say(
        "Contact",
        " me",
        r"(?:please )?(?P<v>(?:don't|never) (?:call|email|text|phone|ring|contact) me\b.*)",
        wish,
    ),
    say("Wishes", "always", r"(?:please )?always (?P<v>{answer} .+)", wish),
    say(
        "Wishes",
        "please",
        r"please (?P<v>(?:keep|make) (?:your|the) (?:answers|replies|responses|explanations) .+)",
        wish,
    ),
    say("Wishes", "from now on", r"(?:please )?(?P<v>{answer} .+?),? from now on", wish),
    say("Wishes", "please", r"please (?P<v>never (?!mind).+)", wish),
    say(
        "Wishes",
        "from now on",
        r"from now on,? (?:please )?(?:always )?(?P<v>(?:answer|reply|respond|write|speak|talk|keep|use|call"
        r"|address|be|give|never|don't|send|explain) .+)",
        wish,
    ),
    say("Wishes", " you to ", r"I (?:want|need|would like|'d like|prefer) you to always (?P<v>.+)", wish),
)
