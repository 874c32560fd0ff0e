"""What a message asks not to keep, and what it asks to remove, in the many ways people say so.

A request decides over everything else and is taken broadly: a message that was no request and is left out costs one
fact, a request that is not understood keeps what nobody was to know.
"""

from __future__ import annotations

import re

from ai_memory_integrations.learning.words import word_set

_NOTES = (
    r"(?:notes?|notebook|memor(?:y|ies)|records?|files?|profile|logs?|history|database|data ?base|archive|brain"
    r"|diary|books|system|storage|context|transcripts?|summar(?:y|ies))"
)
_WHOSE = r"(?:the|your|ur|ya|any|my|this|that|permanent|long[- ]term)"
_IN_NOTES = rf"(?:(?:in|into|to|on|from|of|out of|off) (?:{_WHOSE} )*{_NOTES}\b)"
_THIS = (
    r"(?:this|that|it|these|those|them|any|anything|none|nothing|the (?:next|following|rest|last|above|bit|part|thing)"
    r"|what|my|our|all|everything|either|him|her)\b"
)
_NOT = (
    r"(?:(?<!\bi )(?<!\bwe )(?<!\bthey )(?:do|must|should|need)(?:n'?t| not)"
    r"(?: (?:you|ever|dare|please|even|actually|you dare|have to|need to|want you to|bother to|go and|go|try to))*"
    r"|(?<!\bi )(?<!\bi've )(?<!\bi'll )never(?: ever)?|(?:not|nor) to|no need to"
    r"|(?:please|pls|plz|better|and|but|rather)"
    r" not"
    r"|i(?:'d| would)? ?(?:do not|don't|dont|wouldn't|would not|rather not|prefer not to) (?:want|need|like|have) "
    r"(?:you|u|this|that|it|any of (?:this|that|it))(?: to)?(?: be)?"
    r"|(?:rather|prefer|like)(?: it)?(?: if)? you (?:not|didn't|did not|don't|wouldn't|never)(?: to)?)"
)
_KEEP = (
    r"(?:remember|memori[sz]|stor|sav|record|log|retain|archiv|regist(?:er)|jot|document|stash)"
    r"(?:e|es|ed|ing|ging|ged|er)?\b"
)
_KEEP_IT = (
    r"(?:keep(?! (?:\w+ing|up|in (?:mind|touch))\b)(?:ing)?|kept|not(?:e|ing|ed)\b|writ(?:e|ing|ten)|"
    r"put(?:ting)?|add(?:ed|ing)?|shar(?:e|ed|ing)|mention(?:ed|ing)?|repeat(?:ed|ing)?|"
    r"track(?:ed|ing)?|learn(?:ing|ed)?|hold(?:ing)? on to|hang(?:ing)? on to|take|taking|us(?:e|ing)|tell(?:ing)?)"
)
_KEPT = r"(?:kept|stored|saved|remembered|recorded|noted|logged|memori[sz]ed|written|filed|retained|shared|repeated)"
# "Don't forget" asks for the opposite.
_REALLY = r"(?<!n't )(?<!nt )(?<!not )(?<!not to )(?<!never )"
_QUIET = r"(?:private|secret|confidential|quiet|to (?:yourself|urself)|between|off|out|away from|here|hush|safe)"

