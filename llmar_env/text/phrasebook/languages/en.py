"""English."""

from __future__ import annotations

import re

from llmar_env.text.phrasebook import concepts
from llmar_env.text.phrasebook.concepts import DETERMINERS, NAMES, NOUNS, PRONOUNS, SEX, VERBS
from llmar_env.text.phrasebook.grammar import Language, Shape, part
from llmar_env.text.phrasebook.tables import listed, read_forms, read_phrases

__all__ = ["LANGUAGE"]

# The words are the concepts' names, except as these tables say.

_PLURALS = """
noun | plural
man | men
woman | women
child | children
baby | babies
policeman | policemen
wife | wives
secretary | secretaries
sheep | sheep
mouse | mice
fish | fish
wolf | wolves
monkey | monkeys
butterfly | butterflies
goose | geese
cherry | cherries
strawberry | strawberries
tomato | tomatoes
potato | potatoes
story | stories
scarf | scarves
glass | glasses
knife | knives
shelf | shelves
lamp | lamps
foot | feet
tooth | teeth
leaf | leaves
city | cities
party | parties
factory | factories
library | libraries
bakery | bakeries
pharmacy | pharmacies
ladder | ladders
"""

# Verbs that are not regular, or have a word after them.
_VERBS = """
verb | base past after
sleep | sleep slept -
dance | dance danced -
smile | smile smiled -
sing | sing sang -
swim | swim swam -
run | run ran -
sit | sit sat -
stand | stand stood -
live | live lived -
smoke | smoke smoked -
get_up | get got up
wake_up | wake woke up
watch_television | watch watched television
go_for_a_walk | go went for_a_walk
go | go went -
drive | drive drove -
fly | fly flew -
come | come came -
run_away | run ran away
begin | begin began -
shine | shine shone -
hurt | hurt hurt -
be_hungry | be - hungry
be_thirsty | be - thirsty
be_afraid | be - afraid
be_right | be - right
be_in_a_hurry | be - in_a_hurry
be | be - -
become | become became -
there_is | be - -
see | see saw -
know | know knew -
have | have had -
look_for | look looked for
find | find found -
lose | lose lost -
forget | forget forgot -
buy | buy bought -
sell | sell sold -
take | take took -
hold | hold held -
wear | wear wore -
close | close closed -
read | read read -
write | write wrote -
understand | understand understood -
study | study studied -
speak | speak spoke -
hear | hear heard -
listen_to | listen listened to
eat | eat ate -
drink | drink drank -
bake | bake baked -
cut | cut cut -
taste | taste tasted -
pay_for | pay paid for
use | use used -
play_music | play played -
draw | draw drew -
meet | meet met -
invite | invite invited -
wait_for | wait waited for
think_of | think thought of
look_at | look looked at
feed | feed fed -
catch | catch caught -
throw | throw threw -
build | build built -
hide | hide hid -
choose | choose chose -
begin_with | begin began with
celebrate | celebrate celebrated -
belong_to | belong belonged to
give | give gave -
send | send sent -
bring | bring brought -
tell | tell told -
lend | lend lent -
think | think thought -
say | say said -
know_that | know knew -
plan | plan planned -
stroke | stroke stroked -
hug | hug hugged -
translate | translate translated -
photograph | photograph photographed -
cry | cry cried -
love | love loved -
like | like liked -
hate | hate hated -
bloom | bloom bloomed -
"""

_COMPARATIVES = """
adjective | comparative
big | bigger
sad | sadder
good | better
bad | worse
ill | iller
dirty | dirtier
happy | happier
healthy | healthier
angry | angrier
ugly | uglier
heavy | heavier
lazy | lazier
funny | funnier
easy | easier
hot | hotter
red | redder
nice | nicer
brave | braver
white | whiter
blue | bluer
strange | stranger
polite | more_polite
"""

_LONG = [
    "expensive",
    "beautiful",
    "ordinary",
    "broken",
    "tired",
    "famous",
    "intelligent",
    "polite",
    "hard-working",
    "delicious",
    "interesting",
    "boring",
    "difficult",
    "important",
    "open",
    "closed",
    "ill",
]

# As destinations.
_TO = """
place | where to
here | here
there | there
at_home | home
in_bed | to bed
at_the_market | to the market
in_front_of_the_house | in front of the house
behind_the_church | behind the church
by_the_lake | to the lake
by_the_sea | to the sea
in_church | to church
on_the_roof | onto the roof
in_the_street | onto the street
"""

