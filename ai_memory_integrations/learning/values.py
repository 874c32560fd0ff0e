"""What a rule captured, cut to the value it means and checked; "" refuses it.

A rule captures the rest of the clause. Here it ends where the next thought begins, and is dropped when it points at
something outside itself ("it", "your answer") or is longer than a fact should be.
"""

from __future__ import annotations

import re
from itertools import pairwise

from ai_memory_integrations.learning.words import (
    AIDS,
    AILMENTS,
    BUSINESSES,
    COLLECTIBLES,
    COMPANIES,
    CONDITIONS,
    DIETS,
    DWELLINGS,
    FOODS,
    GAMES,
    GIVEN_NAMES,
    INSTRUMENTS,
    LANGUAGES,
    MEDICINES,
    NATIONALITIES,
    NOT_NAMES,
    OCCUPATIONS,
    ORGANISATIONS,
    PETS,
    PLACES,
    POSSESSIONS,
    PROGRAMMING,
    PROJECTS,
    STATUSES,
    TOOLS,
    word_set,
)

LONGEST = 80

_END = re.compile(
    r"\s*[;()\[\]{}<>|\"*_~!?…=]|\s*(?<!\bSt)(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)[.:](?=\s|$)|\s+-+\s+"
    r"|\s*[\u2190-\u2bff\U0001f000-\U0001faff]|\s+(?:because|since|but|so|although|though|whereas|while|which|who"
    r"|whose|where|when|whenever|if|unless|until|as|cause|cuz|lol|haha|btw|by the way|please|thanks|thank you|too"
    r"|anyway|right now|now|at the moment|currently|these days|nowadays|actually|really|a lot|very much|so much"
    r"|more than anything|the most|honestly|tbh|to be honest|in case|fyi|anymore|either|at all|again|lately"
    r"|recently|originally|is|are|was|have|has|you know|I guess|I'm|I've|my friend|everyone)(?![\w'-])|\s+(?:and"
    r"|or)\s+(?:I|I'm|I've|my|we|it|it's|they|he|she|that|you|the other|this|there|then|now|want|would|need|can"
    r"|just|mostly|never|always|so|a bit|got|going)\b",
    re.I,
)
_COMMA = re.compile(r"\s*,")
_POINTS_OUTSIDE = re.compile(
    r"\b(?:you|your|yours|you're|you'd|this(?! (?:year|month|summer|winter|spring|autumn|fall|season|christmas"
    r"|easter)\b)|that|these|those|it|its|it's|he|him|his|she|her|hers|they|them|their"
    r"|there|here|me)\b|^(?:the (?:way|idea|fact|answer|first|second|third|last|latter|former|next|other|one|same"
    r"|sound of (?:that|this)|question|suggestion|result|code|design|option|version|name|look|new|old)|how|what"
    r"|when|where|why|one|ones|both|option|number|plan [a-z]|version|all|some|something|someone|anything|anyone"
    r"|everything|everyone|nothing|nobody|another|each|such|more|less|to (?:think|say|believe|imagine|know|pretend"
    r"|see|hear|admit|be|ask|break|disappoint|interrupt|bother|complain|brag|boast)|being (?:called|told|asked)"
    r"|not)\b",
    re.I,
)


_NARROWS = re.compile(
    r"\s+(?:who|whose|which|where|when|whenever|while|if|unless|until|as|are|is|was|has"
    r"|have)",
    re.I,
)


def cut(text: str, *, commas: bool = False, narrowed: bool = False) -> str:
    """The text up to where the next thought begins.

    With *narrowed* what narrows the value down belongs to it: "people who chew loudly" are not people.
    """
    end = _END.search(text)
    while narrowed and end and _NARROWS.fullmatch(end[0]):
        end = _END.search(text, end.end())
    text = text[: end.start()] if end else text
    if not commas:
        comma = _COMMA.search(text)
        text = text[: comma.start()] if comma else text
    return text.strip(" ,.-'/&").removesuffix(" and").strip()


def thing(text: str) -> str:
    """Anything one can like, plan or want: a phrase of at most ten words, or an enumeration of short items."""
    found = _enumeration(cut(text, commas=True, narrowed=True)) or cut(text, narrowed=True)
    is_cut_short = _CUT_SHORT.search(found) and text[len(found) :].startswith(",")
    if not found or is_cut_short or found in ("to", "in"):
        return ""
    if len(found) > LONGEST or len(found.split()) > 10 or _POINTS_OUTSIDE.search(found):
        return ""
    return found if re.search(r"[^\W_]{2}", found) else ""


_CUT_SHORT = re.compile(r"\b(?:an?|the|such|my|our|very|so)\s+[\w-]+$")


def _enumeration(text: str) -> str:
    """`cats, dogs and birds` whole; what follows the first comma of anything else is another thought."""
    if "," not in text:
        return text
    found = _LIST.match(text)
    items = re.split(r",\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+", found[0]) if found else []
    return found[0] if found and all(0 < len(item.split()) <= 3 for item in items) else ""


_LIST = re.compile(r"[^,]{1,40}(?:, (?!and |or )[^,]{1,40}?){0,8},? (?:and|or) [^,]{1,40}")


