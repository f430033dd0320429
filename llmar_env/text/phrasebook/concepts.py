"""What the phrasebook talks about in every language: things, actions, people, places and times.

A concept is named by its English word. Meanings number the concepts by their order here, so a
change to these tables, like one to a language's words, changes the corpus and requires a new
version of the environments.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "ADJECTIVES",
    "CONJUNCTIONS",
    "NOUNS",
    "NUMBERS",
    "PEOPLE",
    "PLACES",
    "TENSES",
    "TIMES",
    "VERBS",
]

TENSES = ("present", "past", "future")

CONJUNCTIONS = ("and", "but", "because")

_EVERYTHING = "fruit peelable food text clothes accessory animal vehicle thing"

NOUNS: Mapping[str, str] = {
    "apple": "peelable",
    "banana": "fruit",
    "orange": "fruit",
    "pear": "peelable",
    "tomato": "fruit",
    "potato": "peelable",
    "egg": "food",
    "cake": "food",
    "sandwich": "food",
    "pizza": "food",
    "book": "text",
    "newspaper": "text",
    "letter": "text",
    "poem": "text",
    "story": "text",
    "postcard": "text",
    "magazine": "text",
    "shirt": "clothes",
    "coat": "clothes",
    "dress": "clothes",
    "hat": "accessory",
    "scarf": "accessory",
    "jacket": "clothes",
    "sweater": "clothes",
    "dog": "animal",
    "cat": "animal",
    "horse": "animal",
    "cow": "animal",
    "bird": "animal",
    "sheep": "animal",
    "rabbit": "animal",
    "duck": "animal",
    "car": "vehicle",
    "bicycle": "vehicle",
    "truck": "vehicle",
    "boat": "vehicle",
    "motorcycle": "vehicle",
    "chair": "thing",
    "table": "thing",
    "lamp": "thing",
    "clock": "thing",
    "bottle": "thing",
    "bag": "thing",
    "key": "thing",
    "umbrella": "thing",
    "camera": "thing",
    "guitar": "thing",
    "ball": "thing",
    "box": "thing",
    "picture": "thing",
    "mirror": "thing",
}
"""The nouns, each with the class of things that it belongs to."""

VERBS: Mapping[str, str] = {
    "eat": "fruit peelable food",
    "cut": "fruit peelable food",
    "peel": "peelable",
    "taste": "fruit peelable food",
    "read": "text",
    "write": "text",
    "translate": "text",
    "print": "text",
    "wear": "clothes",
    "sew": "clothes accessory",
    "iron": "clothes",
    "wash": "clothes accessory vehicle",
    "feed": "animal",
    "stroke": "animal",
    "photograph": "animal vehicle",
    "park": "vehicle",
    "rent": "vehicle",
    "repair": "vehicle thing",
    "carry": "thing",
    "paint": "animal",
    "hide": "text thing",
    "buy": _EVERYTHING,
    "sell": _EVERYTHING,
    "see": _EVERYTHING,
    "find": "text clothes accessory animal thing",
    "choose": _EVERYTHING,
    "lose": "text clothes accessory animal thing",
    "draw": "animal vehicle thing",
}
"""The verbs, each with the classes of the nouns that can be its object."""

TIMES: Mapping[str, str] = {
    "today": "present",
    "every day": "present",
    "every evening": "present",
    "every week": "present",
    "on Sundays": "present",
    "yesterday": "past",
    "last week": "past",
    "last night": "past",
    "last year": "past",
    "two days ago": "past",
    "tomorrow": "future",
    "next week": "future",
    "next month": "future",
    "soon": "future",
    "in three days": "future",
}
"""The times, each with the tense of its sentences; without a time, the tense is the present."""

ADJECTIVES = (
    "red",
    "blue",
    "green",
    "black",
    "white",
    "big",
    "small",
    "expensive",
    "cheap",
    "strange",
    "beautiful",
    "ordinary",
)

NUMBERS = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)
"""A noun without a number is singular."""

PEOPLE = (
    "Anna",
    "Peter",
    "Maria",
    "Thomas",
    "the man",
    "the woman",
    "the child",
    "the teacher",
    "the doctor",
    "the farmer",
    "the baker",
    "the student",
    "the neighbour",
    "the policeman",
    "the tourist",
    "the musician",
    "my brother",
    "my sister",
    "my father",
    "my mother",
    "my uncle",
    "my aunt",
    "your friend",
    "your grandmother",
)

PLACES = (
    "here",
    "there",
    "at home",
    "in the garden",
    "in the kitchen",
    "in the city",
    "in the village",
    "in the park",
    "at the market",
    "at the station",
    "at school",
    "in the library",
    "in the hotel",
    "in the office",
    "at the beach",
    "in front of the house",
    "behind the church",
)