PRIVATE = re.compile(
    (
        rf"\b{_NOT} {_KEEP}"
        rf"|\b{_NOT} {_KEEP_IT} (?:(?:down|of|about|on to|a|note|record|notes|track)\s+)*{_THIS}"
        rf"|\b{_NOT} {_KEEP_IT}\b[^.!?\n]{{0,60}}\b{_IN_NOTES}"
        rf"|\b{_NOT} (?:{_KEEP_IT} down\b|keep\b|note\b|tell (?:any|a soul|my |him|her|them|people))"
        rf"|\b(?:not|never|n't|nothing|none)(?: (?:of|to|this|that|it|should|must|ever))*(?: be| get)? {_KEPT}\b"
        r"|(?:\bno|\bnot|n't|\bnever|\bnothing|\bnone|\bout|\baway)\b[^.!?\n]{0,40}\b(?:in|into|to|on|onto|for|from"
        r"|of|with) (?:(?:your|ur|the|any) )+(?:notes?|notebook|memory|memories|records?|files?|profile|diary"
        r"|archive|books)\b"
        r"|\bno (?:notes?|record|records|trace|traces|log|logs|memory)"
        r"(?: of| on| about|$|\s*[,.;:!-]| please| here| for)"
        r"|\b(?:skip|omit|exclude|drop|scrap|strike|scratch|cut|redact|unremember|un-remember) (?:this|that)"
        r" (?:one|bit|part"
        r"|from|in|when|please|,|\.)|\b(?:not a word|(?:nobody|no ?one) (?:must"
        r"|should|may|can|has to) (?:ever )?know|burn after reading|keep mum|keep shtum|my secret|a secret)\b"
        r"|\b(?:let|lets?|let's|please|pls) (?:\w+ )?(?:this|that|it) (?:\w+ ){0,2}(?:leave|slip)\b"
        r"|\b(?:doesn'?t|does not|won'?t|shouldn'?t|should not|mustn'?t|must not|never|can'?t) (?:ever )?"
        r"(?:leaves? (?:this|the"
        r"|here)|go (?:anywhere|further|any further|beyond)|get out|end up)\b"
        r"|\b(?:just|only) (?:for|in) (?:this|the) (?:chat|conversation|session)\b"
        r"|\b(?:keep|store|save|record|remember|note|log|write(?: down)?) (?:nothing|none"
        r"|no (?:notes?|record|trace))\b"
        rf"|\bnot (?:one |something )?for (?:{_WHOSE} )*(?:{_NOTES}|keeping|storing|saving|remembering|publication"
        r"|anyone|sharing)\b"
        r"|\boff[- ](?:the[- ])?(?:record|books)\b|\bentre nous\b|\bmum'?s the word\b"
        r"|\bunder the rose\b|\bhush[- ]hush\b"
        r"|\bbetween (?:you and (?:me|i)|you n me|me and you|us|ourselves|the two of us|u and me|you & me)\b"
        r"|\bfor your (?:ears|eyes) only\b|\bin (?:strict |strictest |the strictest )?confidence\b"
        r"|\bconfidential(?:ly)?\b"
        rf"|\b(?:keep|leave|kept|left|keeping|leaving) (?:\w+ ){{0,6}}?(?:{_QUIET}\b(?! for))"
        rf"(?=\s*(?:$|[.,;:!?-]|please|pls|between|of\b|from\b|{_IN_NOTES}|and|but))"
        r"|\b(?:stays?|remains?|belongs) (?:just |strictly |only |right )?(?:here|private|secret|between|in this"
        r"|with (?:you|us)|off)\b"
        r"|\b(?:this|that|it|which)(?:'s| is) (?:(?:a|my|our|strictly|very|really|kind of|super|top|totally) )*"
        r"(?:secret|private|hush)\b"
        rf"|{_REALLY}\b(?:forget|never ?mind|ignore|disregard|unhear|unsee"
        rf"|pretend) (?:about |that |what |whatever |everything"
        r"|anything |all |you |u |ever )*(?:i|you|u) (?:just |ever |even |didn'?t |did not |never |have |'ve )*"
        r"(?:sa(?:y|id)|told|tell|mention(?:ed)?|wrote|asked|heard|read|saw|typed|brought)\b"
        rf"|{_REALLY}\b(?:forget|delete|erase|remove|scrub|wipe|unlearn|disregard|ignore)(?: about)?"
        r" (?:this|that|it|these|those"
        r"|the (?:last|previous|above|next)(?: \w+)?|my (?:last|previous) \w+|all (?:of )?(?:this|that))"
        r"(?=\s*(?:[.!,:;?)-]|$"
        r"|please\b|pls\b|but\b|though\b|again\b|after\b|from\b|ok\b|and\b))"
        r"|\byou (?:didn'?t|did not|never) (?:hear|read|see) (?:this|that|it)\b|\bincognito\b"
        rf"|{_REALLY}\bforget i\b"
        r"|\bdelete (?:this|that|it) (?:afterwards|later|when)\b"
        # The summary quotes other languages too.
        r"|\bnicht (?:zu )?(?:merken|speichern|notieren|aufschreiben|behalten|weitersagen|festhalten)\b"
        r"|\bunter uns\b"
        r"|\b(?:merk|speicher|notier|schreib)e? (?:dir )?(?:das|es|dies|bitte|dir) (?:bitte )?nicht\b"
        r"|\bvertraulich\b"
        r"|\bbehalt\w* (?:das|es) (?:bitte )?für (?:dich|sich)\b|\bvergiss (?:das|es|was)\b"
        r"|\bn[e']\s?(?:le |la |les |l'|pas )*(?:garde|note|retiens|enregistre|sauvegarde|mémorise|retenir|noter"
        r"|garder|enregistrer)\w*\b|\bconfidentiel\w*\b|\boublie (?:ça|cela|ce que)\b"
        r"|\bno (?:lo |la |los |me |esto |eso |o )?(?:guardes|recuerdes|anotes|apuntes|registres|almacenes)\b"
        r"|\bentre (?:nosotros|tú y yo|nós)\b|\bolvida (?:esto|eso|lo que)\b"
        r"|\bnão (?:guarde|anote|salve|lembre)s?\b"
        r"|\bnon (?:lo )?(?:salvare|ricordare|annotare|memorizzare)\b|\btra (?:noi|di noi|me e te)\b"
    ),
    re.I | re.M,
)


def is_private(text: str) -> bool:
    """Whether a message asks that it is not kept. Looks at all of it, also at what it quotes."""
    return PRIVATE.search(text.translate(_APOSTROPHES)) is not None


