"""English."""

from __future__ import annotations

from llmar_env.text.phrasebook.grammar import (
    Language,
    by_tense,
    by_verb,
    noun_phrases,
    shared_parts,
)
from llmar_env.text.phrasebook.meaning import IS, IS_NOT, QUESTION, STATEMENT

__all__ = ["LANGUAGE"]

_NOUNS = """
noun | singular plural
apple | apple apples
banana | banana bananas
orange | orange oranges
pear | pear pears
tomato | tomato tomatoes
potato | potato potatoes
egg | egg eggs
cake | cake cakes
sandwich | sandwich sandwiches
pizza | pizza pizzas
book | book books
newspaper | newspaper newspapers
letter | letter letters
poem | poem poems
story | story stories
postcard | postcard postcards
magazine | magazine magazines
shirt | shirt shirts
coat | coat coats
dress | dress dresses
hat | hat hats
scarf | scarf scarves
jacket | jacket jackets
sweater | sweater sweaters
dog | dog dogs
cat | cat cats
horse | horse horses
cow | cow cows
bird | bird birds
sheep | sheep sheep
rabbit | rabbit rabbits
duck | duck ducks
car | car cars
bicycle | bicycle bicycles
truck | truck trucks
boat | boat boats
motorcycle | motorcycle motorcycles
chair | chair chairs
table | table tables
lamp | lamp lamps
clock | clock clocks
bottle | bottle bottles
bag | bag bags
key | key keys
umbrella | umbrella umbrellas
camera | camera cameras
guitar | guitar guitars
ball | ball balls
box | box boxes
picture | picture pictures
mirror | mirror mirrors
"""

_ADJECTIVES = """
adjective | form
red | red
blue | blue
green | green
black | black
white | white
big | big
small | small
expensive | expensive
cheap | cheap
strange | strange
beautiful | beautiful
ordinary | ordinary
"""

_NUMBERS = """
number | word
two | two
three | three
four | four
five | five
six | six
seven | seven
eight | eight
nine | nine
ten | ten
"""

_VERBS = """
verb | present past infinitive
eat | eats ate eat
cut | cuts cut cut
peel | peels peeled peel
taste | tastes tasted taste
read | reads read read
write | writes wrote write
translate | translates translated translate
print | prints printed print
wear | wears wore wear
sew | sews sewed sew
iron | irons ironed iron
wash | washes washed wash
feed | feeds fed feed
stroke | strokes stroked stroke
photograph | photographs photographed photograph
park | parks parked park
rent | rents rented rent
repair | repairs repaired repair
carry | carries carried carry
paint | paints painted paint
hide | hides hid hide
buy | buys bought buy
sell | sells sold sell
see | sees saw see
find | finds found find
choose | chooses chose choose
lose | loses lost lose
draw | draws drew draw
"""

_PEOPLE = """
person | phrase
Anna | Anna
Peter | Peter
Maria | Maria
Thomas | Thomas
the man | the man
the woman | the woman
the child | the child
the teacher | the teacher
the doctor | the doctor
the farmer | the farmer
the baker | the baker
the student | the student
the neighbour | the neighbour
the policeman | the policeman
the tourist | the tourist
the musician | the musician
my brother | my brother
my sister | my sister
my father | my father
my mother | my mother
my uncle | my uncle
my aunt | my aunt
your friend | your friend
your grandmother | your grandmother
"""

_PLACES = """
place | phrase
here | here
there | there
at home | at home
in the garden | in the garden
in the kitchen | in the kitchen
in the city | in the city
in the village | in the village
in the park | in the park
at the market | at the market
at the station | at the station
at school | at school
in the library | in the library
in the hotel | in the hotel
in the office | in the office
at the beach | at the beach
in front of the house | in front of the house
behind the church | behind the church
"""

_TIMES = """
time | phrase
today | today
every day | every day
every evening | every evening
every week | every week
on Sundays | on Sundays
yesterday | yesterday
last week | last week
last night | last night
last year | last year
two days ago | two days ago
tomorrow | tomorrow
next week | next week
next month | next month
soon | soon
in three days | in three days
"""

_CONJUNCTIONS = """
conjunction | phrase
and | and
but | , but
because | because
"""


def _noun_phrase(number: str, adjective: list[str], noun: list[str]) -> str:
    """As in "a red apple", "an apple", "two red apples"."""
    singular, plural = noun
    words = [*adjective, plural if number else singular]
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([number or article, *words])


def _verb(present: str, past: str, infinitive: str) -> tuple[str, str, str]:
    return present, past, f"will {infinitive}"


def _infinitive(_present: str, _past: str, infinitive: str) -> tuple[str, str, str]:
    return infinitive, infinitive, infinitive


def _order(kind: int, link: int, _timed: bool) -> list[str]:
    head = {
        STATEMENT: ["person", "verb", "object", "place"],
        QUESTION: ["auxiliary", "person", "infinitive", "object", "place"],
        IS: ["person", "is", "place"],
        IS_NOT: ["person", "is not", "place"],
    }[kind]
    tail = ["link", "person2", "verb2", "object2"] if link else []
    return [*head, "time", *tail]


LANGUAGE = Language(
    parts={
        **shared_parts(people=_PEOPLE, places=_PLACES, times=_TIMES, conjunctions=_CONJUNCTIONS),
        "object": noun_phrases(_NUMBERS, _ADJECTIVES, _NOUNS, _noun_phrase),
        "verb": by_verb(_VERBS, _verb),
        "infinitive": by_verb(_VERBS, _infinitive),
        "auxiliary": by_tense("does", "did", "will"),
        "is": by_tense("is", "was", "will be"),
        "is not": by_tense("is not", "was not", "will not be"),
    },
    order=_order,
)