_PHRASES = """
phrase | sentence
good_morning | Good morning!
good_day | Good afternoon!
good_evening | Good evening!
good_night | Good night!
hello | Hello!
hi | Hi!
goodbye | Goodbye!
bye | Bye!
see_you_tomorrow | See you tomorrow!
see_you_soon | See you soon!
see_you_later | See you later!
welcome | Welcome!
thank_you | Thank you!
thank_you_very_much | Thank you very much!
many_thanks | Many thanks!
you_are_welcome | You are welcome!
please | Please!
excuse_me | Excuse me!
I_am_sorry | I am sorry.
sorry | Sorry!
no_problem | No problem!
it_does_not_matter | It does not matter.
of_course | Of course!
yes | Yes.
no | No.
yes_please | Yes, please.
no_thank_you | No, thank you.
maybe | Maybe.
how_are_you | How are you?
how_are_you_formal | How do you do?
I_am_fine | I am fine.
I_am_fine_thank_you | I am fine, thank you.
I_am_not_well | I am not well.
and_you | And you?
what_is_your_name | What is your name?
pleased_to_meet_you | Pleased to meet you!
where_are_you_from | Where are you from?
how_old_are_you | How old are you?
what_time_is_it | What time is it?
happy_birthday | Happy birthday!
congratulations | Congratulations!
merry_christmas | Merry Christmas!
happy_new_year | Happy New Year!
good_luck | Good luck!
have_a_good_trip | Have a good trip!
enjoy_your_meal | Enjoy your meal!
cheers | Cheers!
bless_you | Bless you!
get_well_soon | Get well soon!
have_fun | Have fun!
have_a_nice_day | Have a nice day!
have_a_nice_weekend | Have a nice weekend!
I_love_you | I love you so much!
I_do_not_know | I do not know.
I_do_not_understand | I do not understand.
I_know | I know.
what_is_that | What is that?
who_is_that | Who is that?
that_is_right | That is right.
that_is_wrong | That is wrong.
that_is_good | That is good.
that_is_not_possible | That is not possible.
that_is_too_expensive | That is too expensive.
how_much_does_it_cost | How much does it cost?
the_bill_please | The bill, please!
a_coffee_please | A coffee, please!
where_is_the_toilet | Where is the toilet?
I_am_cold | I am cold.
I_am_hot | I am hot.
can_you_help_me | Can you please help me?
help | Help!
stop | Stop!
be_careful | Be careful!
one_moment_please | One moment, please!
come_in | Come in!
sit_down | Sit down!
what_happened | What happened?
what_does_that_mean | What does that mean?
say_it_again | Say it again!
more_slowly_please | More slowly, please!
do_you_speak_english | Do you speak any English?
do_you_speak_german | Do you speak any German?
I_speak_a_little_german | I speak a little bit of German.
I_come_from_germany | I come from Germany.
I_come_from_france | I come from France.
I_am_a_vegetarian | I am a vegetarian.
really | Really?
great | Great!
what_a_pity | What a pity!
it_is_late | It is late.
it_is_early | It is early.
it_is_warm | It is warm.
it_is_cold | It is cold.
let_us_go | Let us go!
I_am_coming | I am coming!
I_am_busy | I am busy.
I_have_a_headache | I have a headache.
are_you_ready | Are you ready?
all_right | All right!
I_believe_so | I believe so.
I_hope_so | I hope so.
who_is_there | Who is there?
leave_me_alone | Leave me alone!
what_do_you_think | What do you think?
give_me_that_please | Give me that, please!
do_not_worry | Do not worry!
I_miss_you | I miss you.
"""

_VOWEL = re.compile(r"\b([Aa]) (?=[aeiou]|hour)(?!uni|use|one)")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _plural(noun: str) -> str:
    ending = "es" if noun.endswith(("s", "sh", "ch", "x")) else "s"
    return _IRREGULAR_PLURALS.get(noun, _words(noun) + ending)


def _third(base: str) -> str:
    if base in {"have", "go"}:
        return {"have": "has", "go": "goes"}[base]
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "o")) else "s")


def _regular(verb: str) -> list[str]:
    return [verb, verb + ("d" if verb.endswith("e") else "ed"), ""]


_IRREGULAR_PLURALS = read_phrases(listed(_PLURALS), _PLURALS)
_IRREGULAR = read_forms(listed(_VERBS), _VERBS)
_FORMS = {verb: _IRREGULAR.get(verb) or _regular(verb) for verb in VERBS}
_COMPARATIVE = {
    adjective: f"more {adjective}" if adjective in _LONG else adjective.rstrip("e") + "er"
    for adjective in concepts.ADJECTIVES
} | {
    adjective: words.replace("_", " ")
    for adjective, words in (line.split(" | ") for line in _COMPARATIVES.split("\n")[2:-1])
}
_DESTINATION = dict(line.split(" | ") for line in _TO.split("\n")[2:-1])

