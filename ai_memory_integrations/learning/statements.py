"""A message as the plain statements its author makes about themselves.

What is quoted, pasted, asked, supposed, joked, reported or acted is left out here, before any rule looks at it:
when in doubt a sentence is dropped. What is left are clauses that begin with the author: "I'm ...", "my ...".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ai_memory_integrations.learning.answers import answered, question_of
from ai_memory_integrations.learning.facts import Fact, one_line
from ai_memory_integrations.learning.fragments import completed, corrections, is_mending, people, presupposed
from ai_memory_integrations.learning.privacy import is_private, removals
from ai_memory_integrations.learning.words import GIVEN_NAMES, word_set

SCANNED = 4000
LONGEST_SENTENCE = 400


@dataclass(frozen=True)
class Said:
    """What a message states: clauses to learn from, what is to be forgotten or put right, whether it is private."""

    clauses: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    corrections: tuple[Fact, ...] = ()
    private: bool = False
    mends: bool = False


def read(text: str, heard: str = "") -> Said:
    """The statements of a message, in order. Only its first 4,000 characters are looked at.

    *heard* is what the assistant said directly before: of its last question the message may be the answer.
    """
    private = is_private(text)
    forgotten = tuple(canonical(one_line(named)) for named in removals(own_words(beginning(text, SCANNED))))
    if private:
        return Said(forgotten=forgotten, private=True)
    text = beginning(text, SCANNED)
    text = own_words(text)
    if _JOKE.search(text) or not _is_english(text):
        return Said(forgotten=forgotten)
    clauses = _stated_clauses(text, asked=bool(forgotten))
    question = question_of(own_words(heard)) if heard else ""
    if question and (answer := answered(question, text)) and not _DOUBT.search(text.partition("\n")[0]):
        clauses.insert(0, canonical(answer))
    return Said(tuple(clauses), forgotten, tuple(corrections(text)), mends=is_mending(text))


def _is_english(text: str) -> bool:
    """Whether a message is not mostly in another language: "im Ernst" is German for "seriously"."""
    said = re.findall(r"[^\W\d_]+", text.casefold())
    english, foreign = sum(word in _ENGLISH for word in said), sum(word in _FOREIGN for word in said)
    bare = _BARE_IM.search(text)
    return foreign <= english and not (bare and english == 0 and bare[1].casefold() not in GIVEN_NAMES)


_BARE_IM = re.compile(r"(?<![\w'])[Ii]m ([A-Z]\w+)")
_ENGLISH = word_set("""
    i my me the and is are you your it its to of for with that this not have has from at but so we our hi hello hey im
    what how do don't be been was would can please now just he she they live work like love
""") - {"im"}
_FOREIGN = word_set("""
    ich und der die das ist nicht wenn würde mit für auf ein eine einen mein meine wir sie aber auch bin habe noch jetzt
    je le la les et est pas une des mon ma mes nous vous avec pour dans suis que qui mais
    el los las es una con por para pero mi mis soy estoy muy yo como del
    il che sono non gli una mio mia per ho anche questo eu uma com não meu minha estou
    ik het een niet van mijn maar ook voor jag och det är inte en ett på jeg og ikke
