"""Short answers to the assistant's questions, as the sentences they stand for: "Porto" after "Where do you live?".

A table of questions says what an answer completes. Add a line to teach the learner another question; the sentence it
makes is read by the rules like any other, so that an answer that does not fit teaches nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_IT_IS = re.compile(
    r"(?:(?:well|oh|um+|uh|hm+|sure|so|just|it's|it is|its|that's|that would be|that'd be|he's called"
    r"|she's called|they're called|in|at|on|near)[, ]+)+",
    re.I,
)
_YES = re.compile(
    r"(?:yes|yeah|yep|yup|yea|sure do|sure|of course|indeed|definitely|absolutely|correct|right|exactly|i do|i am|i'm"
    r"|we do|i have|very much|totally|guilty|love (?:it|them)|i love (?:it|them))\b(?! please| but| if)[,.!; ]*",
    re.I,
)
_NO = re.compile(
    r"(?:no|nope|nah|not (?:really|at all|anymore|any more|me)|never|i don'?t|i'm not|hate (?:it|them)"
    r"|can'?t stand (?:it|them))\b[,.!; ]*",
    re.I,
)
_NO_ANSWER = re.compile(
    r"(?:none|nothing|nobody|nowhere|no|nope|nah|not|never|why|what|who|how|when|where|i\b|i'm|i've|my|we|guess|idk"
    r"|dunno|depends|somewhere|everywhere|anywhere|anything|whatever|either|neither|both|secret|private|sorry|thanks"
    r"|ok|okay|yes|yeah|yep|maybe|probably|perhaps|hm+|you|it|that|this|there|here|the (?:same|usual|one)|same|good"
    r"|fine|can|could|please|let|if|skip|next|call|say)\b",
    re.I,
)
_END = re.compile(r"(?<=[^\W\d_][^\W\d_])[.!](?:\s|$)|\n|\s+-\s+|;")

_PET = r"(?:dog|cat|puppy|kitten|rabbit|hamster|parrot|horse|pet)"
_ROLE = (
    r"(?:wife|husband|partner|girlfriend|boyfriend|fiancée?|son|daughter|brother|sister|mother|father|mum|mom|dad|boss"
    r"|manager|best friend|doctor|dentist|vet|therapist|teacher|coach|flatmate|roommate)"
)


@dataclass(frozen=True)
class Asked:
    """A question as it begins, in one of several ways, and the sentence that an answer makes of it.

    The sentence has `{}` for the answer and `{t}` for what a pattern named `t` captured.
    """

    sentence: str
    ways: tuple[re.Pattern[str], ...]

    def completed(self, question: str, answer: str) -> str:
        """The sentence that *answer* makes of *question*, "" when that is another question."""
        found = next((found for way in self.ways if (found := way.match(question))), None)
        return self.sentence.format(answer, **found.groupdict(default="")) if found else ""


def _asked(sentence: str, *ways: str) -> Asked:
    return Asked(sentence, tuple(re.compile(way, re.I) for way in ways))


OPEN: tuple[Asked, ...] = (
    _asked(
        "I live in {}",
        r"where (?:do|are) you (?:\w+ )?(?:live|living|based|located)$",
        r"(?:what|which) (?:city|town|country|part of \w+) (?:do|are) you (?:\w+ )?(?:live|living|based"
        r"|located)(?: in)?$",
        r"where(?:'s| is) home\b",
    ),
    _asked("I'm from {}", r"where are you (?:\w+ )?from\b", r"where do you (?:\w+ )?come from\b"),
    _asked("I grew up in {}", r"where did you grow up\b"),
    _asked("I work at {}", r"(?:where|who|which company) (?:do|are) you (?:\w+ )?work(?:ing)?(?: for| at)?$"),
    _asked(
        "my job is {}",
        r"what do you do(?: for (?:a living|work)| professionally)?$",
        r"what (?:kind|sort|line) of work .*you.*$",
        r"what(?:'s| is) your (?:job|profession|occupation|line of work)\b",
    ),
    _asked(
        "my name is {}",
        r"what(?:'s| is) your (?:first |full )?name$",
        r"(?:may|can) i (?:ask|know|have) your (?:first |full )?name$",
        r"who am i (?:talking|speaking|chatting) (?:to|with)\b",
    ),
    _asked(
        "call me {}",
        r"(?:what|how) (?:should|shall|can|may|do|would) (?:i|you) (?:call you|address you|go by|like to be called)\b",
        r"what (?:do|would) you (?:like me to call you|want me to call you|prefer to be called)\b",
    ),
    _asked("I'm {}", r"how old are you\b", r"what(?:'s| is) your age\b"),
    _asked(
        "my birthday is {}",
        r"when(?:'s| is) your birthday\b",
        r"when were you born\b",
        r"what(?:'s| is) your (?:birthday|date of birth)\b",
    ),
    _asked(
        "I'm allergic to {}",
        r"(?:do you have |have you got |got )?any (?:food )?allergies\b",
        r"(?:what )?are you allergic to(?: anything)?$",
        r"what are your allergies\b",
    ),
    _asked("I'm {}", r"(?:do you (?:have|follow) |have you got |are there )?any (?:dietary|diet|food) \w+\b"),
    _asked("I have {} kids", r"(?:do you have|have you got|got) (?:any )?(?:kids|children)\b"),
    _asked("I have {}", r"(?:do you have|have you got|got) (?:any |a )?(?:kids|children|pets?|animals?)\b"),
    _asked("I have {} {t}", r"how many (?P<t>kids|children|dogs|cats|siblings|brothers|sisters) (?:do|have) you\b"),
    _asked("I speak {}", r"(?:what|which)(?: other)? languages? do you (?:\w+ )?speak\b"),
    _asked("my native language is {}", r"what(?:'s| is) your (?:native|first) (?:language|tongue)\b"),
    _asked("I study {}", r"what (?:are|do|did) you (?:\w+ )?stud(?:y|ying)\b", r"what(?:'s| is) your major\b"),
    _asked("I go to {}", r"(?:which|what) (?:university|college|school) do you (?:go to|attend)\b"),
    _asked("I play {}", r"(?:what|which) (?:instruments?|sports?|games?) do you play\b", r"what do you play\b"),
    _asked("my favourite {t} is {}", r"(?:what|which|who)(?:'s| is| are) your favou?rite (?P<t>[a-z]+(?: [a-z]+)?)$"),
    _asked(
        "my {t} is called {}",
        rf"what(?:'s| is) your (?P<t>{_PET})(?:'s name| called)\b",
        rf"what(?:'s| is) the name of your (?P<t>{_PET}|{_ROLE})\b",
        rf"what do you call your (?P<t>{_PET})\b",
        rf"(?:what|who)(?:'s| is) your (?P<t>{_ROLE})(?:'s name| called)?$",
    ),
    _asked("I drive {}", r"what (?:kind of |sort of )?car do you (?:drive|have|own)\b", r"what do you drive\b"),
    _asked("I'm going to {t} {}", r"when (?:do|are|will) you (?P<t>(?:fly|travel|go|move|visit)(?: (?!for)\w+){1,4})$"),
    _asked(
        "my hobbies are {}",
        r"what are your hobbies\b",
        r"what do you (?:like to )?do (?:for fun"
        r"|in your \w+ time)\b",
    ),
    _asked("my time zone is {}", r"(?:what|which) time ?zone are you\b", r"what(?:'s| is) your time ?zone\b"),
    _asked("my pronouns are {}", r"what are your pronouns\b", r"which pronouns do you use\b"),
    _asked("I {t} {}", r"do you (?P<t>live in|live near|work at|work for|prefer|speak|play|like|love) [^,]+ or .+"),
)

# A question to be answered by yes or no, and what each of them says.
CLOSED: tuple[tuple[Asked, Asked], ...] = tuple(
    (_asked(yes, way), _asked(no, way))
    for way, yes, no in (
        (r"(?:so )?are you (?:still |also )?(?P<t>(?!sure|ready|ok|there)[^,]{3,40})$", "I'm {t}", "I'm not {t}"),
        (
            (
                r"do you (?:still |also |really )?(?P<t>(?:live|work|like|love|enjoy|play|speak|drive|smoke|eat"
                r"|drink|have"
                r"|own|use|study|prefer|collect|swim)(?: [^,]{2,40})?)$"
            ),
            "I {t}",
            "I don't {t}",
        ),
        (r"is your (?P<t>[a-z]+(?: [a-z]+)?) (?P<u>[A-Z]\w+)$", "my {t} is {u}", "my {t} isn't {u}"),
    )
)

_LISTS = frozenset({"I speak {}", "I'm allergic to {}", "my hobbies are {}", "I play {}"})  # their answers may be lists
_DATED = "I'm going to {t} {}"
_COUNTED = "I have {} kids"


def question_of(text: str) -> str:
    """The last question of an assistant's message, without what leads to it; "" when it does not end with one."""
    if "?" not in text:
        return ""
    head, _, rest = text[-600:].rpartition("?")
    if len(rest.split()) > 12:
        return ""
    asked = re.split(r"[.!?\n:]\s*", head)[-1].strip().replace("\u2019", "'")
    return _LEAD.sub("", _TRAIL.sub("", asked), count=1)