_OBJECTIVE = {"I": "me", "you": "you", "he": "him", "she": "her", "we": "us", "they": "them"}


# ---------------------------------------------------------------------------- features


def _number(det: str, head_det: str) -> str:
    return DETERMINERS.get(det or head_det, "singular")


def _onumber(odet: str) -> str:
    return "plural" if odet == "how_many" else DETERMINERS.get(odet, "singular")


def _rnumber(rdet: str) -> str:
    return DETERMINERS.get(rdet, "singular")


def _person(noun: str) -> str:
    """The pronoun that the verb agrees with."""
    if noun == "I":
        return "I"
    return "they" if noun in {"we", "you", "they"} else "he"


def _agreement(person: str, number: str, together: str, there: str, onumber: str) -> str:
    if there:
        return "they" if onumber == "plural" else "he"
    return "they" if number == "plural" or together else person


def _owner(noun: str) -> str:
    """The possessive of a subject that is a single person."""
    sex = NAMES.get(noun) or SEX.get(NOUNS.get(noun, ""), "")
    owners = {"he": "his", "she": "her", "they": "their"}
    return owners.get(noun) or {"male": "his", "female": "her"}.get(sex, "their")


def _possessive(owner: str, number: str) -> str:
    return "their" if number == "plural" else owner


# ---------------------------------------------------------------------------- parts


def _determiner(det: str, possessive: str) -> str:
    if det in {"", "some", "plural"}:
        return ""
    return possessive if det.startswith("own") else _words(det.removesuffix("_plural"))


def _object_determiner(odet: str, possessive: str, music: str) -> str:
    return "the" if music else _determiner(odet, possessive)


def _noun(noun: str, number: str, there: str) -> str:
    if noun == "it" and there:
        return "there"
    return _plural(noun) if number == "plural" and noun in NOUNS else _words(noun)


def _object(object: str, onumber: str) -> str:
    if object in PRONOUNS:
        return _OBJECTIVE[object]
    if object in {"whom", "what"}:
        return ""
    return _noun(object, onumber, "")


def _auxiliary(be: str, modal: str, tense: str, neg: str, agreement: str, inverted: str) -> str:
    if modal == "must" and (neg or tense == "past"):
        modal = "want"  # "have to" is conjugated like "want to"
    if modal in {"can", "may", "should", "must", "would_like"}:
        past = {"can": "could", "would_like": "would"}
        return past[modal] if modal == "would_like" or tense == "past" else modal
    if tense == "future":
        return "will"
    if be and not modal:
        return _be(tense, agreement)
    if not (neg or inverted):
        return ""
    return "did" if tense == "past" else "does" if agreement == "he" else "do"


def _be(tense: str, agreement: str) -> str:
    if tense == "past":
        return "were" if agreement == "they" else "was"
    return {"I": "am", "he": "is", "they": "are"}[agreement]


def _verb(verb: str, modal: str, tense: str, neg: str, agreement: str, inverted: str) -> str:
    base, past, _ = _FORMS[verb]
    finite = not (neg or inverted)
    if modal in {"want", "like_to"} or (modal == "must" and (neg or tense == "past")):
        to = {"want": "want", "like_to": "like", "must": "have"}[modal]
        forms = {"want": "wanted", "like": "liked", "have": "had"}
        if finite and tense == "past":
            to = forms[to]
        elif finite and agreement == "he":
            to = _third(to)
        return f"{to} to {base}"
    if modal == "would_like":
        return f"like to {base}"
    if modal or tense == "future":
        return base
    if base == "be":
        return ""
    if not finite:
        return base
    if tense == "past":
        return past
    return _third(base) if agreement == "he" else base


def _predicate(oadj: str, compare: str, predicative: str) -> str:
    if not predicative or not oadj:
        return ""
    if compare == "more":
        return f"{_COMPARATIVE[oadj]} than"
    return f"as {oadj} as" if compare == "as" else oadj


def _link(link: str, person_head: str) -> str:
    if link == "who":
        return "who" if person_head else "that"
    return {"but": ", but"}.get(link, link)


def _place(place: str, to: str) -> str:
    if place == "where":
        return ""
    if to:
        return _DESTINATION.get(place) or re.sub("^(in|at) ", "to ", _words(place))
    return _words(place)


