"""German."""

from __future__ import annotations

from llmar_env.text.phrasebook.grammar import (
    Language,
    by_tense,
    by_verb,
    noun_phrases,
    shared_parts,
    word,
)
from llmar_env.text.phrasebook.meaning import BECAUSE, IS, IS_NOT, QUESTION, STATEMENT

__all__ = ["LANGUAGE"]

# In the accusative.
_NOUNS = """
noun | gender singular plural
apple | m Apfel Äpfel
banana | f Banane Bananen
orange | f Orange Orangen
pear | f Birne Birnen
tomato | f Tomate Tomaten
potato | f Kartoffel Kartoffeln
egg | n Ei Eier
cake | m Kuchen Kuchen
sandwich | n Sandwich Sandwiches
pizza | f Pizza Pizzen
book | n Buch Bücher
newspaper | f Zeitung Zeitungen
letter | m Brief Briefe
poem | n Gedicht Gedichte
story | f Geschichte Geschichten
postcard | f Postkarte Postkarten
magazine | f Zeitschrift Zeitschriften
shirt | n Hemd Hemden
coat | m Mantel Mäntel
dress | n Kleid Kleider
hat | m Hut Hüte
scarf | m Schal Schals
jacket | f Jacke Jacken
sweater | m Pullover Pullover
dog | m Hund Hunde
cat | f Katze Katzen
horse | n Pferd Pferde
cow | f Kuh Kühe
bird | m Vogel Vögel
sheep | n Schaf Schafe
rabbit | n Kaninchen Kaninchen
duck | f Ente Enten
car | n Auto Autos
bicycle | n Fahrrad Fahrräder
truck | m Lastwagen Lastwagen
boat | n Boot Boote
motorcycle | n Motorrad Motorräder
chair | m Stuhl Stühle
table | m Tisch Tische
lamp | f Lampe Lampen
clock | f Uhr Uhren
bottle | f Flasche Flaschen
bag | f Tasche Taschen
key | m Schlüssel Schlüssel
umbrella | m Regenschirm Regenschirme
camera | f Kamera Kameras
guitar | f Gitarre Gitarren
ball | m Ball Bälle
box | f Kiste Kisten
picture | n Bild Bilder
mirror | m Spiegel Spiegel
"""

_ADJECTIVES = """
adjective | stem
red | rot
blue | blau
green | grün
black | schwarz
white | weiß
big | groß
small | klein
expensive | teur
cheap | billig
strange | seltsam
beautiful | schön
ordinary | gewöhnlich
"""

_NUMBERS = """
number | word
two | zwei
three | drei
four | vier
five | fünf
six | sechs
seven | sieben
eight | acht
nine | neun
ten | zehn
"""

_VERBS = """
verb | present participle infinitive
eat | isst gegessen essen
cut | schneidet geschnitten schneiden
peel | schält geschält schälen
taste | probiert probiert probieren
read | liest gelesen lesen
write | schreibt geschrieben schreiben
translate | übersetzt übersetzt übersetzen
print | druckt gedruckt drucken
wear | trägt getragen tragen
sew | näht genäht nähen
iron | bügelt gebügelt bügeln
wash | wäscht gewaschen waschen
feed | füttert gefüttert füttern
stroke | streichelt gestreichelt streicheln
photograph | fotografiert fotografiert fotografieren
park | parkt geparkt parken
rent | mietet gemietet mieten
repair | repariert repariert reparieren
carry | schleppt geschleppt schleppen
paint | malt gemalt malen
hide | versteckt versteckt verstecken
buy | kauft gekauft kaufen
sell | verkauft verkauft verkaufen
see | sieht gesehen sehen
find | findet gefunden finden
choose | wählt gewählt wählen
lose | verliert verloren verlieren
draw | zeichnet gezeichnet zeichnen
"""

_PEOPLE = """
person | phrase
Anna | Anna
Peter | Peter
Maria | Maria
Thomas | Thomas
the man | der Mann
the woman | die Frau
the child | das Kind
the teacher | der Lehrer
the doctor | der Arzt
the farmer | der Bauer
the baker | der Bäcker
the student | der Student
the neighbour | der Nachbar
the policeman | der Polizist
the tourist | der Tourist
the musician | der Musiker
my brother | mein Bruder
my sister | meine Schwester
my father | mein Vater
my mother | meine Mutter
my uncle | mein Onkel
my aunt | meine Tante
your friend | dein Freund
your grandmother | deine Großmutter
"""

_PLACES = """
place | phrase
here | hier
there | dort
at home | zu Hause
in the garden | im Garten
in the kitchen | in der Küche
in the city | in der Stadt
in the village | im Dorf
in the park | im Park
at the market | auf dem Markt
at the station | am Bahnhof
at school | in der Schule
in the library | in der Bibliothek
in the hotel | im Hotel
in the office | im Büro
at the beach | am Strand
in front of the house | vor dem Haus
behind the church | hinter der Kirche
"""

_TIMES = """
time | phrase
today | heute
every day | jeden Tag
every evening | jeden Abend
every week | jede Woche
on Sundays | sonntags
yesterday | gestern
last week | letzte Woche
last night | letzte Nacht
last year | letztes Jahr
two days ago | vor zwei Tagen
tomorrow | morgen
next week | nächste Woche
next month | nächsten Monat
soon | bald
in three days | in drei Tagen
"""

_CONJUNCTIONS = """
conjunction | phrase
and | und
but | , aber
because | , weil
"""


def _noun_phrase(number: str, adjective: list[str], noun: list[str]) -> str:
    """In the accusative, as in "einen roten Apfel", "zwei rote Äpfel"."""
    gender, singular, plural = noun
    if number:
        return " ".join([number, *(stem + "e" for stem in adjective), plural])
    article = {"m": "einen", "f": "eine", "n": "ein"}[gender]
    ending = {"m": "en", "f": "e", "n": "es"}[gender]
    return " ".join([article, *(stem + ending for stem in adjective), singular])


def _verb(present: str, _participle: str, _infinitive: str) -> tuple[str, str, str]:
    """The finite verb."""
    return present, "hat", "wird"


def _rest(_present: str, participle: str, infinitive: str) -> tuple[str, str, str]:
    """What follows the object: "hat ... gegessen", "wird ... essen"."""
    return "", participle, infinitive


def _order(kind: int, link: int, timed: bool) -> list[str]:
    """The verb comes second in a main clause, first in a question, last after "weil"."""
    verb = "verb" if kind in (STATEMENT, QUESTION) else "is"
    if kind == QUESTION:
        head = [verb, "person"]
    else:
        head = ["time", verb, "person"] if timed else ["person", verb]
    rest = {
        STATEMENT: ["place", "object", "rest"],
        QUESTION: ["time", "place", "object", "rest"],
        IS: ["place", "be"],
        IS_NOT: ["not", "place", "be"],
    }[kind]
    if link == BECAUSE:
        tail = ["link", "person2", "object2", "rest2", "verb2"]
    else:
        tail = ["link", "person2", "verb2", "object2", "rest2"] if link else []
    return [*head, *rest, *tail]


LANGUAGE = Language(
    parts={
        **shared_parts(people=_PEOPLE, places=_PLACES, times=_TIMES, conjunctions=_CONJUNCTIONS),
        "object": noun_phrases(_NUMBERS, _ADJECTIVES, _NOUNS, _noun_phrase),
        "verb": by_verb(_VERBS, _verb),
        "rest": by_verb(_VERBS, _rest),
        "is": by_tense("ist", "war", "wird"),
        "be": by_tense("", "", "sein"),
        "not": word("nicht"),
    },
    order=_order,
)
