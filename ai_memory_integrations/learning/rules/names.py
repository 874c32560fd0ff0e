"""How people are named and addressed."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.names import capital_name, name

NAMES = (
    say(
        "Name",
        "name is",
        r"my (?:first |full |real |actual |given )?name is (?:actually |really )?(?P<v>.+)",
        name,
    ),
    say("Name", "isn't", r"my name isn't [^,]+,? (?:it's|but|it is) (?P<v>.+)", name),
    unsay("Name", "isn't", r"my name isn't (?P<v>[^,]+)$", name),
    say("Name", "i'm", r"I'm (?:actually |really )?(?P<v>.+)", capital_name),
    say(
        "Prefers to be called",
        "call",
        r"(?:just )?(?:{adv}(?:you can |you may |everyone (?:can )?|everybody |people |friends |my friends "
        r"|they |please "
        r"|feel free to |do |most people ))*call(?:s)? me (?P<v>.+)",
        capital_name,
    ),
    say("Prefers to be called", "go by", r"I (?:usually |mostly |just )*go by (?P<v>.+)", capital_name),
    say(
        "Prefers to be called",
        "be called",
        r"(?:I'd|I would|I) (?:rather|prefer to|like to|want to) be called (?P<v>.+)",
        capital_name,
    ),
    say("Name", "i'm called", r"I'm called (?P<v>.+)", name),
    say("Pronouns", "pronouns", r"my pronouns are (?P<v>[\w/ ]+)"),
    say("Pronouns", "pronouns", r"I use (?P<v>\w+/\w+(?:/\w+)?) pronouns"),
)