def _order(shape: Shape) -> list[str]:
    """Subject, verb, object; the auxiliary comes first in a question."""
    subject = ["determiner", "adjective", "noun", "partner"]
    verb = ["not", "adverb", "verb"]
    object_ = ["odeterminer", "oadjective", "object"]
    recipient = ["rdeterminer", "recipient"]
    to_whom = ["to", "late_rdeterminer", "late_recipient"]
    rest = [*recipient, "after", "predicate", *object_, *to_whom, "manner", "place"]
    if shape.kind in {"command", "request"}:
        return ["do_not", "verb", *rest, "time", *(["please"] if shape.kind == "request" else [])]
    if shape.kind == "how_many":
        rest = [name for name in rest if name not in object_]
        return [*object_, "auxiliary", *subject, *verb, *rest, "time"]
    if shape.kind == "yes_no":
        return ["auxiliary", *subject, *verb, *rest, "time"]
    if shape.kind not in {"statement", "who"}:
        return ["question", "auxiliary", *subject, *verb, *rest, "time"]
    main = [*subject, "auxiliary", *verb, *rest, "time"]
    if shape.topic in {"time", "place"}:
        main.remove(shape.topic)
        main.insert(0, shape.topic)
    if not shape.link:
        return main
    clause = [*(subject if shape.link != "who" else []), "auxiliary", *verb, *rest]
    second = [name + "2" for name in clause]
    if shape.topic == "clause":
        return ["link2", *second, "comma", *main]
    return [*main, "link2", *second]


def _contract(text: str) -> str:
    return _VOWEL.sub(r"\1n ", text).replace("can not", "cannot")


def _expand(text: str) -> str:
    return re.sub(r"\b([Aa])n ", r"\1 ", text).replace("cannot", "can not")


_TIME = {"": "", "when": "", **{time: _words(time) for time in concepts.TIMES}}

LANGUAGE = Language(
    features={
        "front": part(lambda topic: "" if topic == "object" else topic, "topic"),
        "number": part(_number),
        "onumber": part(_onumber),
        "rnumber": part(_rnumber),
        "person": part(_person),
        "together": part(lambda partner: "and" if partner else "", "partner"),
        "there": part(lambda verb: "there" if verb == "there_is" else "", "verb"),
        "be": part(lambda verb: "be" if verb and _FORMS[verb][0] == "be" else "", "verb"),
        "music": part(lambda verb: "the" if verb == "play_music" else "", "verb"),
        "to": part(lambda verb: "to" if verb and VERBS[verb].place == "to" else "", "verb"),
        "explains": part(lambda verb: "to" if verb == "explain" else "", "verb"),
        "agreement": part(_agreement),
        "owner": part(_owner),
        "possessive": part(_possessive),
        "inverted": part(
            lambda kind: "" if kind in {"statement", "who", "command", "request"} else "yes", "kind"
        ),
        "predicative": part(
            lambda object, compare: "yes" if compare or not object else "", "object", "compare"
        ),
        "person_head": part(
            lambda head: "yes" if NOUNS.get(head) in concepts.expand_classes("people") else "",
            "head",
        ),
    },
    parts={
        "determiner": part(_determiner, "det", "possessive"),
        "adjective": part(_words, "adj"),
        "noun": part(_noun),
        "partner": part(lambda partner: f"and {partner}" if partner else "", "partner"),
        "auxiliary": part(_auxiliary),
        "not": part(lambda neg: neg, "neg"),
        "do_not": part(lambda neg: "do not" if neg else "", "neg"),
        "adverb": part(lambda adverb: adverb, "adverb"),
        "verb": part(_verb),
        "after": part(lambda verb: _FORMS[verb][2], "verb"),
        "rdeterminer": part(
            lambda rdet, possessive, explains: "" if explains else _determiner(rdet, possessive),
            *("rdet", "possessive", "explains"),
        ),
        "recipient": part(
            lambda recipient, rnumber, explains: "" if explains else _object(recipient, rnumber),
            *("recipient", "rnumber", "explains"),
        ),
        "to": part(
            lambda explains, recipient: "to" if explains and recipient else "",
            "explains",
            "recipient",
        ),
        "late_rdeterminer": part(
            lambda rdet, possessive, explains: _determiner(rdet, possessive) if explains else "",
            *("rdet", "possessive", "explains"),
        ),
        "late_recipient": part(
            lambda recipient, rnumber, explains: _object(recipient, rnumber) if explains else "",
            *("recipient", "rnumber", "explains"),
        ),
        "predicate": part(_predicate),
        "odeterminer": part(_object_determiner),
        "oadjective": part(
            lambda oadj, predicative: "" if predicative else oadj, "oadj", "predicative"
        ),
        "object": part(_object),
        "manner": part(_words, "manner"),
        "place": part(_place),
        "time": part(_TIME, "time"),
        "question": part(lambda kind: kind, "kind"),
        "link": part(_link),
        "comma": part(lambda: ","),
        "please": part(lambda: ", please"),
    },
    order=_order,
    phrases=read_phrases(concepts.PHRASES, _PHRASES),
    names={name: name for name in NAMES},
    contract=_contract,
    expand=_expand,
)
