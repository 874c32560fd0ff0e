"""What people own, lack, swap or sell."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.possessions import possession, sold, vehicle
from ai_memory_integrations.learning.values.text import as_said

# Told by the words around them.
BELONGINGS = (
    say(
        "Has",
        "have a",
        r"(?:I|we) {adv}have an? (?P<v>[A-Z][\w-]+(?: (?:[A-Z]|\d)[\w-]*)*)(?= now\b|$)",
        as_said,
    ),
    say("Has", " own a", r"I own an? (?P<v>(?:{make})\b.*)", vehicle),
    say(
        "Has",
        " for a",
        r"(?:I|we) {adv}(?:traded|swapped|exchanged) (?:in )?(?:my|our|the) .+? for (?P<v>an? .+)",
        vehicle,
    ),
    unsay(
        "Has",
        " for a",
        r"(?:I|we) {adv}(?:traded|swapped|exchanged) (?:in )?(?:my|our|the) (?P<v>.+?) for ",
        as_said,
    ),
    say("Has", "instead", r"(?:I|we) {adv}(?:got|bought|have) (?P<v>an? [A-Z].+) instead", vehicle),
    unsay("Has", "sold the", r"(?:I|we) {adv}sold the (?P<v>.+)", sold),
    say(
        "Has",
        "don't ",
        r"(?:I|we) {adv}don't (?:have|own) (?:an? |any )?(?P<v>car|tv|television|bike|garden|driving licen[cs]e"
        r"|driver's licen[cs]e|smartphone|dishwasher|oven"
        r"|microwave|freezer|bathtub|balcony|credit card|printer)(?=$|,| and| so| but| at| or| anymore)",
        says="no {v}",
    ),
    unsay("Has", " a", r"{have} (?:an? )(?:\w+ )?(?P<v>car|tv|bike|garden|dishwasher|oven|microwave)\b", says="no {v}"),
)

# Known from a list.
POSSESSIONS = (
    say("Has", " ", r"{have} (?P<v>{count} .+)", possession),
    say("Has", "bought", r"(?:I|we|I've|we've) {adv}bought (?P<v>{count} .+)", possession),
    say("Has", "drive", r"I {adv}drive (?P<v>an? .+)", vehicle),
    say("Has", " ride", r"I {adv}ride (?P<v>an? .+)", possession),
    unsay("Has", "sold", r"(?:I|we) {adv}sold (?:my|our) (?P<v>.+)", possession),
    unsay("Has", " have", r"(?:I|we) (?:don't|no longer) (?:have|own) (?:a |an |my |our )?(?P<v>.+)", possession),
)