def loved(text: str) -> str:
    """A thing one likes. With "the" in front it mostly points at something in the conversation."""
    found = re.split(r"\s+as (?:much|many|well) as\b", thing(text), maxsplit=1)[0]
    if re.match(r"the [a-z]", found) and not _KNOWN_THE.match(found):
        return ""
    return "" if re.match(r"(?:my|our)\b", found, re.I) else found


_KNOWN_THE = re.compile(
    r"the (?:sea|beach|outdoors|mountains?|ocean|rain|snow|cold|heat|countryside|theatre|theater|opera|cinema"
    r"|colou?r|smell of|taste of|sound of|forest|city|sun|summer|winter|spring|autumn|gym|night|desert|stars|moon"
    r"|80s|90s|woods|dark)\b"
)


def name(text: str) -> str:
    """A name after "my name is". Without capitals it has to be a listed name or all that is said."""
    words = _name_words(text)
    if not words or words[0].casefold() in _NOT_AFTER_NAME_IS:
        return ""
    found = " ".join(words)
    if found.islower() and words[0] not in GIVEN_NAMES and found != cut(text):
        return ""
    return _capitalised(found)


_NOT_AFTER_NAME_IS = (
    NOT_NAMES - {"christian", "leo", "faithful", "virgo", "jesus", "early", "royal", "god"}
) | word_set("""
    important secret long common unusual irrelevant confidential private spelled spelt pronounced misspelled
    below above mud hidden required mandatory optional written displayed shown unique
""")


def capital_name(text: str) -> str:
    """A name after "I'm": with capitals, and no other word that people capitalise; or a listed given name."""
    words = _name_words(text)
    if not words:
        return ""
    first = words[0]
    if first.islower():
        return _capitalised(first) if first in GIVEN_NAMES and len(words) == 1 else ""
    if not all(word[0].isupper() or word in _PARTICLES for word in words) or (first.isupper() and len(first) > 1):
        return ""
    if words[-1].casefold() in _COMPANY or first.casefold() in _NO_FIRST_NAMES:
        return ""
    return "" if _NO_NAME_ENDING.search(first) and first.casefold() not in _NAMES_THAT_END_SO else " ".join(words)


def person(text: str) -> str:
    """The name of somebody else, also with a title: "Ms Shin"."""
    title = _TITLE.match(text)
    if title is None:
        return capital_name(text)
    words = _name_words(text[title.end() :])
    return f"{title[0].strip()} {words[0]}" if words and words[0][0].isupper() else ""


_TITLE = re.compile(r"(?:Mr|Mrs|Ms|Dr|Prof|Professor|Doctor)\.? (?=\w)")
_NAME = re.compile(r"(?:[^\W\d_][\w'’-]*\.?)(?: [^\W\d_][\w'’-]*\.?){0,4}")
_NAME_END = re.compile(
    r"\s*[,;:()\[\]{}<>|\"*_~!?…=/\u2190-\u2bff\U0001f000-\U0001faff]|\s+-+\s+"
    r"|(?<!\bSt)(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)\.(?=\s|$)|\s+(?:and|but|from|by|btw|so|with|without|these"
    r"|those|spelled|spelt|not|now|here|or|in|on|at|if|when|because|since|for|is|are|was|has|have|had|works?|loves?"
    r"|likes?|lives?|as|too|please|instead|though|actually|who|which|the|a|an|my|I|I'm|lol|haha|again|thanks|will"
    r"|can|would|turned|turns|just|also|died|passed|to|got|says|hates?|needs?|wants?|does|goes|thinks|keeps|did|and"
    r"|doesn't|won't|can't|isn't)(?![\w'-])",
    re.I,
)
_PARTICLES = word_set("""
    de da do dos das del della di du la le van von der den ter al el bin ben y e of
""")
_NO_NAME_ENDING = re.compile(r"(?:ing|ful|less|ous|able|ible|ically|[^aeiou]ly|[^aeo]ed)$")
_NAMES_THAT_END_SO = word_set("""
    ted fred ned jed ed ahmed mohamed mohammed muhammed reed sting sterling ming ping ling xing ying jing
    bing irving emily kelly molly polly sally holly billy beverly kimberly lily carly shelly alfred wilfred
    winifred jared mildred hamed
""")


_NO_FIRST_NAMES = NOT_NAMES | NATIONALITIES | CONDITIONS | STATUSES | DIETS | OCCUPATIONS | LANGUAGES
_COMPANY = word_set("corp inc ltd gmbh llc company bank group plc")


def _name_words(text: str) -> list[str]:
    end = _NAME_END.search(text)
    text = text[: end.start()] if end else text
    found = _NAME.fullmatch(text.strip(" ,-'"))
    words = found[0].rstrip(".").split() if found else []
    return words if len(words) <= 4 and all(len(word) <= 25 for word in words) else []


def _capitalised(text: str) -> str:
    """Capitals for a name that was typed without any."""
    if text != text.lower():
        return text
    words = (word if word in _SMALL_IN_NAMES else "-".join(map(_upper_first, word.split("-"))) for word in text.split())
    return " ".join(words)


