"""What people type when they do not write whole sentences, as the sentences that rules are written for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ai_memory_integrations.learning.facts import Fact
from ai_memory_integrations.learning.values.work import occupation
from ai_memory_integrations.learning.words import AILMENTS, GIVEN_NAMES, MAKES, NOT_NAMES, word_set

_ANY_AILMENT = "|".join(sorted((re.escape(each) for each in AILMENTS - {"add", "depression"}), key=len, reverse=True))
_MAKES = "|".join(sorted(map(re.escape, MAKES)))
_CHILD = r"[A-Z]\w+(?: \(\d{1,2}\)|,? (?:aged )?\d{1,2})?"
_EACH_CHILD = re.compile(r"([A-Z]\w+)(?:[ ,(]+(?:aged )?(\d{1,2})\)?)?")
_OWN = re.compile(r"\b(?:my|our|we have|I have|we've|I've)\b", re.I)
_VERBS = word_set("is was has will can does did says wants likes loves hates and or prof dr mr mrs ms")
_ROLE = (
    r"(?:wife|husband|partner|spouse|girlfriend|boyfriend|fianc[ée]e?|hubby|gf|bf|son|daughter|brother|sister"
    r"|bro|sis|cousin|grandson|granddaughter|boss|manager|editor|coach|teacher|therapist|landlord|advis[oe]r|trainer|supervisor"
    r"|tutor|mentor|business partner|best friend|maid of honou?r|best man|friend|roommate|flatmate|housemate|colleague"
    r"|co-?worker|neighbou?r|labmate|teammate|bandmate|aunt|uncle|niece|nephew)"
)
_RELATED = re.compile(
    rf"\b(?:my|our) (?:new |older |younger |big |little |eldest |youngest |oldest |twin )?({_ROLE}),? "
    r"((?-i:(?:Mrs?|Ms|Dr|Prof)\.? [A-Z][\w'-]+|[A-Z][\w-]+(?: (?!I\b)[A-Z][\w-]+)?)|[a-z]+)\b",
    re.I,
)
_PAST_ROLE = re.compile(
    r"\b(?:broke up|split|divorc\w*|ex|former|used to|late|died|passed away|quit|fired|no longer|no more|anymore|dumped"
    r"|imaginary|wish|dear)\b",
    re.I,
)


_TITLED = re.compile(
    r"(?<!\bthe )(?<!\ban )(?<!\ba )\b((?i:coach|aunt|auntie|uncle)) (?!Sam\b|Bob\b"
    r"|Ben\b)([A-Z][a-z]+)(?=\s+[a-z]|[,.!]|$)"
)
_BY_TRADE = re.compile(
    r"(?:^|[.,!] )[Tt]he (vet|doctor|dentist|midwife|landlord|plumber|gardener|mason|tutor|coach), ([A-Z]\w+),"
)
_AT_THE_END = re.compile(rf"^(?:my|our) ({_ROLE})(?:'s| is| was)? [^,]*, ((?-i:[A-Z])[a-z]+)$", re.I)
_SMALL_NAME = re.compile(
    rf"\bmy (?:new |older |younger |big |little )?({_ROLE}),? ((?:(?:ms|mrs|mr|dr|prof)\.? )?[a-z]+) (?:is|was"
    rf"|has|had|hates|loves|likes"
    r"|says|said|and i|got|plays|works|lives|wants|never|always|keeps|will|came|went|thinks)\b",
    re.I,
)
_NO_SMALL_NAME = word_set("""
just also really always never still who that she he they there only ever now then and or but is was has had who's which
already even actually probably definitely usually often sometimes once finally recently currently literally totally
kinda both all either in at on for from with of here today yesterday basically obviously apparently lol thing stuff
being
""")


def people(sentence: str) -> Iterator[str]:
    """ "My wife Anna" wherever it stands in a sentence: that she is one holds whatever is said of her."""
    folded = sentence.lower()
    if not any(cue in folded for cue in ("my ", "our ", "the ", "aunt", "uncle", "coach")) or _PAST_ROLE.search(
        sentence
    ):
        return
    for title, name in _TITLED.findall(sentence):
        yield f"my {'aunt' if title.lower() == 'auntie' else title.lower()} {name}"
    for role, name in _BY_TRADE.findall(sentence):
        yield f"my {role} {name}"
    at_the_end = _AT_THE_END.match(sentence.rstrip(".! "))
    if at_the_end and at_the_end[2].casefold() not in NOT_NAMES:
        yield f"my {at_the_end[1].lower()} {at_the_end[2]}"
    if sentence == folded:  # typed without any capitals
        for role, named in _SMALL_NAME.findall(sentence):
            if named.split()[-1] not in _NO_SMALL_NAME | NOT_NAMES and named not in GIVEN_NAMES:
                yield f"my {role} {named.title()}"
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
    if introduced and (introduced[1].casefold() in GIVEN_NAMES or introduced[2]):
        return [f"I'm {introduced[1]}"]
    return _job(sentence) or [sentence]


_MINE = re.compile(
    rf"(?<!not )(?<!isn't )\bmy (?:own |bad |severe |chronic |bloody |stupid "
    rf"|damn )?({_ANY_AILMENT})\b(?! (?:friend|medication"
    r"|was|went|is gone|is cured|disappeared|free|paper|study|test|essay|class|project))",
    re.I,
)
_MAKE = re.compile(
    rf"\b[Mm]y (?:(?:new|old|trusty|beloved|little|red|blue|black|white|grey|green|\d{{4}}) )*(?=(?:{_MAKES})\b)"
    r"((?:[A-Z0-9][\w-]*)(?: (?:[A-Z0-9][\w-]*))*)(?!'s (?!not|been|got))"
)
_BEING = re.compile(
    r"^(?:(?:speaking )?as|being) (an? (?:[\w-]+ ){0,3}?[\w-]+?)(?=,| (?:I|my|we|in|with|at|of|who|for|is|isn't"
    r"|from)\b)",
    re.I,
)
_HERE_IN = re.compile(
    r"\b(?:here in|home is(?: now)?(?: in)?|back home in) ((?-i:[A-Z])[\w'-]+(?: (?-i:[A-Z])[\w'-]+){0,2})"
    r"(?!.*\b(?:for an?|visiting|on holiday|vacation|trip|this week|until|conference)\b)",
    re.I,
)
_KIDS = re.compile(
    r"\b(?:[Mm]y|[Oo]ur) (?:(?:two|three|four|five|little|older|younger|grown-up) )*(?:kids|children|twins|sons"
    r"|daughters|boys|girls)"
    r"(?: are| are called| are named|,)? "
    rf"(?=[A-Z]\w+,? (?:\(|and |[A-Z]))({_CHILD}(?:(?:, and |, | and | & ){_CHILD})+)"
)
_TWINS = re.compile(
    rf"\b(?:twins|(?:step)?kids|boys|girls|children|sons|daughters)(?:, | called | named |: )({_CHILD}(?:(?:, and |, "
    rf"| and | & ){_CHILD})+)"
)
_OUR_PETS = re.compile(
    r"\b(?:[Mm]y|[Oo]ur) ((?:(?:two|three|four) )?(?:dogs|cats|puppies|kittens|rabbits|horses|parrots|hens)),? "
    r"([A-Z]\w+(?:, [A-Z]\w+)*,? and [A-Z]\w+)"
)
_GONE = re.compile(r"\b(?:used to|former|ex|late|died|passed away|anymore|no longer|gone|sold)\b", re.I)


_CUES = ("my ", "our ", "here in", "home", "as a", "being a", "twins", "kids", "children", "boys", "girls")


def presupposed(sentence: str) -> Iterator[str]:
    """What a sentence takes for granted of its author, whatever it says: "my asthma", "as a nurse", "here in Porto"."""
    folded = sentence.lower()
    if not any(cue in folded for cue in _CUES) or _GONE.search(sentence):
        return
    if "my " in folded:
        for ailment in _MINE.findall(sentence):
            yield f"I have {ailment}"
        for make in _MAKE.findall(sentence):
            yield f"I own a {make}"
    being = _BEING.match(sentence)
    if being:
        yield f"I'm {being[1]}"
    for where in _HERE_IN.findall(sentence) if "here in" in folded or "home" in folded else ():
        yield f"I live in {where}"
    for listed in _KIDS.findall(sentence) + (_TWINS.findall(sentence) if _OWN.search(sentence) else []):
        for name, age in _EACH_CHILD.findall(listed):
            yield f"my child {name}" + (f", {age}" if age else "")
    for animals, named in _OUR_PETS.findall(sentence):
        yield f"we have {animals if ' ' in animals else f'some {animals}'} called {named}"


_HERE = re.compile(r"(?!(?:I|we|my|our)\b)((?:[\w-]+ ){0,4}[\w-]+) here\b(?=\s*(?:$|[,.!;-]))", re.I)
_INTRODUCED = re.compile(
    r"(?:it's|this is) ([A-Z]\w+)(?:(?=\s*(?:$|[.!]|here\b|from\b|again\b))|,? (short for \w+"
    r"|by the way, short for \w+)|(?=,))",
    re.I,
)
_ON_GOING = (
    r"(?:allergic to|based in|married to|diabetic|lactose intolerant|training for|working (?:at|as|for)|living in"
    r"|studying|learning|saving (?:up )?for|moving to|planning (?:to|a)|turning \d|retired|self-employed|flying to)\b"
)
_LASTING = (
    r"(?:vegan|vegetarian|pescatarian|gluten-free|coeliac|celiac|diabetic|married|sober|retired|engaged|divorced)"
)
_COUNT = r"(?:two|three|four|five|six|\d)"
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
            r"(?:not (?:an? )?([\w-]+) anymore|(?!I\b|we\b|you\b)([\w-]+) no longer|no longer an? ([\w-]+))\b",
            ("I'm no longer {0}{1}{2}",),
        ),
        (rf"({_ON_GOING}){_IS_SUBJECT}", ("I'm {0}",)),
        (rf"({_LASTING})(?= (?:for|since|now|\d)\b|, (?:\w+ ){{1,3}}(?:kids|children|years)\b)", ("I'm {0}",)),
        (r"been (?=(?:living|working|playing|learning|studying|vegan|vegetarian|married)\b)", ("I've been ",)),
        (r"(?:was )?(born (?:and raised )?(?:in|on)|raised in|grew up (?:in|speaking))\b", ("I was {0}",)),
        (r"(live in (?=[A-Z])|work (?:at|for) (?=[A-Z])|moved (?:back |over |house )?(?:from|to) )", ("I {0}",)),
        (
            (
                r"((?:love|hate|adore|can't (?:eat|have|drink|stand)|don't (?:eat|drink|smoke|drive|like)|no longer)) "
                r"(?!it\b|that\b|this\b|these\b|you\b|your\b|how\b|when\b|them\b|up\b|straight\b|the (?:second"
                r"|first|idea)\b)"
            ),
            ("I {0} ",),
        ),
        (r"no ([^,.]+) for me\b", ("I avoid {0}",)),
        (r"off to (?=[A-Z])", ("I'm off to ",)),
        (rf"({_COUNT} (?:kids|children|sons|daughters|boys|girls|dogs|cats))(?=,|\.|$)", ("I have {0}",)),
        (
            r"(?:me and (my .+?)|(my \w+(?: [A-Z]\w+)?) and me) (?=(?:live|have|work|are|got|moved)\b)",
            ("{0}{1} and I ",),
        ),
        (rf"(?:just|i've just|also) ({_DONE})\b", ("I {0}",)),
        (rf"({_DONE})(?= (?:my|our|the)\b)", ("I {0}",)),
        (r"(got|bought|adopted) (?=an? (?!call|error|text|message|mail|email|reply)\w)", ("I {0} ",)),
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
        rf"\b(?:no longer|don't|not)(?: \w+){{1,4}} (?P<old>(?-i:[A-Z])\w+)(?: anymore)?,? (?:but |and "
        rf"|now )?(?:it's|that's)"
        rf" (?:now )?(?P<new>(?-i:[A-Z]){_WHAT}){_END}",
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


_MENDING = re.compile(
    r"(?:^|[.!]\s+)(?:(?:oh|oops|ah|ugh|sorry|wait|no|nope|actually|correction|whoops|typo|hm+|my bad"
    r"|scratch that)[,.:!]*\s+)*"
    r"(?:\*|(?P<sure>make (?:that|it)|i mean[t]?|should be|that should be|i should have said|it's actually"
    r"|actually,?|sorry,?"
    r"|oops,?|wait,?|correction:?))\s*(?:it's |it is |make (?:that|it) |that's )?(?:on |at |in |called )?"
    rf"(?P<new>(?:the )?{_WHAT})(?: i mean| rather| instead| actually)?{_END}",
    re.I,
)
_KINDS_OF_WORD = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?",
        (
            r"(?:\d{1,2}(?:st|nd|rd|th)? (?:of )?)?(?:january|february|march|april|may|june|july|august"
            r"|september|october"
            r"|november|december)(?: \d{1,2}(?:st|nd|rd|th)?)?"
        ),
        r"\d{1,2}(?::\d\d)? ?(?:am|pm)|\d{1,2}:\d\d",
        r"\d{1,2}(?:st|nd|rd|th)",
        r"\d+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve",
    )
)
_NAMED = frozenset({"Name", "Prefers to be called", "Lives in", "Works at", "From", "School", "Born in"})


def is_mending(text: str) -> bool:
    """Whether a message begins by putting right what was said before it: "actually, make that Tuesday"."""
    return _MENDING.match(text[:200]) is not None


def mend(text: str, said: Iterable[Fact]) -> Iterator[Fact]:
    """What is put right without naming what was wrong: the one fact of *said* that holds such a word.

    "make that three" changes the number, "sorry, Porto" the name of a place; with several to choose from, none.
    """
    found = _MENDING.match(text[:200])
    if found is None:
        return
    new = _ARTICLE.sub("", found["new"].strip(), count=1)
    facts = [fact for fact in said if not fact.retract and fact.label]
    changed = [(fact, value) for fact in facts if (value := _with(fact, new)) and value != fact.value]
    if len(changed) == 1:
        fact, value = changed[0]
        yield Fact(fact.label, fact.value, retract=True)
        yield Fact(fact.label, value)


def _with(fact: Fact, new: str) -> str:
    for kind in _KINDS_OF_WORD:
        if kind.fullmatch(new):
            old = re.findall(rf"\b(?:{kind.pattern})\b", fact.value, re.I)
            return re.sub(rf"\b{re.escape(old[0])}\b", lambda _: new, fact.value, count=1) if len(old) == 1 else ""
    is_name = new[:1].isupper() and len(new.split()) <= 2 and new.casefold() not in NOT_NAMES
    return new if is_name and fact.label in _NAMED else ""