""")


def _stated_clauses(text: str, *, asked: bool) -> list[str]:
    clauses: list[str] = []
    for sentence in sentences(text):
        stated = _stated(sentence)
        if stated is None:
            break
        clauses.extend(people(sentence))
        if asked and removals(stated):
            continue
        taken_back = _TAKEN_BACK.search(stated)
        if taken_back:
            clauses.clear()
            stated = stated[taken_back.end() :]
        stated = _undoubted(canonical(stated))
        if stated:
            clauses.extend(presupposed(stated))
            clauses.extend(clause for whole in completed(stated) for clause in _clauses(whole))
    return clauses


def _undoubted(stated: str) -> str:
    """What a sentence says for certain: a supposition or a report reaches from its clause to the end.

    An afterthought ("or so I think", "he said") reaches back to the beginning as well.
    """
    if _NOT_SO.search(stated):
        return ""
    doubt = _DOUBT.search(stated)
    if doubt is None:
        return stated
    joints = [joint for joint in _CLAUSE_END.finditer(stated, 0, doubt.start() + 1) if joint.end() <= doubt.start()]
    if not joints:
        return ""
    doubted = stated[joints[-1].end() :]
    if len(doubted.split()) < 4 or _AFTERTHOUGHT.search(doubted):
        return ""
    return stated[: joints[-1].start()]


_CLAUSE_END = re.compile(
    r"\s*[,;(]\s*(?:(?:and|but|so|because|although|though|or|plus)\s+)?|\s+-\s+"
    r"|\s+(?:and|but|so|because|although|though)\s+(?=(?:I|we|my|our|it|he|she|they|that|this|the|if|maybe|perhaps"
    r"|you|someone|everyone|people)\b)|\s+so\s+(?=if\b)",
    re.I,
)
_AFTERTHOUGHT = re.compile(
    r"^(?:said|says|or|thought|if|unless)\b(?! you\b)|\b(?:said|says|say|think|thinks|thought|told me)$", re.I
)


def beginning(text: str, length: int) -> str:
    """The whole sentences among the first *length* characters."""
    if len(text) <= length:
        return text
    text = text[:length]
    return text[: max(text.rfind(mark) for mark in ".!?\n") + 1]


def own_words(text: str) -> str:
    """The text without code, quotations, tagged parts and quoted lines, its quotation marks and dashes plain."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_PLAIN)
    text = _CODE_BLOCK.sub(" \n", text)
    text = _INLINE_CODE.sub(_GAP, text)
    if "</" in text:
        text = _TAGGED.sub(_GAP, text)
    text = _NAMED_IN_QUOTES.sub(r"\1\2", text)
    text = _QUOTED.sub(_GAP, text)
    lines = [line for line in text.split("\n") if not _QUOTED_LINE.match(line)]
    return "" if _is_verse(lines) else "\n".join(lines)


_GAP = "|"
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "´": "'", "`": "`", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‟": '"', "＂": '"'}
    | {"…": "... ", "—": " - ", "–": " - ", "\u2028": "\n", "\u2029": "\n", "\x85": "\n", "\x0b": "\n", "\x0c": "\n"}
    | {"|": " ", "\t": "    "}
)
_CODE_BLOCK = re.compile(r"(?:```|~~~).*?(?:```|~~~|\Z)", re.S)
_INLINE_CODE = re.compile(r"`[^`\n]*`?")
_TAGGED = re.compile(r"<([A-Za-z][\w-]{0,30})[^<>]{0,200}>.*?(?:</\1>|\Z)", re.S)
_NAMED_IN_QUOTES = re.compile(
    r"(\b(?:call me|called|named|name is|name's|go by) )[\"']([^\"'\n]{1,30})[\"'](?!\w)", re.I
)
_QUOTED = re.compile(r"\"[^\"]*(?:\"|\Z)|(?<![\w\"])'(?:[^'\n]|(?<=\w)'(?=\w)){1,600}'(?!\w)")
_QUOTED_LINE = re.compile(
    r"\s*(?:>|\|\s*[,a-z]|\|\s*$|#!|    +\S.*[;{}=()])|\s*(?:On .{5,80} wrote:)|\s*(?!FYI|BTW|PS|P\.S|Update"
    r"|Edit|Note|Correction"
    r"|Context|Background|Reminder|Remember|.{0,20}\b[Aa]bout me)[A-Z][\w .]{0,25}: (?=I\b|I'|My\b|We\b)"
)