def _upper_first(word: str) -> str:
    return word[:1].upper() + word[1:]


_SMALL_IN_NAMES = _PARTICLES | word_set("""
    the of a an in near and
""")


def place(text: str) -> str:
    """Where somebody lives: a name with its region, or a kind of place ("a village near Porto")."""
    found = _place_text(text)
    words = found.split()
    if not words or len(words) > 8 or _POINTS_OUTSIDE.search(found):
        return ""
    if words[0].casefold() in {"a", "an", "the", "my", "our"}:
        listed = any(word.casefold().strip(",") in DWELLINGS for word in words)
        return found if listed or any(word[0].isupper() for word in words[1:]) or _known(found) else ""
    if found[0].isupper():
        return found
    small = found.casefold()
    return _capitalised(found) if len(words) <= 3 and small == found and words[0] not in _NO_PLACES else ""


def known_place(text: str) -> str:
    """A place where the words before it do not say that it is one ("moved to", "from")."""
    found = place(text)
    if not found or found.casefold().split()[0] in _TECHNOLOGY:
        return ""
    typed = _place_text(text)
    return found if typed[0].isupper() or _known(typed) or typed.split()[0] in {"the", "a"} else ""


def _place_text(text: str) -> str:
    text = cut(text, commas=True)
    within = re.match(r"an? [^,]+? in (?=[A-Z])", text)
    start = within.end() if within else 0
    end = _PLACE_END.search(text, start)
    text = text[: end.start()] if end else text
    head, *regions = [part.strip() for part in text.split(",")]
    if regions and regions[0] and regions[0][0].isupper() and len(regions[0].split()) <= 3:
        return f"{head}, {regions[0]}"
    return head


def _known(text: str) -> bool:
    return text.casefold().removeprefix("the ") in PLACES


_PLACE_END = re.compile(
    r"\s+(?:for|with|and|or|to|all|over|last|this|in|on|from|about|not|just|most|during|two|three|a (?:year|month"
    r"|week|few|couple)|\d+ \w+|after|before|until|by|at|alone|yesterday|today|together|full-?time|permanently|next"
    r"|ago|also|yet|only|both|most)\b",
)
_NO_PLACES = word_set("""
    fear denial hope peace harmony darkness poverty sin hiding constant total different multiple many several
    chaos pain hell luxury terror two three four five style squalor exile comfort interesting sales
    management marketing finance
""")
_TECHNOLOGY = word_set("""
    python linux ubuntu debian windows mac macos ios android react vue angular rust go java kotlin typescript
    postgres postgresql mysql aws azure gcp kubernetes docker notion slack chrome firefox safari github
    gitlab vim neovim vscode emacs fastapi django flask svelte next.js spotify netflix discord telegram
    signal whatsapp gmail outlook c c++ c# helix zed sublime fedora nixos
""")


def employer(text: str) -> str:
    """Whom somebody works for."""
    found = _EMPLOYER_END.split(cut(text), maxsplit=1)[0].strip()
    words = found.split()
    if not words or len(words) > 8 or _POINTS_OUTSIDE.search(found) or words[0].casefold() in _NO_EMPLOYER:
        return ""
    if words[0].casefold() in {"a", "an", "the"}:
        listed = any(word.casefold() in ORGANISATIONS or word[0].isupper() for word in words[1:])
        return found if listed or any(pair in ORGANISATIONS for pair in _pairs(found)) else ""
    return found if found[0].isupper() or (found[0].isdigit() and len(words) > 1) or found in COMPANIES else ""


_EMPLOYER_END = re.compile(
    r"\s+(?:as|for \w+ (?:years|months)|for (?:a|the) |and|on|since|from|with|full-?time|part-?time|doing|last"
    r"|this|next|yesterday|today)\b"
)
_NO_EMPLOYER = word_set("""
    home night nights weekends times sea heights all least last present once my our work school myself free
    full fun money food people clients hours days most half double different various two three four five noon
    dawn scale
""")


def occupation(text: str) -> str:
    """A job after "I'm a": its last word is listed."""
    found = _JOB_END.split(cut(text), maxsplit=1)[0].strip()
    found = re.sub(r"^(?:an?|the)\s+", "", found, flags=re.I)
    words = found.split()
    if not words or len(words) > 5 or _POINTS_OUTSIDE.search(found) or words[0].casefold() in _NO_JOB:
        return ""
    last = words[-1].casefold()
    return found if last in OCCUPATIONS or " ".join(words[-2:]).casefold() in OCCUPATIONS else ""


def any_job(text: str) -> str:
    """A job after "I work as": any short phrase."""
    found = re.sub(r"^(?:an?|the)\s+", "", _ANY_JOB_END.split(cut(text), maxsplit=1)[0].strip(), flags=re.I)
    words = found.casefold().split()
    return found if 0 < len(words) <= 5 and words[0] not in _NO_JOB and not _POINTS_OUTSIDE.search(found) else ""


