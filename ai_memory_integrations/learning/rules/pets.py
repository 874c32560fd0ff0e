"""Animals that people keep."""

from __future__ import annotations

from ai_memory_integrations.learning.rules.rule import say, unsay
from ai_memory_integrations.learning.values.names import capital_name
from ai_memory_integrations.learning.values.possessions import named_animal, pet
from ai_memory_integrations.learning.values.text import as_said

PETS = (
    unsay("Pets", " put ", r"(?:I|we) had to put (?P<v>[A-Z]\w+|(?:my|our) \w+) (?:down|to sleep)", named_animal),
    unsay("Pets", " ", r"(?:poor )?(?P<v>[A-Z]\w+) {adv}(?:died|passed away|ran away)\b", capital_name),
    say(
        "Pets",
        "called",
        r"we have (?P<v>(?:some |two |three |four )?(?:dogs|cats|puppies|kittens|rabbits|horses|parrots"
        r"|hens) called .+)",
        as_said,
    ),
    say("Pets", " ", r"{have} (?P<v>{count} .+)", pet),
    say("Pets", " keep ", r"(?:I|we) {adv}keep (?P<v>{count} .+)", pet),
    say("Pets", "adopted", r"(?:I|we|I've|we've) {adv}adopted (?P<v>{count} .+)", pet),
    say("Pets", " got ", r"(?:I|we) {adv}got (?P<v>{count} .+)", pet),
    say(
        "Pets",
        "my ",
        r"(?:my|our) (?P<t>dog|cat|puppy|kitten|rabbit|hamster|parrot|horse|tortoise)(?:'s name)?(?: is called"
        r"| is named|'s called| is|,)? (?P<v>[A-Z].*)",
        capital_name,
        "{t} called {v}",
    ),
    unsay(
        "Pets",
        " ",
        r"(?:my|our) (?P<v>(?:dog|cat|puppy|kitten|rabbit|hamster|parrot|horse"
        r"|tortoise)(?: [A-Z]\w+)?)(?: \w+)? (?:died|passed away|ran away)",
    ),
    unsay("Pets", "lost", r"(?:I|we) lost (?:my|our) (?P<v>(?:dog|cat|rabbit|hamster|parrot|horse)(?: [A-Z]\w+)?)$"),
    unsay("Pets", " ", r"(?:I|we) (?:don't|no longer) have (?:a |an |any |my |our )?(?P<v>.+)", pet),
)
