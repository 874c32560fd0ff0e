"""What people type when they do not write whole sentences, as the sentences that rules are written for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_memory_integrations.learning.facts import Fact
from ai_memory_integrations.learning.values import occupation
from ai_memory_integrations.learning.words import GIVEN_NAMES, NOT_NAMES, word_set

_VERBS = word_set("is was has will can does did says wants likes loves hates and or prof dr mr mrs ms")
_ROLE = (
    r"(?:wife|husband|partner|spouse|girlfriend|boyfriend|fianc[ée]e?|hubby|gf|bf|son|daughter|brother|sister"
    r"|bro|sis|cousin|grandson|granddaughter|boss|manager|editor|coach|teacher|therapist|landlord|advis[oe]r|trainer|supervisor"
    r"|tutor|mentor|business partner|best friend|maid of honou?r|best man|friend|roommate|flatmate|housemate|colleague"
    r"|co-?worker|neighbou?r|labmate|teammate|bandmate|aunt|uncle|niece|nephew)"
)
_RELATED = re.compile(
    rf"\b(?:my|our) (?:new |older |younger |big |little |best |eldest |youngest |oldest |twin )?({_ROLE}),? "
    r"((?-i:(?:Mrs?|Ms|Dr|Prof)\.? [A-Z][\w'-]+|[A-Z][\w-]+(?: (?!I\b)[A-Z][\w-]+)?)|[a-z]+)\b",
    re.I,
)
_PAST_ROLE = re.compile(
    r"\b(?:broke up|split|divorc\w*|ex|former|used to|late|died|passed away|quit|fired|no longer|no more|anymore|dumped"
    r"|imaginary|wish|dear)\b",
    re.I,
)


def people(sentence: str) -> Iterator[str]:
    """ "My wife Anna" wherever it stands in a sentence: that she is one holds whatever is said of her."""
    if _PAST_ROLE.search(sentence):
        return
    for role, named in _RELATED.findall(sentence):
        name = named.removesuffix("'s")
        if name in GIVEN_NAMES or (name[0].isupper() and name.casefold() not in NOT_NAMES | _VERBS):
            yield f"my {role.lower()} {name[0].upper()}{name[1:]}"


def completed(sentence: str) -> list[str]:
    """The sentences that a fragment stands for; the sentence itself when it is none."""
    for pattern, forms in _FORMS:
        found = pattern.match(sentence)
        if found:
            return [form.format(*found.groups(default="")) + sentence[found.end() :] for form in forms]
    here = _HERE.match(sentence)
    if here:
        # In lower case what is no listed name is none: "Typo here".
        who = here[1] if here[1].casefold() in GIVEN_NAMES else here[1].lower()
        return [f"I'm {who}", f"I'm a {who}"]
    introduced = _INTRODUCED.match(sentence)
    if introduced and introduced[1].casefold() in GIVEN_NAMES:
        return [f"I'm {introduced[1]}"]
    return _job(sentence) or [sentence]


_HERE = re.compile(r"(?!(?:I|we|my|our)\b)((?:[\w-]+ ){0,4}[\w-]+) here\b(?=\s*(?:$|[,.!;-]))", re.I)
_INTRODUCED = re.compile(r"(?:it's|this is) ([A-Z]\w+)(?=\s*(?:$|[,.!]|here\b|from\b|again\b))", re.I)
_ON_GOING = (
    r"(?:allergic to|based in|married to|diabetic|lactose intolerant|training for|working (?:at|as|for)|living in"
    r"|studying|learning|saving (?:up )?for|moving to|planning (?:to|a))\b"
)
_IS_SUBJECT = r"(?!.*\b(?:is|are|was|were|makes?|can|seems?|feels?|sounds?|takes?|means|gets|has|would|should)\b)"
_DONE = r"(?:moved|got|bought|adopted|started|quit|turned|became|joined|retired|left|sold|switched|changed)"
_FORMS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.I), forms)
    for pattern, forms in (
        (
            r"(\d\d)(?: ?(?:yo|y/o|years old|f|m))?, (?=(?:from|living in|based in|married|single)\b)",
            ("I'm {0}, I'm ",),
        ),
        (
            r"(?:not an? ([\w-]+) anymore|(?!I\b|we\b|you\b)([\w-]+) no longer|no longer an? ([\w-]+))\b",
            ("I'm no longer {0}{1}{2}",),
        ),
        (rf"({_ON_GOING}){_IS_SUBJECT}", ("I'm {0}",)),
        (rf"(?:just|i've just|also) ({_DONE})\b", ("I {0}",)),
        (rf"({_DONE})(?= my\b)", ("I {0}",)),
    )
)
_JOB = re.compile(r"(?:an? )?((?:[\w-]+ ){0,2}[\w-]+) ((?:at|in|from|for) (?:the )?(?-i:[A-Z]).*)", re.I)
_SEEKS = word_set(
    "need needs want wanted find any best good the my your our recommend looking cheap no some every is was"
)


def _job(sentence: str) -> list[str]:
    """ "Nurse at St Mary's, nights": a job and a place, and no verb."""
    found = _JOB.fullmatch(sentence) if len(sentence.split()) <= 9 else None
    if found is None or _VERB.search(sentence) or _SEEKS & set(found[1].casefold().split()):
        return []
    return [f"I'm a {found[1]} {found[2]}"] if occupation(found[1]) else []


_VERB = re.compile(
    r"\b(?:is|are|was|were|said|says|told|has|had|will|wants?|needed|needs|can|did|does|got|I|my)\b", re.I
)

_WHAT = r"[^.,;!?:()\n|]{1,40}?"
_NOW = r"(?:it'?s|it is|it was|i meant|i mean|that's|make (?:that|it)|should be|the \w+ (?:says|said|is called|is))"
_END = r"(?=[.,;!?:()\n|]|$| (?:if|since|because|but|and|last|this|in|now|on)\b)"
_CORRECTIONS = (
    re.compile(
        rf"\bI (?:said|wrote|told you|gave you|typed) (?:it was |it's |that |I'm |I am |I have )?(?P<old>{_WHAT})"
        r"(?: (?:before|earlier|yesterday|in \w+|last \w+))?\s*[,.;-]?\s+(?:but |and |sorry,? |no,? |actually,? )*"
        rf"{_NOW} (?:actually |really |now |called )?(?P<new>{_WHAT}){_END}",
        re.I,
    ),
    re.compile(
        r"\b(?:it'?s|it is|I meant|make (?:that|it)|should be) (?:actually |really )?"
        rf"(?P<new>{_WHAT}),? not (?P<old>{_WHAT}){_END}",
        re.I,
    ),
    re.compile(
        rf"\b(?:switched|changed|moved|went) (?:\w+ )?from (?P<old>{_WHAT}) to (?P<new>{_WHAT}){_END}",
        re.I,
    ),
)
_ARTICLE = re.compile(r"(?:an?|the|in|at|my|that|on)\s+", re.I)
_POINTS = word_set(
    "so this that it you he she they there here what how because if when not going just really true me i"
)


def corrections(text: str) -> Iterator[Fact]:
    """What is put right by naming both: "I said Volvo but it's a DAF", "it's Rome, not Paris"."""
    for pattern in _CORRECTIONS:
        for found in pattern.finditer(text):
            old, new = (_ARTICLE.sub("", found[name].strip(), count=1) for name in ("old", "new"))
            listed = new.casefold().split()
            if old and listed and len(listed) <= 4 and not _POINTS & {*listed, *old.casefold().split()}:
                yield Fact("", new, instead_of=old)