_JOB_END = re.compile(
    r"\s+(?:at|for|in|with|from|by|of|on|and|or|who|specialising|specializing|working|based|living|to|these)\b"
)
_ANY_JOB_END = re.compile(r"\s+(?:at|for|in|with|from|by|on|and|or|who|based|living|to|these|last|this)\b")
_NO_JOB = word_set("""
    great good bad terrible lousy better worse horrible natural born poor slow fast big hard tough well long
    much soon usual expected intended
""")


def workplace(text: str) -> str:
    """The employer in "nurse at St Thomas' Hospital": a guest at a hotel does not work there."""
    job, between, rest = _AT.split(text, maxsplit=1) if _AT.search(text) else ("", "", "")
    return employer(rest) if between and occupation(job) and not job.endswith("student") and rest[0].isupper() else ""


_AT = re.compile(r"\s+(at|for|with|of)\s+(?:the )?(?=\S)")


def workplace_in(text: str) -> str:
    """A place of work with its town: "a hospital in Leeds"."""
    house, _, town = text.partition(" in ")
    where = known_place(town)
    return f"{house} in {where}" if where and employer(house) else ""


def origin(text: str) -> str:
    """Where somebody is from who says their job first: "a nurse from Kharkiv"."""
    job, _, rest = text.partition(" from ")
    return known_place(rest) if occupation(job) else ""


def status(text: str) -> str:
    return _listed(text, STATUSES)


def diet(text: str) -> str:
    return _listed(text, DIETS)


def condition(text: str) -> str:
    return _listed(text, CONDITIONS)


def nationality(text: str) -> str:
    found = _listed(text, NATIONALITIES)
    return " ".join(map(_upper_first, found.split()))


def _listed(text: str, known: frozenset[str]) -> str:
    """The phrase itself when it is listed whole, with nothing behind it but a new thought."""
    found = re.sub(r"^(?:an?|the)\s+", "", _LISTED_END.split(cut(text), maxsplit=1)[0].strip(), flags=re.I)
    return found if found.casefold() in known else ""


_LISTED_END = re.compile(
    r"\s+(?:and|for|from|by|in|on|since|myself|person|guy|woman|man|girl|lady|chap|too|again|originally|living"
    r"|these|at|apart|except|but|again)\b"
)


def ailment(text: str) -> str:
    """A lasting ailment: "type 2 diabetes", "ADHD"."""
    found = re.sub(
        r"^(?:an?|the|really|severe|chronic|mild|bad)\s+"
        r"(?!pacemaker)",
        "",
        _LISTED_END.split(cut(text))[0],
        flags=re.I,
    )
    words = found.split()
    known = 0 < len(words) <= 4 and (words[-1].casefold() in AILMENTS or found.casefold() in AILMENTS)
    return found if known and not _POINTS_OUTSIDE.search(found) else ""


def any_ailment(text: str) -> str:
    found = re.split(r"\s+(?:last|in|two|three|a|when|at|this|ago|\d+)\b", cut(text), maxsplit=1)[0]
    return found if 0 < len(found.split()) <= 4 and not _POINTS_OUTSIDE.search(found) else ""


def aid(text: str) -> str:
    found = re.split(r"\s+(?:at|every|and)\b", cut(text), maxsplit=1)[0]
    return found if _ends_with(found, AIDS, longest=4) else ""


def allergen(text: str) -> str:
    found = re.split(r"\s+(?:for|at|from|like|with)\b", thing(text), maxsplit=1)[0]
    return "" if found.casefold() in _NO_ALLERGENS or re.match(r"an?\b", found) or len(found.split()) > 8 else found


_NO_ALLERGENS = word_set("""
    work mornings bullshit nonsense people monday mondays meetings exercise stupidity
""")


def food(text: str) -> str:
    """What somebody does not eat or drink, for good: no times, no amounts."""
    found = thing(text)
    words = found.split()
    return found if 0 < len(words) <= 6 and not _AT_TIMES.search(found) and words[0].casefold() not in _NO_FOOD else ""


_NO_FOOD = word_set("""
    now today tonight here there this that lately
    much enough out well too the a an anymore breakfast lunch dinner before after until at on in my like
    properly right yet today and or
""")


_AT_TIMES = re.compile(
    r"\b(?:at|on|in|for|after|before|during|every|with|from|much|often|like|and (?:drive|run|tell))\b"
)


def pet(text: str) -> str:
    """An animal of one's own, with its name when it is said."""
    found = re.split(r"\s+(?:at|for|from|since|in|that|on|to|they|two|last)\b", cut(text), maxsplit=1)[0]
    animal, called, named = re.split(r"\s+(called|named)\s+", f"{found} called ", maxsplit=1) if found else ("", "", "")
    animal = re.sub(r"^an?\s+", "", animal)
    if not _ends_with(animal, PETS, longest=5):
        return ""
    named = re.split(r"\s+called\s*$", named)[0].strip()
    return f"{animal} {called} {named}" if named else animal


def pet_name(text: str) -> str:
    """An animal with the name that follows it: "dog Rex", "cat's name is Tom"."""
    animal, _, rest = text.partition(" ")
    named = name(rest) if rest[:1].isupper() else ""
    return f"{animal} called {named}" if named else ""