_LEAD = re.compile(
    r"(?:(?:and|so|but|oh|ok|okay|great|nice|cool|by the way|btw|also|first|just (?:curious|checking)|out of curiosity"
    r"|if i may ask|may i ask|can i ask|could you tell me|tell me|one question|quick question|remind me)\b[, -]*)+",
    re.I,
)
_TRAIL = re.compile(
    r",? (?:if (?:i may ask|you don't mind(?: me asking)?|i can ask)|by the way|again|then|these days|now|currently"
    r"|exactly|right now|at the moment|(?:that )?i should know(?: about| of)?|, \w+)$",
    re.I,
)


def answered(question: str, text: str) -> str:
    """The sentence that the beginning of *text* stands for as an answer, "" when it is none."""
    beginning = _END.split(text.strip(), maxsplit=1)[0].strip()
    if not beginning or "?" in beginning or len(beginning) > 120:
        return ""
    return _completed(question, beginning) or _plain(question, beginning)


def _plain(question: str, answer: str) -> str:
    yes = _YES.match(answer)
    if " or " in question or not (yes or _NO.match(answer)):
        return ""
    said = (affirmed if yes else denied for affirmed, denied in CLOSED)
    return next((sentence for asked in said if (sentence := asked.completed(question, ""))), "")


def _completed(question: str, answer: str) -> str:
    said = _YES.sub("", answer, count=1)
    rest = _IT_IS.sub("", said, count=1)
    if not rest or _NO_ANSWER.match(rest):
        return ""
    for asked in OPEN:
        fitting = _fitting(asked.sentence, rest, said)
        if fitting and (sentence := asked.completed(question, fitting)):
            return sentence
    return ""


def _fitting(sentence: str, answer: str, said: str) -> str:
    """An answer in the form in which a sentence takes it, "" when it takes another kind."""
    if sentence in _LISTS and " and " not in answer:
        return " and ".join(answer.rsplit(", ", 1))
    if sentence == _DATED:  # a day keeps its "on"
        return f"{said[0].lower()}{said[1:]}"
    if sentence == _COUNTED:  # "Two, a boy and a girl"
        number = answer.partition(",")[0]
        return number if " " not in number else ""
    return answer