def removals(text: str) -> list[str]:
    """What a message asks to remove, as it names it: "the bit about Ghent". In order; empty when it asks nothing."""
    # Runs of spaces and of empty lines say nothing, and patterns take the square of their length.
    text = _BREAKS.sub("\n", _SPACES.sub(" ", text.translate(_APOSTROPHES)))
    found: list[str] = []
    for request in _REMOVE.finditer(text):
        named = next(group for group in request.groups() if group is not None)
        elsewhere = _ELSEWHERE.search(named)
        if elsewhere:
            continue
        start = max(text.rfind(mark, 0, request.start()) for mark in ".!?\n") + 1
        named = _OF_MEMORY.split(named, maxsplit=1)[0]
        if _PERSON.match(named):
            found.extend(_CAPITALISED.findall(text[: request.start()]))
        elif _POINTS_BACK.fullmatch(named.strip()):
            named = text[start : request.start()]
        found.append(named.strip(" ,;:-"))
    return [named for named in found if named]


def telling_words(named: str) -> set[str]:
    """The words of what is to be removed by which it is recognised."""
    return {word.removesuffix("'s") for word in _WORD.findall(named.casefold())} - _SAYS_NOTHING


def names(named: str, text: str) -> bool:
    """Whether a text speaks of what is to be removed: it has one of its words, or a form of it."""
    said = set(_WORD.findall(text.casefold()))
    return any(_same_word(word, other) for word in telling_words(named) for other in said)


def _same_word(left: str, right: str) -> bool:
    if left == right:
        return True
    shorter, longer = sorted((left, right), key=len)
    return len(shorter) >= 4 and longer.startswith(shorter) and len(longer) - len(shorter) <= 4


_APOSTROPHES = str.maketrans("\u2019\u2018\u02bc\u00b4", "''''")
_ASKING = (
    r"(?:^|[.!?;:,\n-]|\b(?:and|but|also|so|then|oh|or|please|pls|plz|just|now|ok|okay|hey|hi|actually|wait|btw"
    r"|kindly|(?:can|could|would|will|want|need|like) (?:you|u)(?: to)?(?: please| just)?|lets|let's))\s*"
)
_REST = r"([^.!?;\n]{1,120})"
_REMOVE = re.compile(
    rf"{_ASKING}(?:(?:forget|erase|delete|remove|scrub|strike|scratch|wipe|purge|unlearn|disregard|ignore|unsave"
    rf"|never ?mind|cross out|rub out|get rid of|stop remembering|stop storing|(?:take|leave|keep) out)\s+{_REST}"
    rf"|(?:take|leave|strike|cross|scratch|keep|get)\s+([^.!?;\n]{{1,60}}?)\s+(?:out|off)\b(?!\s+(?:the|my|a)\b(?!\s*{_NOTES}))"
    rf"|{_NOT} {_KEEP}\s+{_REST}|{_NOT} keep\s+(?!\w+ing\b){_REST})",
    re.I,
)
_OF_MEMORY = re.compile(
    rf"\s+(?:out )?(?:from|in|of|off) (?:{_WHOSE} )*(?:{_NOTES}|whatever|what you|everything|here|there)\b|\s*,"
    r"|\s+(?:because|since|please|pls|but|though|so|ok|okay|it's|that's|people|somebody|again)\b|\s*[:(]",
    re.I,
)
_ELSEWHERE = re.compile(
    rf"\b(?:from|in|of) (?:the|this|that|a|an|each|every|all|these|my|our)\s+(?!{_NOTES}\b)"
    r"(?:\w+ ){0,2}?(?:recipe|list|text|essay|image|picture|photo|code|table|file|column|row|string|array|paragraph"
    r"|sentence|email|letter|draft|document|video|script|query|function|sheet|spreadsheet|folder|disk|repo|sofa|couch"
    r"|carpet|shirt|wall|oven|plan|menu|playlist|budget|cart|schedule|playlist|poem|story|song|speech)\b"
    r"|^(?:to|me|us|it all|the (?:rest|duplicates?|background|last|first|second|third|previous instructions?))\b",
    re.I,
)
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n[ \n]*")
_PERSON = re.compile(r"(?:him|her|them)\b(?!\s+\w+ing)", re.I)
_POINTS_BACK = re.compile(r"(?:this|that|it|them|these|those)?(?:\s+(?:all|thing|part|bit|again))?", re.I)
_CAPITALISED = re.compile(r"\b[^\W\d_a-z][^\W\d_]{2,}")
_WORD = re.compile(r"[^\W_]+(?:'s)?")
_SAYS_NOTHING = word_set("""
    a an the i i'm im i've ive me my mine we us our you your u ur it it's its this that these those there here him her
    he she they them his their hers thing things bit part stuff piece detail details info information fact facts what
    whatever who whom which where when why how everything anything something all any some none nothing about of to in
    on at for from with by as is was am are were be been being have has had do does did done not no and or but if so
    than then too also just only really please pls said say saying told tell mentioned mention wrote gave give asked
    ask that's whole rest last next one two first second again anymore more out off up down now today yesterday ever
    earlier before after know knew remember memory memories note notes record records name names called like likes
    love loves live lives want wants used going go going get got mine own can could will would should might may
    anywhere anyone anybody
    conversation chat message messages topic subject story line lines user because new old very much
""")