def possession(text: str) -> str:
    found = re.sub(
        r"^an?\s+",
        "",
        re.split(r"\s+(?:at|for|from|in|on|to|with|last|near|outside|instead)\b", cut(text), maxsplit=1)[0],
    )
    if not _ends_with(found, POSSESSIONS, longest=5):
        return ""
    where = re.search(rf"{re.escape(found)}( (?:in|near|outside) (?!{_MONTH})[A-Z][\w'-]+)", text)
    return f"{found}{where[1]}" if where else found


_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"


def vehicle(text: str) -> str:
    """What somebody drives: a listed thing or a make."""
    found = re.sub(
        r"^an?\s+", "", re.split(r"\s+(?:to|for|from|in|on|with|at|every|instead|last)\b", cut(text), maxsplit=1)[0]
    )
    is_make = 0 < len(found.split()) <= 5 and re.search(r"\b[A-Z]", found)
    return found if is_make or _ends_with(found, POSSESSIONS, longest=5) else ""


def played(text: str) -> str:
    found = re.split(
        r"\s+(?:in|for|at|with|on|every|most|since|twice|once|a|against|to|online|as)\b", cut(text), maxsplit=1
    )[0]
    bare = re.sub(r"^the\s+", "", found)
    items = [re.sub(r"^the\s+", "", item) for item in re.split(r"\s+and\s+", bare)]
    return found if all(_ends_with(item, INSTRUMENTS | GAMES, longest=3) for item in items) else ""


def languages(text: str) -> str:
    """Languages, with the words that say how well."""
    listed = cut(text, commas=True)
    found = listed if " and " in listed and "," in listed else thing(text)
    found = re.split(
        r"\s+(?:at|with|to|in|from|because|since|for|on|natively|fluently|well|poorly|badly)\b", found, maxsplit=1
    )[0]
    spoken = [word.casefold() for word in re.findall(r"[^\W\d_]+", found)]
    if not spoken or not any(word in LANGUAGES for word in spoken):
        return ""
    return found if all(word in LANGUAGES or word in _HOW_WELL for word in spoken) else ""


_HOW_WELL = word_set("""
    a little bit some of basic fluent native conversational broken decent good bad only and or both also
""")


def learnt(text: str) -> str:
    """A language, an instrument or another skill that is being learnt."""
    found = re.split(r"\s+(?:with|on|from|at|through|by|using|in|for|via|since)\b", thing(text), maxsplit=1)[0]
    words = found.casefold().split()
    if not 0 < len(words) <= 5 or words[0] in _NO_SKILL or (words[0] == "the" and words[-1] not in INSTRUMENTS):
        return ""
    return found


_NO_SKILL = word_set("a about new so more lots from as things something")


def collection(text: str) -> str:
    found = cut(text)
    return found if _ends_with(found, COLLECTIBLES, longest=4) else ""


def subject(text: str) -> str:
    """What somebody studies."""
    found = re.split(
        r"\s+(?:in|at|with|from|part-?time|full-?time|online|as|right|to|on|for)\b", thing(text), maxsplit=1
    )[0]
    words = found.casefold().split()
    return "" if not 0 < len(words) <= 5 or words[0] in _NO_SUBJECT else found


_NO_SUBJECT = word_set("""
    every hard at in for with alone the my late all abroad best better a an while during when on until harder
    more lot
""")


def school(text: str) -> str:
    found = cut(text)
    return (
        found
        if re.search(r"[A-Z].*\b(?:University|College|School|Academy|Institute)\b|\bUniversity of [A-Z]", found)
        else ""
    )


def birthday(text: str) -> str:
    """A date with a month or with slashes."""
    found = re.sub(r"^(?:on|the)\s+", "", re.sub(r"^(?:on|the)\s+", "", cut(text, commas=True), flags=re.I), flags=re.I)
    found = re.split(r"\s+(?:in|at|and|to|like)\b", found, maxsplit=1)[0].rstrip(", ")
    return found if len(found.split()) <= 5 and _DATE.search(found) and _HAS_DAY.search(found) else ""


_DATE = re.compile(
    r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:uary|ruary|ch|il|ust|tember|ober|ember)?\b"
    r"|\d{1,2}[/.-]\d{1,2}",
    re.I,
)
_HAS_DAY = re.compile(r"\d")


def age(text: str) -> str:
    """Years of age: a bare number, or one followed by "years old"."""
    found = re.match(
        r"(\d{1,3})(?:\s*(?:years? old|years? of age|y/?o\b|yrs old))?(?=\s*(?:,|$|and\b|but\b|now\b|today\b"
        r"|last\b|this\b|yesterday\b|in\b|on\b))",
        text,
    )
    return found[1] if found and 5 <= int(found[1]) <= 119 else ""


def year(text: str) -> str:
    found = re.match(r"((?:19|20)\d\d)\b", text)
    return found[1] if found else ""


def business(text: str) -> str:
    found = re.split(r"\s+(?:in|for|from|at|with|on|near|called|that)\b", cut(text), maxsplit=1)[0]
    return found if _ends_with(found, BUSINESSES, longest=6) else ""


