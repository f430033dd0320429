"""French."""

from __future__ import annotations

from llmar_env.text.phrasebook.grammar import (
    Language,
    by_tense,
    by_verb,
    noun_phrases,
    shared_parts,
    word,
)
from llmar_env.text.phrasebook.meaning import IS, IS_NOT, QUESTION, STATEMENT

__all__ = ["LANGUAGE"]

_NOUNS = """
noun | gender singular plural
apple | f pomme pommes
banana | f banane bananes
orange | f orange oranges
pear | f poire poires
tomato | f tomate tomates
potato | f pomme_de_terre pommes_de_terre
egg | m œuf œufs
cake | m gâteau gâteaux
sandwich | m sandwich sandwichs
pizza | f pizza pizzas
book | m livre livres
newspaper | m journal journaux
letter | f lettre lettres
poem | m poème poèmes
story | f histoire histoires
postcard | f carte_postale cartes_postales
magazine | m magazine magazines
shirt | f chemise chemises
coat | m manteau manteaux
dress | f robe robes
hat | m chapeau chapeaux
scarf | f écharpe écharpes
jacket | f veste vestes
sweater | m pull pulls
dog | m chien chiens
cat | m chat chats
horse | m cheval chevaux
cow | f vache vaches
bird | m oiseau oiseaux
sheep | m mouton moutons
rabbit | m lapin lapins
duck | m canard canards
car | f voiture voitures
bicycle | m vélo vélos
truck | m camion camions
boat | m bateau bateaux
motorcycle | f moto motos
chair | f chaise chaises
table | f table tables
lamp | f lampe lampes
clock | f horloge horloges
bottle | f bouteille bouteilles
bag | m sac sacs
key | f clé clés
umbrella | m parapluie parapluies
camera | m appareil_photo appareils_photo
guitar | f guitare guitares
ball | m ballon ballons
box | f boîte boîtes
picture | m tableau tableaux
mirror | m miroir miroirs
"""

# ^ marks those that precede the noun.
_ADJECTIVES = """
adjective | masculine feminine masculine_plural feminine_plural
red | rouge rouge rouges rouges
blue | bleu bleue bleus bleues
green | vert verte verts vertes
black | noir noire noirs noires
white | blanc blanche blancs blanches
big | ^grand grande grands grandes
small | ^petit petite petits petites
expensive | cher chère chers chères
cheap | bon_marché bon_marché bon_marché bon_marché
strange | étrange étrange étranges étranges
beautiful | ^beau belle beaux belles
ordinary | ordinaire ordinaire ordinaires ordinaires
"""

_NUMBERS = """
number | word
two | deux
three | trois
four | quatre
five | cinq
six | six
seven | sept
eight | huit
nine | neuf
ten | dix
"""

_VERBS = """
verb | present participle infinitive
eat | mange mangé manger
cut | coupe coupé couper
peel | épluche épluché éplucher
taste | goûte goûté goûter
read | lit lu lire
write | écrit écrit écrire
translate | traduit traduit traduire
print | imprime imprimé imprimer
wear | porte porté porter
sew | coud cousu coudre
iron | repasse repassé repasser
wash | lave lavé laver
feed | nourrit nourri nourrir
stroke | caresse caressé caresser
photograph | photographie photographié photographier
park | gare garé garer
rent | loue loué louer
repair | répare réparé réparer
carry | transporte transporté transporter
paint | peint peint peindre
hide | cache caché cacher
buy | achète acheté acheter
sell | vend vendu vendre
see | voit vu voir
find | trouve trouvé trouver
choose | choisit choisi choisir
lose | perd perdu perdre
draw | dessine dessiné dessiner
"""

_PEOPLE = """
person | phrase
Anna | Anna
Peter | Peter
Maria | Maria
Thomas | Thomas
the man | l'homme
the woman | la femme
the child | l'enfant
the teacher | le professeur
the doctor | le médecin
the farmer | l'agriculteur
the baker | le boulanger
the student | l'étudiant
the neighbour | le voisin
the policeman | le policier
the tourist | le touriste
the musician | le musicien
my brother | mon frère
my sister | ma sœur
my father | mon père
my mother | ma mère
my uncle | mon oncle
my aunt | ma tante
your friend | ton ami
your grandmother | ta grand-mère
"""

_PLACES = """
place | phrase
here | ici
there | là-bas
at home | à la maison
in the garden | dans le jardin
in the kitchen | dans la cuisine
in the city | en ville
in the village | au village
in the park | dans le parc
at the market | au marché
at the station | à la gare
at school | à l'école
in the library | à la bibliothèque
in the hotel | à l'hôtel
in the office | au bureau
at the beach | à la plage
in front of the house | devant la maison
behind the church | derrière l'église
"""

_TIMES = """
time | phrase
today | aujourd'hui
every day | tous les jours
every evening | tous les soirs
every week | toutes les semaines
on Sundays | le dimanche
yesterday | hier
last week | la semaine dernière
last night | la nuit dernière
last year | l'année dernière
two days ago | il y a deux jours
tomorrow | demain
next week | la semaine prochaine
next month | le mois prochain
soon | bientôt
in three days | dans trois jours
"""

_CONJUNCTIONS = """
conjunction | phrase
and | et
but | , mais
because | parce que
"""


def _noun_phrase(number: str, adjective: list[str], noun: list[str]) -> str:
    """As in "une pomme rouge", "deux petites pommes", "un bel œuf"."""
    gender, singular, plural = noun
    article = {"m": "un", "f": "une"}[gender]
    words = [number or article, plural if number else singular]
    if adjective:
        form = adjective[(gender == "f") + 2 * bool(number)].removeprefix("^")
        if form == "beau" and singular[0] in "aeiouéèœh":
            form = "bel"
        words.insert(1 if adjective[0].startswith("^") else 2, form)
    return " ".join(words)


def _verb(present: str, participle: str, infinitive: str) -> tuple[str, str, str]:
    return present, f"a {participle}", f"va {infinitive}"


def _order(kind: int, link: int, timed: bool) -> list[str]:
    head = {
        STATEMENT: ["person", "verb", "object", "place"],
        QUESTION: ["est-ce que", "person", "verb", "object", "place", "time"],
        IS: ["person", "is", "place"],
        IS_NOT: ["person", "is not", "place"],
    }[kind]
    if timed and kind != QUESTION:
        head = ["time", ",", *head]
    tail = ["link", "person2", "verb2", "object2"] if link else []
    return [*head, *tail]


def _elide(text: str) -> str:
    """Shorten "que" before a vowel; of the words that can follow it, only Anna begins with one."""
    return text.replace("est-ce que A", "est-ce qu'A").replace("parce que A", "parce qu'A")


def _undo_elision(text: str) -> str:
    return text.replace("qu'", "que ")


LANGUAGE = Language(
    parts={
        **shared_parts(people=_PEOPLE, places=_PLACES, times=_TIMES, conjunctions=_CONJUNCTIONS),
        "object": noun_phrases(_NUMBERS, _ADJECTIVES, _NOUNS, _noun_phrase),
        "verb": by_verb(_VERBS, _verb),
        "is": by_tense("est", "était", "va être"),
        "is not": by_tense("n'est pas", "n'était pas", "ne va pas être"),
        "est-ce que": word("est-ce que"),
        ",": word(","),
    },
    order=_order,
    question=("", " ?"),
    contract=_elide,
    expand=_undo_elision,
)
