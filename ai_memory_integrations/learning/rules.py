"""The table of rules: which words say which fact. Add a line to teach the extractive learner something new.

A rule is tried on one clause at a time (see `statements`), always from its start, so that "my friend says I live in
Rome" never meets a rule for "I live in". Spelling is settled before: `I'm`, `I've`, `don't`, `can't`, `isn't`,
`anymore`. A pattern captures the rest of the clause as `v`; the rule's shape (see `values`) cuts it to the value, or
refuses it. `{adv}` stands for adverbs that change nothing, `{we}` for "I" and "we".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from ai_memory_integrations.learning import values
from ai_memory_integrations.learning.facts import Fact
from ai_memory_integrations.learning.privacy import telling_words
from ai_memory_integrations.learning.words import HOBBY_VERBS, LANGUAGES, LIFE_VERBS, MAKES, SHUNNED_VERBS

Shape = Callable[[str], str]

_FRAGMENTS = {
    "adv": r"(?:(?:really|absolutely|truly|just|also|still|now|currently|personally|recently|actually|honestly|totally"
    r"|genuinely|especially|particularly|do|always|all|finally|both|mostly|mainly|only|definitely|very much|quite"
    r"|kind of|already|happily|generally|usually|normally|strongly|much|officially|originally|so|very|pretty"
    r"|severely|highly|deathly|proudly|super|primarily|basically|simply|secretly|tend to|regularly|seriously)\s+)*",
    "we": r"(?:I|we|my (?:wife|husband|partner|girlfriend|boyfriend|family|fiancée?) and I)",
    "are": r"(?:I'm|we're)",
    "have": r"(?:I|we)\s+(?:{adv})(?:have|own)",
    "partner": r"(?P<t>wife|husband|partner|spouse|girlfriend|boyfriend|fiancée?|hubby|gf|bf)",
    "other": r"(?P<t>boss|manager|editor|coach|teacher|doctor|therapist|landlord|advis[oe]r|trainer|supervisor"
    r"|dentist|vet|tutor|mentor|lawyer|business partner|best friend|maid of honou?r|best man"
    r"|(?:mother|father)[- ]in[- ]law"
    r"|stepmother|stepfather|friend|roommate|flatmate|housemate|colleague"
    r"|co-?worker|neighbou?r|labmate|teammate|bandmate|aunt|uncle|niece|nephew)",
    "relative": r"(?P<t>son|daughter|brother|sister|bro|sis|cousin|grandson|granddaughter)",
    "parent": r"(?P<t>mother|father|mom|mum|dad|grandmother|grandfather)",
    "count": r"(?:a|an|one|two|three|four|five|six|seven|eight|nine|ten|\d{1,2}|twin)",
    "notnow": r"(?:don't|no longer|never)",
    "life": r"(?:" + "|".join(sorted(LIFE_VERBS, key=len, reverse=True)) + ")",
    "shunned": r"(?:" + "|".join(sorted(SHUNNED_VERBS, key=len, reverse=True)) + ")",
    "hobby": "|".join(sorted(HOBBY_VERBS, key=len, reverse=True)),
    "answer": r"(?:answer|reply|respond|write|speak|talk|keep|use|call|address|be|give|show|add|send|explain"
    r"|tell|cite|format"
    r"|include|start|begin|end|sign|remind|check|ask|put|make|translate|spell)",
    "language": "|".join(sorted(map(str.capitalize, LANGUAGES))),
    "make": "|".join(sorted(MAKES)),
    "field": r"(?:finance|marketing|sales|hr|it|tech|healthcare|education|logistics|construction|hospitality"
    r"|advertising"
    r"|insurance|banking|publishing|retail|fashion|film|tourism|consulting|biotech|real estate|human resources"
    r"|public relations|customer support|agriculture|manufacturing|law|politics|media|aerospace|accounting|bookkeeping"
    r"|design|web design|graphic design|research|admin|qa|devops|data entry|payroll|procurement|support|it support|pr"
    r"|photography|security|engineering|events|catering)",
}


@dataclass(frozen=True)
class Rule:
    """One way to say a fact.

    `cue` is text that a clause must hold, in lower case, before the pattern is tried. `label` may name groups of the
    pattern ("Favourite {t}"), and so may `says`, which makes the value ("teaches {v}"). A rule with `retract` takes
    back what its label holds; without a captured value, whatever that is.
    """

    label: str
    cue: str
    pattern: str
    shape: Shape = values.phrase
    says: str = "{v}"
    retract: bool = False
    regex: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pattern = self.pattern.replace("[A-Z]", "(?-i:[A-Z])")
        for _ in range(2):
            pattern = re.sub(r"\{([a-z]+)\}", lambda found: _FRAGMENTS[found[1]], pattern)
        object.__setattr__(self, "regex", re.compile(pattern, re.I))

    def find(self, clause: str) -> Fact | None:
        """The fact that a clause states by this rule."""
        found = self.regex.match(clause)
        if found is None:
            return None
        groups = found.groupdict(default="")
        if "v" in groups:
            groups["v"] = self.shape(groups["v"].strip())
            if not groups["v"]:
                return None
        topic = groups.get("t", "").lower()
        label = self.label.format(t=_TOPICS.get(topic, topic))
        label = label[:1].upper() + label[1:]
        value = self.says.format(**groups) if "v" in groups or self.says != "{v}" else ""
        return Fact(label, value, self.retract)


_TOPICS = {
    "mom": "mother",
    "mum": "mother",
    "dad": "father",
    "bro": "brother",
    "sis": "sister",
    "hubby": "husband",
    "gf": "girlfriend",
    "bf": "boyfriend",
    "adviser": "advisor",
    "coworker": "colleague",
    "co-worker": "colleague",
    "neighbor": "neighbour",
    "maid of honour": "maid of honor",
    "mother in law": "mother-in-law",
    "father in law": "father-in-law",
}


def _say(label: str, cue: str, pattern: str, shape: Shape = values.phrase, says: str = "{v}") -> Rule:
    return Rule(label, cue, pattern, shape, says)


def _unsay(label: str, cue: str, pattern: str, shape: Shape = values.phrase, says: str = "{v}") -> Rule:
    return Rule(label, cue, pattern, shape, says, retract=True)


NAME = (
    _say(
        "Name",
        "name is",
        r"my (?:first |full |real |actual |given )?name is (?:actually |really )?(?P<v>.+)",
        values.name,
    ),
    _say("Name", "isn't", r"my name isn't [^,]+,? (?:it's|but|it is) (?P<v>.+)", values.name),
    _unsay("Name", "isn't", r"my name isn't (?P<v>[^,]+)$", values.name),
    _say("Name", "i'm", r"I'm (?:actually |really )?(?P<v>.+)", values.capital_name),
    _say(
        "Prefers to be called",
        "call",
        r"(?:just )?(?:{adv}(?:you can |you may |everyone (?:can )?|everybody |people |friends |my friends "
        r"|they |please "
        r"|feel free to |do |most people ))*call(?:s)? me (?P<v>.+)",
        values.capital_name,
    ),
    _say("Prefers to be called", "go by", r"I (?:usually |mostly |just )*go by (?P<v>.+)", values.capital_name),
    _say(
        "Prefers to be called",
        "be called",
        r"(?:I'd|I would|I) (?:rather|prefer to|like to|want to) be called (?P<v>.+)",
        values.capital_name,
    ),
    _say("Name", "i'm called", r"I'm called (?P<v>.+)", values.name),
    _say("Pronouns", "pronouns", r"my pronouns are (?P<v>[\w/ ]+)"),
    _say("Pronouns", "pronouns", r"I use (?P<v>\w+/\w+(?:/\w+)?) pronouns"),
)

HOME = (
    _say("Lives in", " live in ", r"{we} {adv}live in (?P<v>.+)", values.place),
    _say("Lives in", "living in ", r"(?:I've|we've) {adv}been living in (?P<v>.+)", values.place),
    _say("Lives in", "living in ", r"{are} {adv}living in (?P<v>.+)", values.place),
    _say("Lives in", "based ", r"{are} {adv}based (?:out of|in) (?P<v>.+)", values.place),
    _say("Lives in", "resid", r"{we} {adv}reside in (?P<v>.+)", values.place),
    _say(
        "Lives in",
        "lived in ",
        r"(?:I've|we've|I have) {adv}lived in (?P<v>.+ (?:since|for|all my life).*)",
        values.place,
    ),
    _say(
        "Lives in",
        " to ",
        r"(?:{we}|I've|we've) {adv}(?:moved|relocated|emigrated|immigrated)(?!.*\bthen\b|.* for (?:college|school"
        r"|uni))(?: back| over| house| out)?(?: from [^,]+?)? to (?P<v>.+)",
        values.known_place,
    ),
    _say("Lives in", "my home", r"my home(?:town)? is (?:now )?(?:in )?(?P<v>.+)", values.known_place),
    _say(
        "Lives in",
        " live ",
        r"{we} {adv}live (?P<v>(?:on|near|by|close to|just outside|outside|next to|north of|south of) .+)",
        values.near,
    ),
    _say("Lives in", "i'm ", r"{are} {adv}(?:based )?(?P<v>near (?:[A-Z]).+)", values.near),
    _say("Grew up in", "grew up", r"I (?:was )?{adv}(?:was born and )?grew up in (?P<v>.+)", values.place),
    _say("Grew up in", "raised in", r"I was raised in (?P<v>.+)", values.place),
    _say("Lives with", "with ", r"{are} {adv}living with (?P<v>my .+)", values.housemates),
    _say(
        "Lives with",
        " share ",
        r"(?:I|we) {adv}share (?:an?|the) (?:flat|house|apartment|place|room) with (?P<v>.+)",
        values.housemates,
    ),
    _say("Lives with", " alone", r"I {adv}live (?:alone|by myself|on my own)(?= in\b| now|$|,)", says="alone"),
    _say("Lives in", "renting ", r"{are} {adv}renting (?P<v>an? .+ in [A-Z].+)", values.place),
    _say("Lives with", " live with ", r"I {adv}live with (?P<v>my .+)"),
    _unsay("Lives in", " live in ", r"{we} {adv}(?:{notnow}) (?:actually |really )?live in (?P<v>.+)", values.place),
    _unsay("Lives in", "live there", r"{we} {adv}(?:don't live there anymore|no longer live there)"),
    _unsay("Lives in", "not living in", r"I'm (?:not|no longer) living in (?P<v>.+)", values.place),
    _unsay("Lives in", "used to live", r"{we} used to live in (?P<v>.+)", values.place),
    _unsay("Lives in", "moved", r"{we} {adv}moved (?:away from|out of) (?P<v>.+)", values.place),
    _say(
        "Is in",
        " in ",
        r"{are} {adv}(?:back |over |up |down |out )?in (?P<v>[A-Z](?!.*\b(?:for (?:the|an?|two|three|\d|work)"
        r"|until|till|visiting|on holiday)\b).*)",
        values.whereabouts,
    ),
    _say(
        "From",
        " home to ",
        r"(?:I|we)?.{0,40}\b(?:go|come|going|coming|fly|went|travel|drive) home to (?P<v>[A-Z]\w+)",
        values.whereabouts,
    ),
    _say("Works in", " in ", r"I'm {adv}(?:an? )(?P<v>.+ in [A-Z].+)", values.job_place),
    _say("From", " from ", r"I'm (?:[A-Z][\w'-]+ (?:[A-Z][\w'-]+ )?)?{adv}from (?P<v>.+)", values.known_place),
    _say("From", " from ", r"I'm {adv}(?:an? )?(?P<v>.+ from .+)", values.origin),
    _say(
        "Lives in",
        " in ",
        r"(?:{we}|I've|we've) {adv}(?:found|rented|got|leased|moved into) an? "
        r"(?:[\w-]+ ){0,2}(?:flat|apartment|room|studio)"
        r" in (?P<v>.+)",
        values.known_place,
    ),
    _say("From", "come from", r"I {adv}come from (?P<v>.+)", values.known_place),
    _say("Born in", "born", r"I was born (?:and raised |and grew up )?in (?P<v>.+)", values.known_place),
    _say("Born in", "born in", r"I was born in (?P<v>.+)", values.year),
    _say("Birthday", "born on", r"I was born on (?P<v>.+)", values.birthday),
    _say("Birthday", "birthday", r"my birthday is (?P<v>.+)", values.birthday),
    _say("Birthday", "birthday", r"my birthday's (?P<v>.+)", values.birthday),
    _say("Age", "i'm", r"I'm (?:[A-Z][\w'-]+, )?{adv}(?P<v>\d.*)", values.age),
    _say("Age", "year", r"I'm {adv}an? (?P<v>\d{1,2})[- ]years?[- ]old\b", values.age),
    _say("Age", "turned", r"I {adv}turned (?P<v>\d.*)", values.age),
    _say("Age", "my age", r"my age is (?P<v>\d.*)", values.age),
    _say("Nationality", "i'm", r"I'm {adv}(?P<v>.+)", values.nationality),
    _say(
        "Nationality",
        "half ",
        r"I'm {adv}(?P<v>half (?-i:[A-Z])\w+(?:,? (?:and )?half (?-i:[A-Z])\w+)?)",
        values.as_said,
    ),
    _unsay("Nationality", "not", r"I'm (?:not|no longer) {adv}(?P<v>.+)", values.nationality),
    _say("Time zone", "time", r"my time ?zone is (?P<v>.+)"),
)

WORK = (
    _say(
        "Works at",
        " work",
        r"I {adv}work (?:[\w-]+ time |[\w-]+ days? a week |part-time |full-time "
        r"|remotely |there )?(?:at|for) (?P<v>.+)",
        values.employer,
    ),
    _say(
        "Works at",
        "working",
        r"(?:I've|I'm) {adv}(?:been )?(?:working|employed) (?:at|for|by) (?P<v>.+)",
        values.employer,
    ),
    _say("Works at", " work", r"I {adv}work (?:in|at) (?P<v>an? .+ in .+)", values.workplace_in),
    _say("Works at", " work", r"I {adv}work as .+? (?:at|for) (?P<v>.+)", values.employer),
    _say("Works at", " ", r"I'm {adv}(?:an?|the) (?P<v>.+ (?:at|for|with|of) .+)", values.workplace),
    _say(
        "Works at",
        "job",
        r"(?:I {adv}(?:got|have|found|started|landed|accepted|took)|I've {adv}(?:got|found|started)) (?:a "
        r"|my )?(?:new |full-time |part-time )*(?:job|position|role) (?:at|with) (?P<v>.+)",
        values.employer,
    ),
    _say("Works at", "working", r"I {adv}(?:started|began) working (?:at|for) (?P<v>.+)", values.employer),
    _say("Works at", "employer", r"my (?:new |current )?employer is (?P<v>.+)", values.employer),
    _say(
        "Works in",
        " work in ",
        r"I {adv}work in (?P<v>{field}\b(?! for| at| with).*)",
    ),
    _say("Works in", " work in ", r"I {adv}work in (?P<v>{field}) (?:for|at|with)\b"),
    _say("Works at", " work in ", r"I {adv}work in {field} (?:for|at|with) (?P<v>.+)", values.employer),
    _say("Works in", "i'm in ", r"I'm {adv}in (?P<v>{field})$"),
    _say("Occupation", " do ", r"I {adv}do (?P<v>{field}) (?:for|at) (?:an?\b|the\b|[A-Z])"),
    _say("Works at", " do ", r"I {adv}do {field} (?:for|at) (?P<v>[A-Z].+)", values.employer),
    _say("Works in", " work ", r"I {adv}work (?:from|out of) (?P<v>[A-Z].+)", values.whereabouts),
    _say("Works at", "leave from", r"I'm {adv}on (?:\w+ )?leave from (?P<v>.+)", values.employer),
    _say("Works at", "i'm with", r"I'm (?:now )?with (?P<v>[A-Z]\w+(?: [A-Z]\w+)*)(?= now\b| these days| since)"),
    _say("Works at", "i'm with", r"I'm (?:now )?with (?P<v>the .+)", values.employer),
    _say("Works at", "joined", r"(?:I|I've) {adv}joined (?P<v>[A-Z].+)", values.employer),
    _say("Works at", "start", r"I(?:'m)? {adv}start(?:ed|ing)? (?:at|with) (?P<v>[A-Z].+)", values.employer),
    _say(
        "Works at",
        "job at",
        r"I(?:'ve)? {adv}(?:got|start|starting|have|had) (?:the|an?|my) (?:new )?(?:job|position|role) (?:at"
        r"|with) (?P<v>.+)",
        values.employer,
    ),
    _say("Occupation", "for a living", r"I {adv}(?P<v>[a-z]+ (?:[\w-]+ ){0,4}?)for a living", values.third),
    _say(
        "Habits",
        " ",
        r"I {adv}(?P<t>repair|restore|design|sell|translate|tutor|groom|breed|bake) (?P<v>.+)",
        values.trade,
        "{t}s {v}",
    ),
    _say("Occupation", "between jobs", r"I'm {adv}between jobs", says="between jobs"),
    _unsay("Works at", "between jobs", r"I'm {adv}between jobs"),
    _unsay("Works at", " ", r"I(?:'ve)? {adv}(?:quit|resigned from|got fired from) (?P<v>[A-Z].+)", values.employer),
    _unsay("Works at", "i'm not with", r"I'm (?:not|no longer) (?:at|with) (?P<v>[A-Z].+)", values.employer),
    _say("Occupation", " work", r"I {adv}work as (?P<v>.+)", values.any_job),
    _say("Occupation", "working as", r"(?:I've|I'm) {adv}(?:been )?working as (?P<v>.+)", values.any_job),
    _say("Occupation", "i'm", r"I'm {adv}(?P<v>(?:an?|the) .+)", values.occupation),
    _say("Occupation", "i'm", r"I'm {adv}(?P<v>(?!an? |the |no )[a-z].+)", values.occupation),
    _say("Occupation", "i'm", r"I'm {adv}(?:an? )?(?P<v>[\w-]+ year (?:[\w-]+ ){0,2}student)\b"),
    _say(
        "Studies",
        "i'm",
        r"I'm {adv}in (?P<v>(?:my )?(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth"
        r"|ninth|tenth|eleventh|twelfth|final) (?:grade|year)(?: of (?:[a-z]+ )?(?:school|college|university|studies"
        r"|training|phd|apprenticeship))?\b)",
    ),
    _say("Occupation", "i've been", r"I've been (?P<v>an? .+)", values.occupation),
    _say("Occupation", "job", r"my (?:new |current )?(?:job|occupation|profession) is (?P<v>.+)", values.occupation),
    _say("Occupation", "promoted", r"I (?:{adv}got|was) (?:{adv})promoted to (?P<v>.+)", values.any_job),
    _say("Occupation", "became", r"I {adv}became (?P<v>.+)", values.occupation),
    _say("Occupation", "i'm", r"I'm {adv}(?P<v>.+)", values.status),
    _say("Occupation", " retired", r"I {adv}retired", says="retired"),
    _unsay("Works at", " retired", r"I(?:'m)? {adv}retired"),
    _say("Occupation", "for myself", r"I {adv}work for myself", says="self-employed"),
    _say("Occupation", "teach", r"I {adv}teach (?P<v>(?!you|him|her|them|my).+)", values.subject, "teaches {v}"),
    _say("Occupation", " ", r"I {adv}(?P<t>run|own|manage) (?P<v>.+)", values.business, "{t}s {v}"),
    _unsay("Works at", " work", r"I {adv}(?:{notnow}) work (?:at|for) (?P<v>.+)", values.employer),
    _unsay("Works at", "used to work", r"I used to work (?:at|for) (?P<v>.+)", values.employer),
    _unsay("Works at", "job", r"I {adv}(?:quit|left|lost|resigned from|gave up) my job"),
    _unsay("Works at", " ", r"I(?:'ve)? {adv}(?:got|was|been) {adv}(?:laid off|fired|made redundant)"),
    _unsay("Works at", "left", r"I {adv}left (?P<v>[A-Z].+)", values.employer),
    _unsay("Occupation", "i'm", r"I'm (?:no longer|not) (?P<v>an? .+)", values.occupation),
    _unsay("Occupation", "i'm", r"I'm (?:no longer|not) {adv}(?P<v>.+)", values.status),
    _say("Studies", "study", r"I {adv}study (?P<v>.+)", values.subject),
    _say("Studies", "studying", r"(?:I'm|I've been) {adv}studying (?P<v>.+)", values.subject),
    _say("Studies", "major", r"(?:I|I'm) {adv}major(?:ing)? in (?P<v>.+)", values.subject),
    _say(
        "Studies",
        "i'm",
        r"I'm (?:doing|pursuing|getting|working on|finishing) (?:a|my) (?:degree|phd|bachelor's|master's|masters"
        r"|doctorate) (?:in|on) (?P<v>.+)",
        values.subject,
    ),
    _say(
        "Studies",
        "thesis",
        r"I'm {adv}(?:writing|finishing|working on|defending) my (?P<v>(?:thesis|dissertation|phd) (?:on|about) .+)",
        values.thing,
    ),
    _say("School", " ", r"I {adv}(?:go to|attend|study at|'m studying at) (?P<v>.+)", values.school),
    _say("School", "student at", r"I'm {adv}an? (?:[\w-]+ )*student at (?P<v>.+)", values.school),
    _unsay("Studies", "studying", r"I (?:stopped|quit|gave up) studying (?P<v>.+)", values.subject),
)

FAMILY = (
    _say(
        "{t}",
        "my ",
        r"my {adv}{partner}(?:'s name)?(?: is called| is named|'s called| is|,)? (?P<v>[A-Z].*)",
        values.capital_name,
    ),
    _say(
        "{t}",
        "my ",
        r"my (?:\w+ )?{relative}(?:'s name)?(?: is called| is named|'s called| is|,)? (?P<v>[A-Z].*)",
        values.capital_name,
    ),
    _say(
        "{t}",
        "my ",
        r"my {parent}(?:'s name)?(?: is called| is named|'s called| is|,)? (?P<v>[A-Z].*)",
        values.capital_name,
    ),
    _say(
        "{t}",
        "my ",
        r"my (?:new |dear |lovely |old |current )?{other}(?:'s name)?(?: is called| is named|'s called"
        r"| is(?: now| going to be| gonna be)?|,)? (?P<v>[A-Z].*)",
        values.person,
    ),
    _say(
        "{t}",
        "have a",
        r"{have} an? (?:[\w-]+ )?(?P<t>son|daughter|brother|sister|cousin)(?:,| called| named"
        r"|, called)? (?P<v>[A-Z].*)",
        values.capital_name,
    ),
    _say(
        "{t}",
        "have a",
        r"I have an? (?:new |lovely )?{partner}(?: now)?,?(?: called| named)? (?P<v>[A-Z].*)",
        values.capital_name,
    ),
    _unsay(
        "Relationship",
        "have a",
        r"I have an? (?:new |lovely )?(?P<v>boyfriend|girlfriend|partner|husband|wife)\b",
        values.was_single,
    ),
    _say("Child", "my child", r"my child (?P<v>[A-Z]\w+(?:, \d+)?)$", values.as_said),
    _say("Partner", "engaged to", r"(?:I'm|I just got|I got) {adv}engaged to (?P<v>[A-Z].*)", values.capital_name),
    _say("Relationship", "engaged to", r"I {adv}got engaged to [A-Z]", says="engaged"),
    _say("Partner", "married", r"I(?:'ve| have) {adv}been married to (?P<v>[A-Z].*)", values.capital_name),
    _say("Relationship", "been married", r"(?:I've|we've) {adv}been married\b", says="married"),
    _unsay(
        "Wife",
        " and i",
        r"(?P<v>[A-Z]\w+) and I {adv}(?:broke up|split up|got divorced|separated|are over|aren't together)",
        values.capital_name,
    ),
    _say("Partner", "married to", r"I'm {adv}married to (?P<v>.+)", values.capital_name),
    _say(
        "Relationship",
        "i'm",
        r"(?:I'm|we're) {adv}(?P<v>married|single|divorced|engaged|widowed|separated)(?= to [A-Z]|$|,| and| with"
        r"| for|\.)",
        str.lower,
    ),
    _say("Relationship", "married", r"(?:I|we) {adv}got married(?! (?:next|in (?!\d{4})|this))", says="married"),
    _say("Relationship", "divorced", r"(?:I|we) {adv}got divorced", says="divorced"),
    _say("Relationship", "engaged", r"(?:I|we) {adv}got engaged", says="engaged"),
    _unsay("Relationship", "i'm", r"(?:I'm|we're) (?:not|no longer) (?P<v>married|single|engaged)\b", str.lower),
    _unsay("Wife", " ", r"(?:I|we) {adv}(?:got divorced|split up|broke up|separated)(?! with)"),
    _unsay("Wife", "i'm", r"I'm {adv}(?:divorced|single|separated)"),
    _unsay("Wife", "broke up", r"I {adv}broke up with (?P<v>[A-Z].*)", values.capital_name),
    _unsay(
        "Wife",
        "my ",
        r"(?:I {adv}(?:broke up with|left|divorced) my (?:wife|husband|partner|girlfriend|boyfriend)|my (?:wife"
        r"|husband|partner|girlfriend|boyfriend)(?: and I)? {adv}(?:broke up|split up|separated|left me"
        r"|got divorced|divorced))",
    ),
    _say(
        "Children",
        " ",
        r"{have} (?P<v>{count} (?:\w+ )?(?:(?:step)?kids?|(?:step)?child(?:ren)?|sons?|daughters?|boys|girls"
        r"|twins)\b.*)",
        values.children,
    ),
    _say(
        "Children",
        " of ",
        r"I'm {adv}(?:an? )?(?:\w+ )?(?:mother|father|mom|mum|dad|parent) of (?P<v>{count}\b(?: (?:boys|girls"
        r"|sons|daughters|kids|teenagers|teens|toddlers))?)(?! (?:dogs|cats))",
    ),
    _say("Children", "have t", r"(?:I|we) {adv}have (?P<v>(?:\w+ )?(?:twins|triplets))\b"),
    _say(
        "Siblings",
        " ",
        r"I have (?P<v>{count} (?:(?!twin\b)\w+ )?(?:brothers?|sisters?|siblings)\b(?!,? (?-i:[A-Z])).*)",
        values.children,
    ),
)

PETS = (
    _unsay(
        "Pets", " put ", r"(?:I|we) had to put (?P<v>[A-Z]\w+|(?:my|our) \w+) (?:down|to sleep)", values.named_animal
    ),
    _unsay("Pets", " ", r"(?:poor )?(?P<v>[A-Z]\w+) {adv}(?:died|passed away|ran away)\b", values.capital_name),
    _say(
        "Pets",
        "called",
        r"we have (?P<v>(?:some |two |three |four )?(?:dogs|cats|puppies|kittens|rabbits|horses|parrots"
        r"|hens) called .+)",
        values.as_said,
    ),
    _say("Pets", " ", r"{have} (?P<v>{count} .+)", values.pet),
    _say("Pets", " keep ", r"(?:I|we) {adv}keep (?P<v>{count} .+)", values.pet),
    _say("Pets", "adopted", r"(?:I|we|I've|we've) {adv}adopted (?P<v>{count} .+)", values.pet),
    _say("Pets", " got ", r"(?:I|we) {adv}got (?P<v>{count} .+)", values.pet),
    _say(
        "Pets",
        "my ",
        r"(?:my|our) (?P<t>dog|cat|puppy|kitten|rabbit|hamster|parrot|horse|tortoise)(?:'s name)?(?: is called"
        r"| is named|'s called| is|,)? (?P<v>[A-Z].*)",
        values.capital_name,
        "{t} called {v}",
    ),
    _unsay(
        "Pets",
        " ",
        r"(?:my|our) (?P<v>(?:dog|cat|puppy|kitten|rabbit|hamster|parrot|horse"
        r"|tortoise)(?: [A-Z]\w+)?)(?: \w+)? (?:died|passed away|ran away)",
    ),
    _unsay("Pets", "lost", r"(?:I|we) lost (?:my|our) (?P<v>(?:dog|cat|rabbit|hamster|parrot|horse)(?: [A-Z]\w+)?)$"),
    _unsay("Pets", " ", r"(?:I|we) (?:don't|no longer) have (?:a |an |any |my |our )?(?P<v>.+)", values.pet),
)

NEEDS = (
    _say("Allergic to", "allergic to", r"I'm {adv}allergic to (?P<v>.+)", values.allergen),
    _say(
        "Allergic to",
        "allergy",
        r"I have (?:an? )?{adv}(?:(?:severe|bad|mild|serious|strong|terrible) )?allergy to (?P<v>.+)",
        values.allergen,
    ),
    _say(
        "Allergic to",
        "allergy",
        r"I have (?:an? )?{adv}(?:(?:severe|bad|mild|serious|strong|terrible) )?(?P<v>\w+(?: \w+)?) allergy\b",
        values.allergen,
    ),
    _unsay("Allergic to", "allergic to", r"I'm (?:not|no longer) {adv}allergic to (?P<v>.+)", values.allergen),
    _say("Health", "i'm", r"I'm {adv}(?P<v>.+)", values.condition),
    _unsay("Health", "i'm", r"I'm (?:not|no longer) {adv}(?P<v>.+)", values.condition),
    _say("Health", "ha", r"(?:I have|I've had) (?P<v>.+)", values.ailment),
    _say("Health", "i've", r"I've (?P<v>(?!had|been).+)", values.ailment),
    _say("Health", "suffer", r"I {adv}suffer from (?P<v>.+)", values.ailment),
    _say("Health", "diagnosed", r"(?:I was|I've been|I got) {adv}diagnosed with (?P<v>.+)", values.any_ailment),
    _say(
        "Needs",
        " ",
        r"I {adv}(?:need|use|wear|rely on|require|depend on|need to use|have to use|have) (?P<v>.+)",
        values.aid,
    ),
    _say("Diet", "i'm", r"I'm {adv}(?:on )?(?P<v>.+)", values.diet),
    _say("Diet", "i've been", r"I've {adv}been (?P<v>.+)", values.diet),
    _say("Diet", " ", r"I(?:'ve)? {adv}(?:went|go|gone|became|become|turned|eat|keep|follow) (?P<v>.+)", values.diet),
    _say("Diet", " diet", r"(?:I'm|I've been) {adv}(?:on|following) (?:a |the )?(?P<v>[\w-]+) diet", values.diet),
    _unsay("Diet", "i'm", r"I'm (?:not|no longer) {adv}(?P<v>.+)", values.diet),
    _unsay("Diet", "stopped being", r"I stopped being (?P<v>.+)", values.diet),
    _unsay("Diet", "used to be", r"I used to be (?P<v>.+)", values.diet),
    _say(
        "Avoids",
        " eat ",
        r"I {adv}(?:don't|can't|never|mustn't|must not|shouldn't|may not) {adv}eat (?P<v>.+)",
        values.food,
    ),
    _say("Avoids", "eating", r"I {adv}(?:avoid|stopped|gave up|quit) eating (?P<v>.+)", values.food),
    _say("Avoids", "avoid", r"I {adv}avoid (?P<v>.+)", values.given_up),
    _say(
        "Avoids",
        " ",
        r"I(?:'ve)? {adv}(?:can't have|can't do|can't tolerate|can't digest|don't do|gave up|given up|quit"
        r"|cut out|stopped having"
        r"|don't touch|stay away from|went off) (?P<v>.+)",
        values.given_up,
    ),
    _say("Avoids", " me", r"(?P<v>.+?) (?:doesn't|don't|does not|do not) agree with me", values.given_up),
    _say("Avoids", " me", r"(?P<v>.+?) makes? me (?:sick|ill|puke|throw up|vomit|itch|break out)", values.given_up),
    _unsay(
        "Avoids", "again", r"I {adv}(?:eat|drink|have|started (?:eating|drinking)) (?P<v>.+?) again", values.given_up
    ),
    _unsay("Diet", "not ", r"I'm (?:so )?not (?P<v>\w+) anymore", values.diet),
    _say(
        "Health",
        " ",
        r"(?:I have|I've had) an? (?P<v>(?:bad|dodgy|weak|artificial) (?:knee|knees|back|shoulder|hip|heart|ankle"
        r"|wrist|leg|neck|foot|arm|eyesight|nerve|elbow))\b",
    ),
    _say("Health", "recovering", r"I'm {adv}(?P<v>recovering from .+)", values.phrase),
    _say("Health", " take", r"I {adv}(?:take|have to take) (?P<v>.+)", values.medicine, "takes {v}"),
    _say("Health", "i'm on ", r"I'm {adv}on (?P<v>.+)", values.medicine, "on {v}"),
    _say(
        "Health",
        " get ",
        r"I {adv}(?:get|suffer from) {adv}(?:terribly |badly )?(?P<v>seasick|carsick|airsick"
        r"|motion sick(?:ness)?|migraines|hay fever|panic attacks)\b",
    ),
    _say("Needs", "wheelchair", r"I'm {adv}in a (?P<v>wheelchair)\b"),
    _say("Avoids", " drink ", r"I {adv}(?:don't|can't|never|mustn't) {adv}drink (?P<v>.+)", values.food),
    _say("Avoids", " drink", r"I {adv}don't drink(?:$|,)", says="alcohol"),
    _unsay("Avoids", " eat ", r"I can eat (?P<v>.+?) (?:again|now)"),
    _unsay("Avoids", " eat", r"I {adv}(?:eat|started eating) (?P<v>.+?) again"),
    _say(
        "Contact",
        " me ",
        r"(?:please )?(?:only )?(?:contact|reach) me (?P<v>(?:by|via|through|only|after \d|before \d"
        r"|in the (?:morning|afternoon|evening)).*)",
        values.wish,
    ),
    _say("Contact", "reach me", r"the best (?:way|time) to (?:reach|contact) me is (?P<v>.+)", values.wish),
    _say(
        "Contact",
        " me",
        r"(?:please )?(?P<v>(?:don't|never) (?:call|email|text|phone|ring|contact) me\b.*)",
        values.wish,
    ),
    _say("Wishes", "always", r"(?:please )?always (?P<v>{answer} .+)", values.wish),
    _say(
        "Wishes",
        "please",
        r"please (?P<v>(?:keep|make) (?:your|the) (?:answers|replies|responses|explanations) .+)",
        values.wish,
    ),
    _say("Wishes", "from now on", r"(?:please )?(?P<v>{answer} .+?),? from now on", values.wish),
    _say("Wishes", "please", r"please (?P<v>never (?!mind).+)", values.wish),
    _say(
        "Wishes",
        "from now on",
        r"from now on,? (?:please )?(?:always )?(?P<v>(?:answer|reply|respond|write|speak|talk|keep|use|call"
        r"|address|be|give|never|don't|send|explain) .+)",
        values.wish,
    ),
    _say("Wishes", " you to ", r"I (?:want|need|would like|'d like|prefer) you to always (?P<v>.+)", values.wish),
)

TASTE = (
    _say(
        "Likes", " ", r"(?:I|we) {adv}(?:like|love|enjoy|adore|loved? to|can't get enough of) (?P<v>.+)", values.loved
    ),
    _say(
        "Likes",
        "i'm",
        r"I'm {adv}(?:into|fond of|crazy about|keen on|obsessed with|passionate about|mad about"
        r"|a sucker for) (?P<v>.+)",
        values.loved,
    ),
    _say(
        "Likes",
        "fan of",
        r"I'm {adv}an? {adv}(?:huge |big |massive |great |lifelong |avid |die-hard |real )*fan of (?P<v>.+)",
        values.loved,
    ),
    _say(
        "Dislikes",
        " ",
        r"I {adv}(?:hate|dislike|despise|detest|loathe|can't stand(?! up\b| still| straight| here| on\b| in\b"
        r"| by\b| next)|can't bear) (?P<v>(?!to\b).+)",
        values.loved,
    ),
    _say(
        "Dislikes",
        "don't",
        r"I {adv}don't {adv}(?:like|enjoy|love|care for) (?P<v>(?!to\b|.*\banymore\b).+)",
        values.loved,
    ),
    _say(
        "Dislikes",
        "not",
        r"I'm not {adv}(?:an? {adv}(?:huge |big |great )?fan of|into|fond of|keen on|crazy about) (?P<v>(?!to\b"
        r"|.*\banymore\b).+)",
        values.loved,
    ),
    _unsay("Likes", "anymore", r"I {adv}don't {adv}(?:like|love|enjoy|adore|care for) (?P<v>.+)", values.loved),
    _unsay("Likes", "no longer", r"I {adv}no longer {adv}(?:like|love|enjoy|adore|care for) (?P<v>.+)", values.loved),
    _unsay(
        "Likes",
        " ",
        r"I'm (?:not|no longer) {adv}(?:an? {adv}(?:huge |big )?fan of|into|fond of|keen on|crazy about"
        r"|obsessed with) (?P<v>.+)",
        values.loved,
    ),
    _unsay("Likes", "used to", r"I used to (?:like|love|enjoy|adore|be into) (?P<v>.+)", values.loved),
    _unsay("Likes", "stopped", r"I(?:'ve)? stopped (?:liking|loving|enjoying) (?P<v>.+)", values.loved),
    _unsay("Dislikes", " ", r"I {adv}(?:don't|no longer) {adv}(?:hate|dislike|mind) (?P<v>.+)", values.loved),
    _unsay("Dislikes", "used to", r"I used to (?:hate|dislike) (?P<v>.+)", values.loved),
    _say(
        "Favourite {t}",
        "favo",
        r"my (?:all-time |all time |absolute )?favou?rite (?P<t>[a-z]+(?: [a-z]+)?)(?: of all time)? (?:is|are"
        r"|has always been|will always be) (?:definitely |probably |still |now |actually )?(?P<v>.+)",
        values.thing,
    ),
    _say("Likes", "nothing beats", r"nothing beats (?P<v>.+)", values.loved),
    _say(
        "Likes",
        " fan",
        r"I'm {adv}an? (?:huge|big|massive|lifelong|die-hard"
        r"|great) (?P<v>[\w' -]+?) fan\b",
        values.loved,
    ),
    _say("Likes", "addicted", r"I'm {adv}(?:addicted to|hooked on) (?P<v>.+)", values.loved),
    _say(
        "Likes",
        " for ",
        r"I(?:'ve)? {adv}(?:have|got) a (?:soft spot|weakness|thing|passion) for (?P<v>.+)",
        values.loved,
    ),
    _say("Likes", "loved", r"I(?:'ve| have) always (?:loved|liked|enjoyed|been into) (?P<v>.+)", values.loved),
    _say(
        "Likes",
        " person",
        r"I'm {adv}an? {adv}(?:total |big )?(?P<v>cat|dog|horse|animal|book|tea|coffee|wine|beach|mountain) person\b",
        values.of_person,
    ),
    _say(
        "Favourite {t}", ":", r"(?:my )?(?:new )?favou?rite (?P<t>[a-z]+(?: [a-z]+)?)(?: now)?: (?P<v>.+)", values.thing
    ),
    _say("Prefers", " person", r"I'm more of an? (?P<v>\w+) person\b", values.as_said),
    _say(
        "Prefers", "rather", r"(?:I'd|I would) {adv}rather (?P<v>(?!not\b|be called|you\b)\w+ .+ than .+)", values.loved
    ),
    _say(
        "Dislikes",
        " my ",
        r"(?P<v>(?!that|this|it\b|they|the\b)[\w' -]+?) (?:isn't|aren't|is not|are not) {adv}my (?:thing"
        r"|cup of tea|jam)",
        values.loved,
    ),
    _say("Dislikes", "not", r"I'm not {adv}(?:big on|much for|one for) (?P<v>.+)", values.loved),
    _say(
        "Favourite {t}",
        "my favo",
        r"(?P<v>[A-Z][\w' ]+?) (?:is|are) (?:still |by far |definitely |probably )?my (?:all-time "
        r"|absolute )?favou?rite (?P<t>[a-z]+(?: [a-z]+)?)$",
        values.thing,
    ),
    _unsay("Likes", " off ", r"I(?:'ve)? {adv}(?:gone|went|am|'m) (?:right |completely )?off (?P<v>.+)", values.loved),
    _say(
        "Hobby",
        " ",
        r"I {adv}(?P<v>{hobby})(?=$|,| a lot| for fun| in my| since| regularly| competitively| as a hobby| too\b)",
        values.third,
    ),
    _say(
        "Hobby",
        " ",
        r"I {adv}(?P<t>paint|draw|sew|brew|grow|carve|photograph|breed|keep|restore|build) (?P<v>bees|chickens"
        r"|hens|minis|miniatures|portraits"
        r"|landscapes|watercolou?rs|beer|mead|vegetables|tomatoes|roses|orchids|cacti|model (?:trains|ships"
        r"|planes)|wood|birds|koi|ducks|pottery|quilts)\b",
        values.as_said,
        "{t}s {v}",
    ),
    _say("Skills", " in ", r"I {adv}(?:code|program|develop|write code) {adv}in (?P<v>.+)", values.skill),
    _say("Skills", " know ", r"I {adv}know (?:some |a bit of |a little )?(?P<v>.+)", values.skill),
    _say(
        "Skills",
        "good at ",
        r"I'm {adv}(?:good|great|decent|skilled) at (?P<v>(?!it\b|that\b|this\b)[\w ]+?)(?= and\b| but\b|,|$)",
        values.learnt,
    ),
    _say("Speaks", "speaking", r"I {adv}(?:was )?(?:grew up|raised) speaking (?P<v>.+)", values.languages),
    _say("Speaks", " in ", r"I {adv}(?:write|think|dream|count|swear|pray|work) in (?P<v>.+)", values.languages),
    _say("Speaks", "bilingual", r"I'm {adv}(?:bi|tri)lingual[,:]?(?: in| -)? ?(?P<v>.+)", values.languages),
    _say(
        "Speaks",
        "my ",
        r"my (?P<v>[A-Z][a-z]+) is {adv}(?:not |a bit |a little )?(?:rusty|ok|okay|fluent|basic|good|great|bad"
        r"|terrible|decent|poor|better)",
        values.languages,
    ),
    _say(
        "Native language",
        " is my ",
        r"(?P<v>[A-Z]\w+) is my (?:native|first|mother) (?:language|tongue)",
        values.languages,
    ),
    _say("Uses", " use ", r"I {adv}use (?P<v>.+)", values.tool),
    _say("Uses", "i'm on ", r"I'm {adv}on (?P<v>.+)", values.tool),
    _say(
        "Uses",
        " to ",
        r"I(?:'ve)? {adv}(?:switched|changed|migrated|moved)(?: over| back)? (?:from .+? )?to (?P<v>.+)",
        values.tool,
    ),
    _unsay(
        "Uses",
        " from ",
        r"I(?:'ve)? {adv}(?:switched|changed|migrated|moved)(?: over| back)? from (?P<v>[A-Z]\w*(?: [A-Z]\w*)?) to ",
        values.as_said,
    ),
    _unsay("Uses", " using ", r"I(?:'ve)? {adv}(?:stopped|quit|gave up) using (?P<v>.+)", values.tool),
    _say("Prefers", "prefer", r"I {adv}prefer (?P<v>(?!to be called).+)", values.loved),
    _say("Hobby", "hobb", r"my (?:main |favou?rite |biggest )?hobb(?:y|ies)(?: is| are) (?P<v>.+)", values.thing),
    _say("Hobby", "time", r"in my (?:free|spare) time,? I {adv}(?:like to |love to |enjoy )?(?P<v>.+)", values.thing),
    _say("Hobby", "collect", r"I {adv}collect (?P<v>.+)", values.collection, "collects {v}"),
    _say("Speaks", "speak", r"I {adv}(?:can )?speak {adv}(?P<v>.+)", values.languages),
    _say(
        "Habits",
        "don't",
        r"I {adv}don't (?P<v>drive|smoke|vape|gamble|swim|fly|cycle)(?= at all|$|,| and| so| but| or|\.)",
        says="does not {v}",
    ),
    _say(
        "Habits",
        " ",
        r"I {adv}(?P<v>(?:go to|look after|take the (?:train|bus|tram|ferry|metro|tube)|get up|wake up"
        r"|go to bed|go (?:running|swimming|climbing|dancing|cycling"
        r"|hiking)|work (?!hard|on\b)|swim|run(?= every| on\b| in the| daily| twice| three)"
        r"|jog|climb|cycle|train|sing|volunteer|cook|meditate|do yoga|do pilates|dance|practi[cs]e|fast|visit"
        r"|call|see my|commute|bike|walk|swim|row|have (?:lessons|class|classes"
        r"|therapy|practice|choir|band practice|dialysis|physio)|teach|take (?:classes|lessons))\b.+)",
        values.habit,
    ),
    _say("Habits", "smok", r"I {adv}(?:smoke|vape)$", says="smokes"),
    _unsay("Habits", "smok", r"I(?:'ve)? {adv}(?:quit|stopped|gave up|given up) smoking", says="smokes"),
    _say("Habits", "smok", r"I(?:'ve)? {adv}(?:quit|stopped|gave up|given up) smoking", says="does not smoke"),
    _unsay("Habits", "started", r"I(?:'ve)? {adv}started (?:driving|smoking|vaping|swimming|flying|cycling)"),
    _say("Speaks", "fluent in", r"I'm {adv}fluent in (?P<v>.+)", values.languages),
    _say(
        "Native language",
        "my ",
        r"my (?:native (?:language|tongue)|first language|mother tongue) is (?P<v>.+)",
        values.languages,
    ),
    _say("Native language", "native", r"I'm a native (?P<v>.+) speaker", values.languages),
    _say("Learning", "learning", r"(?:I'm|I've been|I've started|I started) {adv}learning (?P<v>.+)", values.learnt),
    _unsay(
        "Learning", "learning", r"I(?:'ve)? (?:stopped|gave up|quit|given up) (?:on )?learning (?P<v>.+)", values.learnt
    ),
    _unsay(
        "Learning",
        "gave up",
        r"I(?:'ve)? {adv}(?:gave up|given up|quit|stopped)(?: on)? (?:learning )?(?P<v>[A-Z]\w+)$",
        values.as_said,
    ),
    _say(
        "Learning",
        "taking ",
        r"(?:I'm|I've|I've been|I've started|I started|I) {adv}(?:started )?(?:taking"
        r"|having) (?P<v>[\w ]+?) (?:lessons|classes)\b",
        values.learnt,
    ),
    _say("Plays", "play", r"I {adv}play (?P<v>.+)", values.played),
    _say("Plays", "playing", r"I've {adv}been playing (?P<v>.+)", values.played),
    _unsay("Plays", "play", r"I (?:don't|no longer|stopped|used to) play(?:ing)? (?P<v>.+)", values.played),
)

LIFE = (
    _say(
        "Has",
        "have a",
        r"(?:I|we) {adv}have an? (?P<v>[A-Z][\w-]+(?: (?:[A-Z]|\d)[\w-]*)*)(?= now\b|$)",
        values.as_said,
    ),
    _say("Has", " own a", r"I own an? (?P<v>(?:{make})\b.*)", values.vehicle),
    _say(
        "Has",
        " for a",
        r"(?:I|we) {adv}(?:traded|swapped|exchanged) (?:in )?(?:my|our|the) .+? for (?P<v>an? .+)",
        values.vehicle,
    ),
    _unsay(
        "Has",
        " for a",
        r"(?:I|we) {adv}(?:traded|swapped|exchanged) (?:in )?(?:my|our|the) (?P<v>.+?) for ",
        values.as_said,
    ),
    _say("Has", "instead", r"(?:I|we) {adv}(?:got|bought|have) (?P<v>an? [A-Z].+) instead", values.vehicle),
    _unsay("Has", "sold the", r"(?:I|we) {adv}sold the (?P<v>.+)", values.sold),
    _say(
        "Has",
        "don't ",
        r"(?:I|we) {adv}don't (?:have|own) (?:an? |any )?(?P<v>car|tv|television|bike|garden|driving licen[cs]e"
        r"|driver's licen[cs]e|smartphone|dishwasher|oven"
        r"|microwave|freezer|bathtub|balcony|credit card|printer)(?=$|,| and| so| but| at| or| anymore)",
        says="no {v}",
    ),
    _unsay(
        "Has", " a", r"{have} (?:an? )(?:\w+ )?(?P<v>car|tv|bike|garden|dishwasher|oven|microwave)\b", says="no {v}"
    ),
    _say(
        "Is",
        "i'm",
        r"I'm {adv}(?P<v>left-handed|right-handed|ambidextrous|(?:an? )?(?:introvert|extrovert|insomniac"
        r"|perfectionist|night owl|early bird|early riser|morning person"
        r"|night person|only child|twin|veteran|expat|immigrant|refugee|orphan|foster parent|grandmother"
        r"|grandfather|grandparent|widow|widower|nomad|digital nomad))(?=$|,| and| so| but|\.)",
        values.as_said,
    ),
    _say("Is", " tall", r"I'm {adv}(?P<v>\d[\d.,' ]*(?:m|cm|ft|feet|foot)?(?: ?\d+)? tall)\b", values.as_said),
    _say(
        "Plans",
        " is ",
        r"(?:my|our) (?P<t>(?:[\w-]+ ){0,2}(?:trip|holiday|vacation|wedding|honeymoon|move|interview|exam|exams"
        r"|surgery|operation|flight|conference|marathon|driving test"
        r"|test|appointment|concert|race|graduation|defen[cs]e|due date|scan|party)(?: (?:to|in"
        r"|with) [A-Z]\w+)?) is {adv}(?P<v>(?:on |in |at |this |next |tomorrow|due ).*)",
        values.when,
        "{t} {v}",
    ),
    _say(
        "Plans",
        " is ",
        r"(?:the |my )?(?P<t>exam|defen[cs]e|surgery|interview|driving test|due date|graduation"
        r"|thesis defen[cs]e) is {adv}(?P<v>(?:on |in |at |this |next |tomorrow).*)",
        values.when,
        "{t} {v}",
    ),
    _say(
        "Plans", "wedding", r"(?:the|our) wedding is {adv}(?P<v>(?:on |in |this |next ).*)", values.when, "wedding {v}"
    ),
    _say(
        "Plans",
        " ",
        r"{we} {adv}(?P<v>(?:fly|travel|leave|move|drive|sail|head) (?:to|for) (?:the )?[A-Z].+)",
        values.plan,
    ),
    _say("Plans", "off to ", r"{are} {adv}off to (?P<v>[A-Z].+)", values.plan),
    _say(
        "Plans",
        "booked",
        r"(?:I|we|I've|we've) {adv}booked (?:an? |our |my )?(?P<v>(?:trip|flight|flights|holiday|cruise|hotel"
        r"|cabin|table).+)",
        values.journey,
    ),
    _say("Plans", "due ", r"I'm pregnant,? due (?P<v>(?:in|on) .+)", values.when, "due {v}"),
    _say("Plans", "expecting", r"{are} {adv}(?P<v>expecting (?:our|my|a|another) .+)", values.as_said),
    _say("Plans", " be ", r"I'll be (?P<v>\d\d (?:in|on|next|this) .+)", values.turning),
    _say("Plans", "turning", r"I'm {adv}turning (?P<v>\d\d (?:in|on|next|this) .+)", values.turning),
    _unsay(
        "Plans",
        " is off",
        r"(?:my|our|the) (?P<v>[\w ]+?) (?:is|are) (?:off|cancell?ed|called off|not happening)$",
        values.journey_named,
    ),
    _say("Goal", "always wanted", r"I(?:'ve| have) always wanted to (?P<v>.+)", values.thing),
    _say(
        "Goal",
        " like to ",
        r"(?:I'd|I would) {adv}(?:like|love) to (?P<v>(?:learn|visit|become|run an?|write an?|move to"
        r"|travel) .*\b(?:someday|one day|this year|next year|eventually))",
        values.ambition,
    ),
    _say(
        "Goal",
        "trying to",
        r"I'm {adv}trying to (?P<v>(?:quit|stop|give up|lose|learn|get (?:fit|in shape|pregnant)|eat (?:less"
        r"|more|healthier)|drink less|save) .*|get pregnant)",
        values.ambition,
    ),
    _say("Has", " ", r"{have} (?P<v>{count} .+)", values.possession),
    _say("Has", "bought", r"(?:I|we|I've|we've) {adv}bought (?P<v>{count} .+)", values.possession),
    _say("Has", "drive", r"I {adv}drive (?P<v>an? .+)", values.vehicle),
    _say("Has", " ride", r"I {adv}ride (?P<v>an? .+)", values.possession),
    _unsay("Has", "sold", r"(?:I|we) {adv}sold (?:my|our) (?P<v>.+)", values.possession),
    _unsay(
        "Has", " have", r"(?:I|we) (?:don't|no longer) (?:have|own) (?:a |an |my |our )?(?P<v>.+)", values.possession
    ),
    _say("Plans", "going to", r"{are} {adv}going to (?P<v>.+)", values.plan),
    _say("Plans", "gonna", r"{are} {adv}gonna (?P<v>.+)", values.plan),
    _say("Plans", "planning", r"{are} {adv}planning (?P<v>(?:an?|my|our) .+)", values.event),
    _say("Plans", "planning", r"{are} {adv}planning (?:to|on) (?P<v>.+)", values.plan),
    _say("Plans", "plan to", r"{we} {adv}plan to (?P<v>.+)", values.plan),
    _say(
        "Plans", "ing to", r"{are} {adv}(?P<v>(?:moving|travell?ing|flying|relocating|heading) to .+)", values.journey
    ),
    _say(
        "Plans",
        "ing ",
        r"{are} {adv}(?P<v>(?:visiting|getting married|starting|running|retiring|graduating|hosting|expecting)\b.+)",
        values.plan,
    ),
    _say("Plans", "have", r"{have} (?P<v>(?:an?|my) .+)", values.future),
    _unsay(
        "Plans", "cancel", r"(?:I|we|I've|we've) {adv}(?:cancell?ed|called off) (?:my|our|the) (?P<v>.+)", values.thing
    ),
    _unsay(
        "Plans",
        "not",
        r"{are} (?:not|no longer) (?:going to|planning (?:to|a)|travell?ing to|flying to|moving to) (?P<v>.+)",
        values.thing,
    ),
    _say(
        "Goal",
        "my ",
        r"my (?:main |big |biggest |ultimate |lifelong )*(?:goal|dream|ambition|aim"
        r"|resolution)(?: for (?:this year|next year|the year|20\d\d|life))? is (?:to )?(?P<v>.+)",
        values.thing,
    ),
    _say("Goal", "training for", r"I'm {adv}(?P<v>training for .+)", values.thing),
    _say("Goal", "saving", r"(?:I'm|we're) {adv}(?P<v>saving (?:up )?for .+)", values.thing),
    _say("Goal", " to ", r"I {adv}(?:want to|hope to|would love to|dream of|'m hoping to) (?P<v>.+)", values.ambition),
    _unsay("Goal", " ", r"I (?:no longer|don't) want to (?P<v>.+)", values.ambition),
)

RULES: tuple[Rule, ...] = (*NAME, *HOME, *WORK, *FAMILY, *PETS, *NEEDS, *TASTE, *LIFE)

# Tried on what no other rule has understood.
FALLBACK: tuple[Rule, ...] = (
    _say("Activities", " ", r"I {adv}(?P<v>{life} .+)", values.activity),
    _say("Activities", "don't ", r"I {adv}don't {adv}(?P<v>{shunned} .+)", values.shunned, "does not {v}"),
    _say(
        "Activities",
        " run ",
        r"I {adv}(?P<v>run an? (?:.* )?(?:campaign|club|group|choir|blog|podcast|channel|meetup|newsletter"
        r"|league|charity|stall|youth group)\b.*)",
        values.activity,
    ),
    _unsay("", "no more ", r"(?:and |so )?no more (?P<v>[\w&-]+(?: [\w&-]+)?)$", values.as_said),
    _unsay("", " away", r"I(?:'ve)? (?:put|given|thrown) (?:my |the )?(?P<v>[\w&-]+) away", values.as_said),
    _say("Avoids", " no ", r"I {adv}(?:use|eat|drink|wear) no (?P<v>.+)", values.food),
    _say(
        "Activities",
        "i'm",
        r"I'm {adv}(?P<v>(?:writing|building|restoring|renovating|designing|making|converting|opening) (?:an?"
        r"|my|our) .+)",
        values.project,
        "is {v}",
    ),
)

# "Forget my ...": the label of what is to be forgotten. An empty label stands for everything.
FORGETTABLE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I), label)
    for pattern, label in (
        (r"everything (?:you (?:know|remember|(?:have )?learn(?:ed|t)) )?about me$|(?:all )?my data$|me$", ""),
        (r"my (?:first |full )?name$|what I'm called$|who I am$", "Name"),
        (r"(?:my|the) (?:home|(?:home |street )?address|home ?town|location|city|town)$|where I live$", "Lives in"),
        (r"(?:my|the) (?:employer|company|workplace|job|work)$|where I work$", "Works at"),
        (r"(?:my|the) (?:job|work|occupation|profession)$|what I do for a living$", "Occupation"),
        (r"(?:my|the) age$|how old I'm$", "Age"),
        (r"(?:my|the) birthday$|(?:my|the) date of birth$|when I was born$", "Birthday"),
        (r"(?:my|the) (?:wife|husband|partner|spouse|girlfriend|boyfriend)(?:'s name)?$", "Wife"),
        (r"(?:my|the) (?:diet)$", "Diet"),
        (r"(?:my|the) (?:allergy|allergies)$|what I'm allergic to$", "Allergic to"),
        (r"(?:my|the) (?:health|illness|condition|conditions|diagnosis)$", "Health"),
        (r"(?:my|the) (?:kids|children)$", "Children"),
        (r"(?:my|the) (?:pets?|dogs?|cats?)$", "Pets"),
        (r"(?:my|the) (?:plans?|trip)$", "Plans"),
        (r"(?:my|the) (?:goals?)$", "Goal"),
        (r"where I'm from$|where I come from$", "From"),
        (r"(?:my|the) nationality$", "Nationality"),
    )
)


def state(clauses: Iterable[str], rules: Iterable[Rule] | None = None) -> Iterator[Fact]:
    """The facts that clauses state, in the order they are said; of one clause what holds before what does not."""
    for clause in clauses:
        folded = clause.lower()
        asked = _by_first_word(folded.partition(" ")[0]) if rules is None else tuple(rules)
        found = list(_found(clause, folded, asked)) or list(_found(clause, folded, FALLBACK))
        yield from dict.fromkeys(sorted(found, key=lambda fact: fact.retract))


def _found(clause: str, folded: str, rules: Iterable[Rule]) -> Iterator[Fact]:
    for rule in rules:
        if rule.cue in folded and (fact := rule.find(clause)) is not None:
            yield fact


_FIRST_WORDS = re.compile(
    r"(?:\(\?:)?((?:I'm|I've|I'd|I|we're|we've|we|my|our)(?:\|(?:I'm|I've|I'd|I|we're|we've|we|my|our))*)(?:\)|(?![\w']))"
)
_STANDING_FOR = {"{we}": "I|we|my", "{are}": "I'm|we're", "{have}": "(?:I|we)"}


@lru_cache(64)
def _by_first_word(word: str) -> tuple[Rule, ...]:
    """The rules whose pattern can begin with a word: a few of them for "my", all that say nothing of it for "call"."""
    if word not in _WORDS:
        word = ""
    return tuple(rule for rule in RULES if not (first := _first_words(rule)) or word in first)


_WORDS = frozenset({"i", "i'm", "i've", "i'd", "we", "we're", "we've", "my", "our"})


def _first_words(rule: Rule) -> set[str]:
    pattern = rule.pattern
    for name, stands_for in _STANDING_FOR.items():
        if pattern.startswith(name):
            pattern = stands_for + pattern[len(name) :]
    found = _FIRST_WORDS.match(pattern)
    if found is None or found[0].startswith("(") != found[0].endswith(")"):
        return set()
    words = set(found[1].lower().split("|"))
    # "I(?:'ve)? got" also begins with "I've".
    if not pattern.startswith("(?:'", found.end()):
        return words
    return words | {each for each in _WORDS for word in words if each.startswith(f"{word}'")}


def forget(named: Iterable[str]) -> Iterator[Fact]:
    """What is taken back by naming it: a label, a fact or, failing these, whatever speaks of it."""
    for each in named:
        wanted = _ABOUT.sub("", each).rstrip(" .!,")
        labels = [label for pattern, label in FORGETTABLE if pattern.match(wanted)]
        facts = list(state([wanted]))
        yield from (Fact(label, "", retract=True) for label in labels)
        yield from (Fact(fact.label, fact.value, retract=True) for fact in facts)
        if "" not in labels and telling_words(wanted):
            yield Fact("", wanted, retract=True)


_ABOUT = re.compile(
    r"^(?:(?:the (?:bit|part|thing|stuff|fact|line|one|piece)s?|what|all|anything|everything|stuff|things?|whatever)\s+"
    r"(?=about|that|on|where|i\b|with)|about\s+|that\s+(?=\w)|(?:I|you)\s+(?:just |ever )?(?:said|told you|mentioned"
    r"|wrote|gave you)\s+|where (?=my\b|I (?:said|told)))+",
    re.I,
)