def children(text: str) -> str:
    if re.search(r" in (?:the|my|this) (?:code|script|file|table|list|tree|game|story|database)\b", text):
        return ""
    found = re.split(r"\s+(?:who|at|in|aged|called|named|from|with|to|under|that)\b", cut(text), maxsplit=1)[0]
    return found if 0 < len(found.split()) <= 7 else ""


def phrase(text: str) -> str:
    """A short piece of text as it stands."""
    found = cut(text)
    return found if found and len(found) <= LONGEST and len(found.split()) <= 12 else ""


def wish(text: str) -> str:
    """How somebody wants to be answered; it may speak of the assistant and of "me"."""
    found = cut(text, commas=True, narrowed=True)
    return found if found and len(found) <= 120 and len(found.split()) >= 2 else ""


def plan(text: str) -> str:
    """A plan that has a time, so that it is not what somebody is about to do in the next minute."""
    found = thing(text)
    if not _TIME.search(found) or re.match(r"(?:the|a|an|my) ", found, re.I):
        return ""
    becomes = _BECOMES.match(found)
    return "" if becomes and becomes[1].casefold() not in OCCUPATIONS | _PARENTS else found


_BECOMES = re.compile(
    r"(?:be|become) an? (?:[\w-]+ )??([\w-]+)(?= (?:in|by|on|next|this|at|from|for|soon|again)\b|$|,)", re.I
)
_PARENTS = word_set("dad father mom mum mother parent grandparent grandfather grandmother uncle aunt godparent")


def journey(text: str) -> str:
    """A plan whose verb says enough: travelling, moving, marrying."""
    found = thing(text)
    return found if found and (_TIME.search(found) or re.search(r"\b(?:to|in) (?:the )?[A-Z]", found)) else ""


def event(text: str) -> str:
    """A trip, a wedding, an exam: named, or with a time."""
    found = re.sub(r"^(?:an?|my|our)\s+", r"", thing(text), flags=re.I)
    return found if found and (_EVENT.search(found)) else ""


_TIME = re.compile(
    r"\b(?:next|this (?:summer|winter|spring|autumn|fall|weekend|month|year|week|christmas|easter|january|february"
    r"|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|thursday"
    r"|friday|saturday|sunday)|tomorrow|later this|(?:in|on|by|until|for|over|at) (?:(?:early|late|mid|the|a few"
    r"|two|three|the end of)[ -])?(?:january|february|march|april|may|june|july|august|september|october|november"
    r"|december|summer|winter|spring|autumn|fall|christmas|easter|20\d\d|monday|tuesday|wednesday|thursday|friday"
    r"|saturday|sunday|weeks|months|years|days|holidays|new year)|on the \d|on \d|in \d+ (?:days|weeks|months|years)"
    r"|someday|one day)\b",
    re.I,
)
_EVENT = re.compile(
    r"\b(?:trip|holiday|vacation|wedding|honeymoon|move|party|interview|exam|surgery|operation|flight|conference"
    r"|marathon|citizenship test|driving test|road trip|sabbatical|reunion|retirement|renovation|concert|race"
    r"|triathlon|appointment|hike"
    r"|expedition|cruise)\b",
    re.I,
)


def future(text: str) -> str:
    """An appointment that is still to come."""
    found = event(text)
    return found if found and _TIME.search(found) else ""


def ambition(text: str) -> str:
    """Something one wants of life, not of the next answer."""
    found = thing(text)
    return found if found and _AMBITION.match(found) else ""


_AMBITION = re.compile(
    r"(?:become an? |be an? (?:\w+ )?(?:doctor|teacher|pilot|nurse|writer|musician|lawyer|engineer)|lose (?:weight"
    r"|\d)|(?:quit|stop|give up) (?:smoking|drinking|vaping|sugar|my job)|run an? (?:[\w-]+ )?(?:marathon|10k|5k"
    r"|ultra)|(?:switch|change) (?:careers?|jobs)|write (?:a|my) (?:first )?(?:book|novel|memoir)|visit (?-i:[A-Z])"
    r"|travel (?:to|the|around|through)|move to (?-i:[A-Z])|start (?:a|my own) (?:business|company|family|podcast"
    r"|garden)|get (?:fit|fitter|in shape|married|an? (?:dog|cat|puppy|degree|tattoo|phd)\b)|buy a (?:house|flat"
    r"|home|car|boat|campervan)|retire|learn (?:to (?:swim|drive|sail|surf|cook|ski|dance|sew|knit|fly|play"
    r"|read music)|(?:how to )?(?:swim|drive|sail|surf|play)|(?:the )?(?:"
    + "|".join(sorted(LANGUAGES | INSTRUMENTS))
    + r")\b)|go (?:back )?to (?:university|college|uni)"
    r"|climb (?-i:[A-Z])|save (?:up|for a)|work (?:less|abroad)|live (?:abroad|in (?-i:[A-Z]))|adopt )",
    re.I,
)