def _is_verse(lines: list[str]) -> bool:
    """Whether the text is set in short lines with no stop at their end, as poems, lyrics and lists of data are."""
    full = [line.strip() for line in lines if line.strip()]
    if len(full) < 4 or any(_INTRODUCES_SELF.search(line) for line in full):
        return False
    return sum(line[-1] not in ".!?;" for line in full) > len(full) / 2


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, with the mark that ends them, each on one line."""
    for line in text.split("\n"):
        for sentence in _STOP.split(_BULLET.sub("", line)):
            flat = one_line(sentence)
            if flat and len(flat) <= LONGEST_SENTENCE:
                yield flat


_STOP = re.compile(
    r"(?<=[!?;])\s+|(?<=[^\W\d_][^\W\d_]\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bvs\.)"
    r"(?<!\bProf\.)\s+"
    r"|(?<=[\U0001f000-\U0001faff\u2600-\u27bf])\s+(?=\w)"
    r"|(?<=[\d)'\"|]\.)\s+|(?<=\.\.\.)\s+"
)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")


def _stated(sentence: str) -> str | None:
    """The part of a sentence that its author states, "" for none; None when what follows is given material."""
    if _SARCASM.match(sentence):
        return ""
    sentence = _strip_openers(_REMINDING.sub("", sentence))
    if _MATERIAL.search(sentence) and not _OWN_START.match(sentence):
        return None
    if _TASK.search(sentence):
        return None
    if sentence.endswith("?"):
        asked = _ASKED.search(sentence)
        sentence = sentence[: asked.start()] if asked else ""
    colon = _COLON.search(sentence)
    if colon:
        if not _INTRODUCES_SELF.search(sentence[: colon.start()]):
            if colon.end() == len(sentence):
                return None
            return (
                sentence
                if _TELLS_FAVOURITE.match(sentence)
                else _OWN_HEAD.sub(r"\1", sentence)
                if _OWN_HEAD.match(sentence)
                else ""
            )
        sentence = sentence[colon.end() :].strip()
    return sentence.rstrip(".!; ")


_SARCASM = re.compile(
    r"(?:oh|wow|ah|yeah|sure)?,? ?(?:great|joy|sure|wonderful|fantastic|perfect|yay|lovely|yeah),? (?:I|my|we"
    r"|another|more)\b",
    re.I,
)
_REMINDING = re.compile(r",? (?:remember|as you (?:may )?know|don't forget)\s*[?!.]+$", re.I)
_COLON = re.compile(r":(?=\s|$)")
_TELLS_FAVOURITE = re.compile(r"(?:my )?(?:new )?favou?rite \w+(?: \w+)?: ", re.I)
_OWN_HEAD = re.compile(
    r"((?:I'm|I am|I live|I work|I have|\w+ no longer)\b(?![^:]*\b(?:this|these|following|say|like)\b)[^:]*):.*",
    re.I | re.S,
)
_INTRODUCES_SELF = re.compile(
    r"\b(?:about me|about myself|introduce myself|(?:need to|should) know|my details|my profile|fyi|btw|p\.?s"
    r"|update|edit|note|correction|context|background|reminder|remember)\s*:?$",
    re.I,
)
_OWN_START = re.compile(r"(?:I|my|we|our)\b", re.I)
_MATERIAL = re.compile(
    r"\b(?:translat\w+|proof-?read|rewrite|rephrase|paraphrase|reword|summari[sz]e|grammar|spell-?check|pretend"
    r"|imagine|role-?play\w*|act as|play the (?:role|part)|in the (?:voice|style)|story|poem|jokes?|bio|song|lyrics"
    r"|haiku|limerick|dialogue|monologue|screenplay|scene|fiction|chapter|transcri\w+|the following|this (?:text"
    r"|sentence|phrase|line|quote)|how (?:do|would) (?:I|you|one) say|say in|in (?:french|spanish|german|italian"
    r"|latin|japanese) is|let's play)\b",
    re.I,
)
_TASK = re.compile(
    r"\b(?:want you to|need you to|like you to|can you|could you|would you|please|help me)\b.{0,40}"
    r"\b(?:translate|proof-?read|rewrite|rephrase|paraphrase|pretend|role-?play|act as|summari[sz]e"
    r"|correct(?! me\b))\b",
    re.I,
)
_ASKED = re.compile(
    r"(?:\s*[,;]|\s+-|\s+and|\s+but|\s+so)\s+(?:(?:and|but|so)\s+)?(?:do|does|did|is|are|was|can|could|would|will"
    r"|should|what|what's|whats|where|which|who|who's|how|when|why|any|have you|got any|am i)\b",
    re.I,
)
_TAKEN_BACK = re.compile(r"\b(?:scratch that|I mean|no,? wait|wait,? no|strike that|I meant)\b[, -]*", re.I)
_JOKE = re.compile(
    r"\b(?:just kidding|only kidding|kidding|j/?k|just joking|only joking|joking|sarcasm|haha not|yeah right"
    r"|my character|role-?play\w*)\b|(?<!\S)/s\b|🙄|(?<!\S)not!(?!\w)",
    re.I,
)
_NOT_SO = re.compile(
    r"^(?:if|imagine|supposing|suppose|say|assum(?:e|ing)|what if)\b|\b(?:imagine|hypothetical(?:ly)?|pretend(?:ing)?"
    r"|as though|dream(?:ed|t) |let's say|say I|for example|for instance|e\.g|an? example|character|in (?:the|a"
    r"|my|our|this) (?:book|movie|film|story|game|song|play|novel|dream|campaign)|supposedly|allegedly|rumou?r"
    r"|yeah right|pov|when I was|back when|jokes?|as a (?:kid|child|teenager)|according to"
    r"|or so\b.{0,20}|not really|as they say|the saying)\b"
    r"|^(?:oh |wow |ah )?(?:great|joy|sure|wonderful|fantastic|perfect|yay|lovely)\b"
    r"|\b(?:just|simply|absolutely|really|so) (?:love|adore|enjoy) (?:waiting|being|getting|paying"
    r"|having to|when|how|standing|sitting in|spending|losing|working (?:late|weekends))\b",
    re.I,
)
_DOUBT = re.compile(
    r"\b(?:if|suppose|unless|doubt|say|said|says|saying|tells|told|claims?|claimed|thinks?|believes?|thought|wrote"
    r"|writes|wish(?:es|ed)?(?! me luck)|apparently|maybe|perhaps|might|probably|possibly|wonder(?:ing|ed)?"
    r"|guess|almost|nearly)\b",
    re.I,
)

_OPENER = re.compile(
    r"(?:hi there|hey there|hello there|hi|hello|hey|heya|hiya|good (?:morning|afternoon|evening|day)|greetings"
    r"|in real life|irl"
    r"|well|so|oh|ok|okay|yes|yeah|yep|yup|no|nope|nah|hmm+|um+|uh|ah|actually|also|and|but|or|plus|anyway|sorry"
    r"|thanks|thank you|great|cool|nice|perfect|by the way|btw|fyi|p\.?s\.?|just so you know|for the record"
    r"|for context|for what it's worth|fwiw|to be (?:honest|fair|clear)|tbh|honestly|frankly|truthfully|to clarify"
    r"|correction|update|note|in fact|fun fact|first of all|first off|(?:please )?(?:remember|note|keep in mind"
    r"|don't forget|be aware)(?: that)?|(?:you should|you need to) know(?: that)?|(?:as|like) I (?:said|mentioned"
    r"|told you)(?: before| earlier)?|I(?: already)? (?:told you|said|mentioned)(?: before)?(?: that)?|I (?:should"
    r"|forgot to|want to|wanted to|have to|must) (?:mention|say|add|tell you)(?: that)?|I'm (?:happy|proud|glad|sad"
    r"|sorry|excited) to (?:say|report|announce)(?: that)?|(?:not sure|I don't know|no idea|dunno) (?:if"
    r"|whether)? ?(?:it|this|that) (?:matters|helps|is relevant)|in case (?:it|that) (?:matters|helps)"
    r"|unfortunately|sadly|luckily|fortunately|as you (?:know|may know)|right now|now|nowadays|these days"
    r"|at the moment|currently|originally|personally|recently|lately|today|yesterday|last (?:week|month|year)"
    r"|this (?:week|month|year)|next (?:week|month|year)|tomorrow|for now|since you asked|to answer your question"
    r"|the thing is|the truth is|guess what|one more thing|good news|big news|because(?! of)|cause|though|then|finally"
    r"|still|nice to meet you|as of (?:today|now)|from now on|with that said|that said)(?:\s*[,.!:;]+\s*|\s+-\s+"
    r"|\s+)(?=\S)",
    re.I,
)
_KEPT_OPENERS = re.compile(r"(?:from now on|tomorrow|next \w+|no (?:more )?\w+ for me)", re.I)


def _strip_openers(sentence: str) -> str:
    """The sentence from where it comes to the point."""
    for _ in range(5):
        opener = _OPENER.match(sentence)
        if opener is None or _KEPT_OPENERS.match(sentence):
            break
        sentence = sentence[opener.end() :]
    return sentence


def _clauses(sentence: str) -> Iterator[str]:
    """The clauses of a sentence that speak of its author, with the words that rules look for in one spelling."""
    for clause in _JOINT.split(sentence):
        said = _from_subject(_strip_openers(clause.strip(" ,;-")))
        for whole in [said] if _OWN_START.match(said) else completed(said):
            yield from _with_subject(whole)


def _from_subject(clause: str) -> str:
    """A clause from its subject on: "on Fridays I sing" is "I sing on Fridays", "as a nurse I sleep" is "I sleep"."""
    lead = _LEAD.match(clause)
    if lead is None:
        return clause
    said = clause[lead.end() :]
    return f"{said} {lead[1]}" if _AT_TIMES.match(lead[1]) else said


_AT_TIMES = re.compile(
    r"(?:in \w+ (?:days|weeks|months)|every|each|on \w+days|on weekends|at weekends"
    r"|in the (?:mornings|evenings))\b",
    re.I,
)
_LEAD = re.compile(
    r"((?:as an?|after|because of|due to|thanks to|at (?:home|work|night|school)|on (?:\w+days|weekends)|at weekends"
    r"|every|each|most|outside(?: of)? work|besides|apart from|since (?:\d{4}|last|then)|for (?:work|fun|years)"
    r"|in (?:\w+ (?:days|weeks|months)|the (?:mornings?|evenings?|summer|winter|spring)|summer|winter|spring"
    r"|autumn|my (?:free|spare) time))"
    r"(?: (?!I\b)[\w'-]+){0,5}?),?\s+(?=(?:I|we)(?:'m|'ve|'re)?\s)",
    re.I,
)


_SELF = (
    r"(?:I|I'm|I've|my|we|we're|we've|our|me and my|im|ive"
    r"|(?:every(?:one|body)|(?:most )?people|(?:my )?friends) calls?)"
)
_JOINT = re.compile(
    rf"\s*[,;]?\s+(?:and|but|so|because|although|though|while|plus|cause|'cause|cuz|as|since)\s+(?:now\s+|currently\s+"
    rf"|also\s+|then\s+|yes\s+|yeah\s+)*(?={_SELF}\b)|\s*,\s+(?:now\s+|also\s+|then\s+)?(?={_SELF}\b)"
    r"|,\s+(?:so\s+)?(?=(?:not\s+\w+\s+anymore|been|got an?|bought|moved to|sold (?:my|the)|joined|currently)\b)"
    r"|\s+-\s+|\s*\(|\)\s*|,?\s+(?:well|oh),?\s+(?=I\b)"
    # "i'm tom i live in leeds": nobody sets a comma there.
    r"|(?<!\bthat)(?<!\bwhat)(?<!\bhow)(?<!\bwhen)(?<!\bwhere)(?<!\bif)(?<!\bthan)(?<!\blike)(?<!\bthink)\s+"
    r"(?=I (?:live in|work (?:at|as|for|in)|have (?:an?|two|three|four|\d)|speak|play|study)\b|I'm (?:a|an|from"
    r"|allergic)\b"
    r"|my name is\b)",
)
_VERBS = (
    r"(?:live|work|love|like|hate|have|study|speak|play|enjoy|prefer|own|drive|was born|come from|moved|dislike|teach"
    r"|can't|don't|grew|sing|paint|restore|make|write|do|go|joined|bought|quit|got|collect|grew|use|hate|avoid|own|run|keep|dream|cover|translate)"
)
_ELIDED = re.compile(rf",?\s+(?:and|but)\s+(?:also\s+|then\s+|really\s+|currently\s+|now\s+)?(?={_VERBS}\s)")
_PLAIN_VERB = re.compile(
    rf"(?:I'm|I've been|(?:I|We|we)\s+(?:\w+ly\s+|just\s+|also\s+)?({_VERBS}|speak|collect|run|am|sold|left"
    rf"|quit|got|bought|\w+ed))\b"
)
_GOVERNS = re.compile(r"\b(?:to|how|that|you|help|let|what|when|where|who|which|full of|lots of|so much)\b")


_NAMED_AS = re.compile(
    r"(I'm (?:Dr\.? |Prof\.? )?[A-Z][\w'-]+(?: [A-Z][\w'-]+)?), ((?:an? )?(?:[\w-]+ ){0,3}[\w-]+ (?:from|at|in"
    r"|for) [A-Z].*|an? .+)"
)
_HAVE = re.compile(r"((?:I|we)(?:'ve)? (?:also |now )?(?:have|own|got|adopted)) ", re.I)
_MORE = re.compile(
    r",? (?:and|plus|&) (?=(?:an?|another|one|two|three|four|five|six|\d{1,2}) )|, (?=(?:an?|two|three|four|\d) )"
)


def _with_subject(clause: str) -> list[str]:
    """ "I live in Rome and work at Acme" as two clauses, each with its subject.

    Left whole when the second verb may hang on another word ("to tell stories and teach people") or be a noun.
    """
    named = _NAMED_AS.match(clause)
    if named:
        return [named[1], f"I'm {named[2]}"]
    have = _HAVE.match(clause)
    if have and _MORE.search(clause) and not _GOVERNS.search(clause):
        first, *more = _MORE.split(clause)
        return [first, *(f"{have[1]} {part}" for part in more)]
    first, *more = _ELIDED.split(clause)
    verb = _PLAIN_VERB.match(first)
    if not more or verb is None or _GOVERNS.search(first) or any(part.split()[0] == verb[1] for part in more):
        return [clause]
    return [first, *(f"I {part}" for part in more)]


def canonical(text: str) -> str:
    """Contractions and the pronoun spelt in the one way that rules are written in: `I'm`, `don't`, `anymore`."""
    return _SPELLING.sub(lambda found: _SPELLINGS[(found.lastindex or 1) - 1][1], _I.sub("I", text))


_I = re.compile(r"\bi\b(?!\.)")
_SPELLINGS = (
    (r"\bI am\b|(?<![\w'])im\b", "I'm"),
    (r"\bI have been\b", "I've been"),
    (r"(?<![\w'])ive\b", "I've"),
    (r"\bwe are\b", "we're"),
    (r"\bwe have been\b", "we've been"),
    (r"\bdo not\b|\bdont\b", "don't"),
    (r"\bcan ?not\b|\bcant\b", "can't"),
    (r"\bis not\b|\bisnt\b", "isn't"),
    (r"\bany more\b", "anymore"),
    (r"\bname's\b", "name is"),
    (r"\bI(?:'ve| have) got\b", "I have"),
    (r"\bwe(?:'ve| have) got\b", "we have"),
)
_SPELLING = re.compile("|".join(f"({pattern})" for pattern, _ in _SPELLINGS), re.I)
