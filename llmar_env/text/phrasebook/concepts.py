"""What the phrasebook talks about in every language: things, actions, people, places and times.

A concept is named by its English words, joined by underscores. Most tables list concepts by class,
`class | concepts`, the common ones first. Meanings are made of the names, so a change to these
tables, like one to a language's words, changes the corpus and requires a new version of the
environments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = [
    "ADJECTIVES",
    "ADVERBS",
    "DESCRIBES",
    "DETERMINERS",
    "LINKS",
    "MANNERS",
    "MODALS",
    "NAMES",
    "NOUNS",
    "PHRASES",
    "PLACES",
    "PRONOUNS",
    "SEX",
    "TIMES",
    "VERBS",
    "Verb",
    "expand_classes",
]


def _by_class(table: str) -> dict[str, str]:
    """The class of each concept, from lines `class | concepts`."""
    rows = (line.split("|") for line in table.strip().splitlines())
    return {concept: kind.strip() for kind, row in rows for concept in row.split()}


PRONOUNS = ("I", "you", "he", "she", "we", "they", "it", "this")
"""As nouns without a determiner. "it" is the subject of impersonal verbs alone ("it rains", "there
is"), "this" that of "this is my brother"."""

NAMES: Mapping[str, str] = _by_class("""
female | Anna Maria Lisa Julia Sarah Laura Emma Sophie
male | Peter Thomas Paul Max Michael Daniel David Martin
""")
"""Given names, as nouns without a determiner, each with the person's sex."""

NOUNS: Mapping[str, str] = _by_class("""
his_kin | father brother son grandfather uncle husband cousin
her_kin | mother sister daughter grandmother aunt wife
male | man boy king
female | woman girl queen
person | child friend neighbour guest tourist customer baby
profession | teacher doctor student farmer baker policeman cook waiter seller driver nurse
profession | musician singer actor painter writer journalist lawyer judge engineer scientist
profession | hairdresser butcher gardener soldier pilot secretary boss colleague artist pupil
animal | dog cat horse cow bird sheep rabbit duck pig chicken mouse fish goat bear wolf fox lion
animal | tiger elephant monkey snake frog bee butterfly donkey goose
fruit | apple banana orange pear lemon strawberry cherry peach tomato potato carrot onion
fruit | cucumber mushroom pumpkin
dish | egg cake sandwich pizza sausage soup salad biscuit pancake steak
food | bread cheese meat butter rice sugar salt chocolate ham honey jam ice_cream fruit vegetables
drink | water milk coffee tea beer wine juice lemonade
text | book letter newspaper story poem postcard magazine message novel list report song
clothes | shirt coat dress hat scarf jacket sweater skirt shoe sock glove suit cap blouse tie
furniture | table chair bed cupboard sofa lamp shelf desk carpet mirror curtain
vehicle | car bicycle bus train truck boat ship motorcycle taxi plane tram
building | house flat hotel school church shop restaurant hospital museum station factory castle
building | bridge tower bank bakery pharmacy library theatre cinema office airport
opening | door window gate
container | bag box bottle cup glass plate basket suitcase wallet pot bowl bucket
thing | key umbrella ball pen knife fork spoon picture doll toy present ring pencil stamp ticket
thing | candle towel blanket pillow brush comb soap rope stone hammer needle flag map passport photo
thing | coin ladder
machine | computer phone television radio camera clock fridge washing_machine printer
instrument | piano guitar violin flute trumpet drum
game | football tennis chess basketball volleyball
body | hand head foot eye ear nose mouth leg arm finger face tooth back
sky | sun moon star
plant | flower tree rose leaf bush
landscape | sea river lake mountain forest island beach field street path garden park city village
money | money
language | English German French Chinese
knowledge | mathematics history music art
event | film party concert lesson course exam meeting trip birthday wedding
idea | question answer idea problem word name mistake secret plan dream
room | room kitchen bathroom bedroom cellar roof
need | time help work luck
""")
"""The nouns, each with its class."""

_GROUPS: Mapping[str, str] = {
    "kin": "his_kin her_kin",
    "people": "his_kin her_kin male female person profession",
    "being": "people animal",
    "edible": "fruit dish food",
    "movable": "fruit dish text clothes container thing machine instrument",
    "goods": "movable furniture vehicle animal plant",
    "located": "movable furniture vehicle food drink",
    "made": "goods building room landscape",
}
"""Groups of classes, by the names that the tables below use."""


def expand_classes(names: str) -> tuple[str, ...]:
    """The classes of `NOUNS` that classes and groups stand for."""
    found: dict[str, None] = {}
    for name in names.split():
        members = expand_classes(_GROUPS[name]) if name in _GROUPS else (name,)
        found |= dict.fromkeys(members)
    return tuple(found)


SEX: Mapping[str, str] = {
    **dict.fromkeys(("his_kin", "male"), "male"),
    **dict.fromkeys(("her_kin", "female"), "female"),
}
"""The sex of the people of a class, where the concept tells it."""

DETERMINERS: Mapping[str, str] = {
    **dict.fromkeys(("the", "a", "my", "your", "our", "own", "this", "every"), "singular"),
    "some": "mass",
    **dict.fromkeys(
        ("the_plural", "plural", "my_plural", "your_plural", "our_plural", "own_plural"), "plural"
    ),
    **dict.fromkeys(("these", "many", "two", "three", "four", "five", "six"), "plural"),
    **dict.fromkeys(("seven", "eight", "nine", "ten", "eleven", "twelve", "twenty"), "plural"),
}
"""The determiners, each with its number. "own" is that of the subject, in the third person ("her
dog"); "some" and "plural" have no word in most languages ("milk", "dogs"), "how_many" asks."""


class Verb(NamedTuple):
    """What a verb goes with."""

    subject: str = "being"
    """Classes of its subject; those of people include names and pronouns, as those of an object."""
    object: str = ""
    """Classes of its object, if it has one."""
    recipient: str = ""
    """Classes of who gets the object, if anybody does."""
    place: str = "at"
    """"at" for where it is done, "to" for where it leads, "in" if it needs a place, or ""."""


def _verbs(table: str) -> dict[str, Verb]:
    """Verbs from lines `name | subject | object | recipient | place`, whose end may be left out."""
    rows = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return {
        name: Verb(
            **{field: cell for field, cell in zip(Verb._fields, cells, strict=False) if cell}
        )
        for name, *cells in rows
    }


VERBS: Mapping[str, Verb] = _verbs("""
sleep | being
work | people
laugh | people
cry | people
smile | people
dance | people
sing | people
swim | being
run | being
wait | people
sit | being | | | in
stand | being | | | in
live | being | | | in
stay | people | | | in
rest | people
get_up | people
wake_up | people
watch_television | people
go_for_a_walk | people
shower | people
smoke | people
travel | people | | | to
go | people | | | to
drive | people | | | to
fly | people | | | to
come | people | | | to
return | people | | | to
run_away | being
begin | event
end | event
shine | sky
bloom | plant
hurt | body
be_hungry | being
be_thirsty | being
be_afraid | being
be_right | people
be_in_a_hurry | people
be | people
become | people | profession
rain | it
snow | it
there_is | it | building located animal people
see | being | being goods building landscape
know | people | people building landscape song
love | people | people animal
like | people | people edible drink animal clothes game landscape knowledge
hate | people | game knowledge animal
need | people | container thing machine clothes money need
have | people | kin animal container thing machine clothes furniture vehicle money idea event need
look_for | people | people animal container thing clothes building need
find | being | container thing clothes animal text money
lose | people | container thing clothes text money
forget | people | container thing text idea
buy | people | movable furniture vehicle food drink plant
sell | people | movable furniture vehicle food drink plant
take | people | container thing text food drink fruit dish
hold | people | container thing animal
wear | people | clothes
wash | people | clothes vehicle body fruit
clean | people | room opening furniture vehicle
repair | people | vehicle machine furniture opening
open | people | opening container text
close | people | opening container
read | people | text
write | people | text
understand | people | people idea text language
learn | people | language knowledge
study | people | language knowledge
speak | people | language
translate | people | text
hear | being | people animal song knowledge
listen_to | people | people song
eat | being | edible
drink | being | drink
cook | people | dish vegetables
bake | people | cake bread pizza biscuit
cut | people | fruit bread cake cheese meat
taste | people | edible drink
order | people | dish drink
pay_for | people | dish drink event
use | people | machine container thing
play | people | game
play_music | people | instrument
steer | people | vehicle
draw | people | animal building plant landscape people
paint | people | picture building furniture
photograph | people | people animal building landscape
visit | people | people building landscape
meet | people | people
invite | people | people
call | people | people
help | people | people
thank | people | people
answer | people | people
ask | people | people
greet | people | people
hug | people | people
kiss | people | people
follow | being | people animal
wait_for | people | people bus train tram taxi event
think_of | people | people event
look_at | people | people picture photo animal building
feed | people | animal
stroke | people | animal
catch | being | ball animal
throw | people | ball stone
build | people | house bridge tower boat castle
collect | people | stamp coin stone postcard mushroom
count | people | money coin stamp sheep
hide | people | container thing text money
choose | people | clothes dish text present
pack | people | suitcase bag present
rent | people | flat house car boat bicycle
watch | people | film bird
begin_with | people | lesson exam trip
plan | people | event
celebrate | people | birthday wedding party
miss | people | kin friend
belong_to | vehicle animal container thing clothes | people
give | people | container thing text money fruit animal | people
show | people | picture photo path city letter house | people
send | people | letter postcard message present photo money | people
bring | people | dish drink container thing text | people
tell | people | story secret dream | people
explain | people | word problem plan idea | people
lend | people | money book vehicle umbrella pen | people
think | people
say | people
hope | people
know_that | people
""")
"""The verbs, each with what it goes with: classes, groups and single nouns."""

SAYING = ("think", "say", "hope", "know_that")
"""Verbs whose object is a clause."""

ADJECTIVES: Mapping[str, str] = _by_class("""
colour | red blue green yellow black white brown grey
size | big small
age | old young
length | long short
weight | heavy light
worth | new expensive cheap beautiful ugly strange ordinary good bad
state | dirty clean broken empty full open closed
feeling | tired happy sad ill healthy angry
character | nice poor rich famous intelligent strong weak polite lazy hard-working brave shy funny
taste | fresh hot cold sweet sour delicious
content | interesting boring difficult easy important
speed | fast slow loud quiet
""")
"""The adjectives, each with its class."""

DESCRIBES: Mapping[str, str] = {
    "colour": "clothes furniture vehicle container thing plant animal opening building",
    "size": "being goods building landscape room opening",
    "age": "people animal",
    "length": "text event clothes landscape",
    "weight": "container thing furniture instrument",
    "worth": "movable furniture vehicle building room",
    "state": "container clothes room opening vehicle machine",
    "feeling": "people",
    "character": "people",
    "taste": "edible drink",
    "content": "text event idea language knowledge",
    "speed": "vehicle machine animal",
}
"""The classes of nouns that adjectives of each class describe."""

TIMES: Mapping[str, str] = _by_class("""
present | now every_day every_morning every_evening every_week every_year on_weekdays on_Sundays
past | yesterday last_night last_week last_month last_year two_days_ago a_week_ago an_hour_ago
past | yesterday_morning yesterday_evening this_morning
future | tomorrow next_week next_month next_year soon later in_three_days in_an_hour
future | tomorrow_morning tomorrow_evening
any | today in_the_morning in_the_evening in_the_afternoon at_night at_noon at_the_weekend
any | this_evening on_Monday on_Tuesday on_Wednesday on_Thursday on_Friday on_Saturday on_Sunday
any | at_one_o'clock at_two_o'clock at_three_o'clock at_four_o'clock at_five_o'clock
any | at_six_o'clock at_seven_o'clock at_eight_o'clock at_nine_o'clock at_ten_o'clock
any | at_eleven_o'clock at_twelve_o'clock at_half_past_six at_half_past_seven at_half_past_eight
any | in_January in_February in_March in_April in_May in_June in_July in_August in_September
any | in_October in_November in_December in_spring in_summer in_autumn in_winter at_Christmas
any | on_the_first_of_May
""")
"""The times, each with the tense of its sentences."""

PLACES: Mapping[str, str] = _by_class("""
both | here there at_home in_the_garden in_the_kitchen in_the_city in_the_village in_the_park
both | at_the_market at_the_station at_school in_the_library in_the_hotel in_the_office
both | at_the_beach in_front_of_the_house behind_the_church at_the_cinema in_the_restaurant
both | in_the_hospital in_the_museum at_the_airport in_the_shop at_the_bakery at_the_supermarket
both | in_the_forest by_the_lake by_the_sea in_the_mountains in_the_living_room in_the_bathroom
both | in_the_bedroom in_the_cellar in_bed at_the_bus_stop at_the_swimming_pool at_the_theatre
both | at_the_doctor's in_church in_the_street in_Berlin in_Paris in_London in_Germany in_France
both | in_England in_China at_university on_the_roof at_the_window
at | on_the_table under_the_table under_the_chair on_the_chair on_the_floor in_the_bag in_the_box
at | in_the_cupboard on_the_shelf under_the_bed behind_the_door in_the_fridge in_the_car
at | on_the_train on_the_bus under_the_tree on_the_wall
""")
"""The places: those to be at and to go to, and those that are only places to be at."""

MANNERS: Mapping[str, str] = _by_class("""
doing | well badly quickly slowly alone together quietly loudly carefully for_a_long_time
doing | with_friends with_the_children a_lot a_little
going | by_car by_bus by_train by_bicycle on_foot by_plane
""")
"""Ways of doing something, and of going somewhere."""

ADVERBS = ("often", "always", "never", "sometimes", "already", "still", "also", "perhaps")

MODALS = ("can", "must", "want", "may", "should", "would_like", "like_to")

LINKS = ("and", "but", "because", "if", "that", "who")
"""Between two clauses; "who" describes the object of the first."""

PHRASES = tuple(
    """
    good_morning good_day good_evening good_night hello hi goodbye bye see_you_tomorrow
    see_you_soon see_you_later welcome thank_you thank_you_very_much many_thanks you_are_welcome
    please excuse_me I_am_sorry sorry no_problem it_does_not_matter of_course yes no yes_please
    no_thank_you maybe how_are_you how_are_you_formal I_am_fine I_am_fine_thank_you I_am_not_well
    and_you what_is_your_name pleased_to_meet_you where_are_you_from how_old_are_you
    what_time_is_it happy_birthday congratulations merry_christmas happy_new_year good_luck
    have_a_good_trip enjoy_your_meal cheers bless_you get_well_soon have_fun have_a_nice_day
    have_a_nice_weekend I_love_you I_do_not_know I_do_not_understand I_know what_is_that
    who_is_that that_is_right that_is_wrong that_is_good that_is_not_possible
    that_is_too_expensive how_much_does_it_cost the_bill_please a_coffee_please
    where_is_the_toilet I_am_cold I_am_hot can_you_help_me help stop be_careful one_moment_please
    come_in sit_down what_happened what_does_that_mean say_it_again more_slowly_please
    do_you_speak_english do_you_speak_german I_speak_a_little_german I_come_from_germany
    I_come_from_france I_am_a_vegetarian really great what_a_pity it_is_late it_is_early
    it_is_warm it_is_cold let_us_go I_am_coming I_am_busy I_have_a_headache are_you_ready
    all_right I_believe_so I_hope_so who_is_there leave_me_alone what_do_you_think
    give_me_that_please do_not_worry I_miss_you
    """.split()  # noqa: SIM905 - a list of a hundred lines reads worse
)
"""Whole sentences that every language says in its own way; a name may follow."""