def near(text: str) -> str:
    """Where somebody lives, told by what is near: "on a houseboat in Amsterdam", "near the beach in Sopot"."""
    found = re.split(r"\s+(?:with|and|for|since)\b", cut(text), maxsplit=1)[0].removeprefix("on ")
    is_named = re.search(r"\b[A-Z]\w", found) is not None
    return found if is_named and len(found.split()) <= 8 and not _POINTS_OUTSIDE.search(found) else ""


def given_up(text: str) -> str:
    """Food and drink that somebody leaves alone: listed, so that nobody avoids meetings."""
    found = _FOOD_END.split(thing(text), maxsplit=1)[0]
    items = re.split(r",\s*(?:and |or )?|\s+(?:and|or)\s+", found)
    return found if found and all(_ends_with(item, FOODS, longest=3) for item in items) else ""


_FOOD_END = re.compile(r"\s+(?:in|for|since|last|this|after|when|on|before|years?|months?|completely|altogether|as)\b")


def medicine(text: str) -> str:
    found = re.split(r"\s+(?:for|since|at|every|and|twice|once|daily)\b", cut(text), maxsplit=1)[0]
    return found if _ends_with(found, MEDICINES, longest=3) else ""


def skill(text: str) -> str:
    """Programming languages and the like."""
    found = thing(text)
    items = re.split(r",\s*(?:and |or )?|\s+(?:and|or)\s+", re.sub(r"\ba (?:bit|little) (?:of )?", "", found))
    return found if all(_ends_with(item, PROGRAMMING, longest=5) for item in items) else ""


def tool(text: str) -> str:
    """A program or a system by its name."""
    found = re.split(r"\s+(?:for|at|on|to|as|every|with|in|instead|last|this|from)\b", cut(text), maxsplit=1)[0]
    return found if _ends_with(found, TOOLS, longest=3) else ""


def trade(text: str) -> str:
    """What somebody makes or mends, with no article: "boats", "old radios"."""
    found = re.split(r"\s+(?:for|at|in|on|with|from|and|to)\b", cut(text), maxsplit=1)[0]
    words = found.casefold().split()
    is_plain = 0 < len(words) <= 3 and words[0] not in _NO_TRADE and not found[0].isupper()
    return found if is_plain and words[-1].isalpha() and not _POINTS_OUTSIDE.search(found) else ""


_NO_TRADE = word_set(
    "a an the my our some any more less much many lots too it up out on in over to for with at by like as well hard"
)


def activity(text: str) -> str:
    """What somebody does in life, told of them: no thing that the conversation is about, nothing of this minute."""
    found = thing(text) or _before_comma(text)
    words = found.casefold().split()
    if len(words) < 2 or words[1] in _NO_OBJECT or _JUST_NOW.search(found):
        return ""
    return third(found)


def _before_comma(text: str) -> str:
    return thing(text.partition(",")[0])


_NO_OBJECT = word_set("""
the it this that these those up out into on off over away down back to at some any better best well hard fast late fine
around like so too here there again things stuff along past
""")
_JUST_NOW = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|the (?:test|tests|code|script|file|query|command|same"
    r"|following)|sudo|tests?|scripts?"
    r"|code|commands?|quer(?:y|ies)|email|emails|message|messages|error|errors|track|mind|calm|going|getting|forgetting|having|trouble"
    r"|risk|tricks|minds|crazy|mad|nuts|up the wall|insane|out of|low on|notes?|line|lines|paragraph|sentence)\b",
    re.I,
)


def shunned(text: str) -> str:
    """What somebody does not do, with what they do instead: "wear heels, flats only"."""
    found = re.match(r"[^,]+(?:, (?:only [\w ]+|[\w ]+ only))?$", cut(text, commas=True))
    words = found[0].casefold().split() if found else []
    if (
        found is None
        or not 1 < len(words) <= 7
        or words[1] in _NO_OBJECT | {"my", "our"}
        or _POINTS_OUTSIDE.search(found[0])
    ):
        return ""
    return "" if _JUST_NOW.search(found[0]) else found[0]


def project(text: str) -> str:
    """What somebody is at for months: "building a boat"."""
    found = re.split(r"\s+(?:about|for|with|on|from|set|called)\b", cut(text), maxsplit=1)[0]
    named = re.split(r"\s+(?:in|near)\b", found, maxsplit=1)[0]
    return found if _ends_with(named, PROJECTS, longest=6) else ""


def whereabouts(text: str) -> str:
    """The place where somebody is: named, and no program, school year or state of mind."""
    found = place(text)
    words = found.split()
    if (
        not text[:1].isupper()
        or not 0 < len(words) <= 4
        or re.search(r"\d", found)
        or words[0].casefold() in _NO_WHEREABOUTS
    ):
        return ""
    return (
        ""
        if found.casefold() in TOOLS | PROGRAMMING | _TECHNOLOGY or (found.isupper() and found not in _SHORT)
        else found
    )


_SHORT = frozenset({"UK", "US", "USA", "NYC", "LA", "SF", "DC", "UAE"})
_NO_WHEREABOUTS = word_set("""
year grade room zoom love january february march april may june july august september october november december english
german french spanish italian chinese japanese latin section chapter part step line monday tuesday wednesday thursday
friday saturday sunday group team form class level phase heaven hell german
""")


def job_place(text: str) -> str:
    """The town in "architect in Izmir"."""
    job, _, town = text.partition(" in ")
    return whereabouts(town) if occupation(job) else ""


def housemates(text: str) -> str:
    """With whom somebody lives."""
    found = re.split(r"\s+(?:in|at|near|again|on|for)\b", cut(text), maxsplit=1)[0]
    return found if 0 < len(found.split()) <= 5 and not _POINTS_OUTSIDE.search(found) else ""


def named_animal(text: str) -> str:
    return text if text[0].isupper() else text.rsplit(maxsplit=1)[-1]


def as_said(text: str) -> str:
    """What a pattern has cut to measure already."""
    return text.strip(" ,.")


def journey_named(text: str) -> str:
    """The place of "the Oslo trip", "my trip to Oslo"."""
    return (
        re.sub(r"\b(?:trip|flight|holiday|vacation|journey|travel|visit|to)\b", "", text, flags=re.I).strip()
        or text.strip()
    )


def was_single(text: str) -> str:
    return "single" if text else ""


def of_person(text: str) -> str:
    """A cat person likes cats, a tea person tea."""
    return f"{text}s" if text in {"cat", "dog", "horse", "animal", "book"} else _SIGHTS.get(text, text)


_SIGHTS = {"beach": "the beach", "mountain": "the mountains"}


def sold(text: str) -> str:
    found = re.split(r"\s+(?:and|to|for|last|in|on|at)\b", cut(text), maxsplit=1)[0]
    return found if 0 < len(found.split()) <= 4 else ""


def when(text: str) -> str:
    """A day or a time to come, with the word before it: "on Friday", "in May"."""
    found = re.split(r"\s+(?:and|but|with|to|because)\b", cut(text, commas=True), maxsplit=1)[0]
    found = re.split(r",\s+(?!\d|[a-z]+ \d)", found)[0]
    return found if len(found.split()) <= 8 and (_TIME.search(found) or _DATE.search(found)) else ""


def turning(text: str) -> str:
    found = when(text[3:])
    return f"turning {text[:2]} {found}" if found else ""


def third(text: str) -> str:
    """What somebody does, told of them: "go to my gym" is "goes to their gym"."""
    verb, space, rest = text.partition(" ")
    verb = verb.casefold()
    if verb.endswith(("s", "sh", "ch", "x", "o", "z")):
        verb += "es"
    elif verb.endswith("y") and verb[-2:-1] not in "aeiou":
        verb = f"{verb[:-1]}ies"
    else:
        verb = {"have": "has", "am": "is"}.get(verb, f"{verb}s")
    return f"{verb}{space}{_MY.sub('their', rest)}"


_MY = re.compile(r"\b(?:my|our)\b", re.I)


def habit(text: str) -> str:
    """What somebody does at certain times, told of them."""
    found = _HABIT_END.split(cut(text, commas=False), maxsplit=1)[0].strip()
    if not found or len(found.split()) > 12 or len(found) > LONGEST or _POINTS_OUTSIDE.search(found):
        return ""
    return third(found) if HABITUAL.search(found) and not _ON_SCREEN.search(found) else ""


_ON_SCREEN = re.compile(
    r"\b(?:page|site|website|link|app|file|code|script|server|logs?|line|url|tab|branch"
    r"|build)\b",
    re.I,
)
_HABIT_END = re.compile(
    r"\s+(?:to (?!work|the|bed|school|church|my|a |yoga|sleep|\w+day)|before |after |until |most of )"
)
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
HABITUAL = re.compile(
    rf"\b(?:(?:every|each) (?:single |other |second |third )?(?:day|morning|evening|night|afternoon|week|month"
    rf"|year|summer"
    rf"|winter|spring|autumn|weekend|weekday|{_WEEKDAY})|(?:on |at )?(?:weekends|weekdays|{_WEEKDAY}s)|daily"
    rf"|weekly|nightly"
    rf"|(?:once|twice|two times|three times|four times|\d times) an? (?:day|week|month|year)"
    rf"|in the (?:mornings?|evenings?)"
    rf"|{_WEEKDAY} (?:to|through|till) {_WEEKDAY}|nights|night shifts?|early shifts?|late shifts?|weekends"
    rf"|part[- ]time|full[- ]time|from home|shifts"
    r"|everywhere|at (?:\d{1,2}(?::\d\d)?(?: ?[ap]m)?|five|six|seven|four|three|eight|nine|ten|dawn|midnight|noon))\b",
    re.I,
)


def _ends_with(text: str, known: frozenset[str], *, longest: int) -> bool:
    words = text.casefold().split()
    if not 0 < len(words) <= longest or _POINTS_OUTSIDE.search(text):
        return False
    last = words[-1]
    return last in known or last.removesuffix("s") in known or " ".join(words[-2:]) in known


def _pairs(text: str) -> list[str]:
    words = text.casefold().split()
    return [f"{left} {right}" for left, right in pairwise(words)]
