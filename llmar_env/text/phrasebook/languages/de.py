"""German."""

from __future__ import annotations

from functools import partial

from llmar_env.text.phrasebook import concepts
from llmar_env.text.phrasebook.concepts import (
    DETERMINERS,
    NAMES,
    NOUNS,
    PRONOUNS,
    SEX,
    TIMES,
    VERBS,
)
from llmar_env.text.phrasebook.grammar import Language, Part, Shape, part, same
from llmar_env.text.phrasebook.tables import listed, read_forms, read_phrases

__all__ = ["LANGUAGE"]

# Nouns of the weak declension have -n or -en in all cases but the nominative: "gender" is M.
_NOUNS = """
noun | gender singular plural
father | m Vater Väter
brother | m Bruder Brüder
son | m Sohn Söhne
grandfather | m Großvater Großväter
uncle | m Onkel Onkel
husband | m Ehemann Ehemänner
cousin | m Cousin Cousins
mother | f Mutter Mütter
sister | f Schwester Schwestern
daughter | f Tochter Töchter
grandmother | f Großmutter Großmütter
aunt | f Tante Tanten
wife | f Ehefrau Ehefrauen
man | m Mann Männer
boy | M Junge Jungen
king | m König Könige
woman | f Frau Frauen
girl | n Mädchen Mädchen
queen | f Königin Königinnen
child | n Kind Kinder
friend | m Freund Freunde
neighbour | M Nachbar Nachbarn
guest | m Gast Gäste
tourist | M Tourist Touristen
customer | M Kunde Kunden
baby | n Baby Babys
teacher | m Lehrer Lehrer
doctor | m Arzt Ärzte
student | M Student Studenten
farmer | M Bauer Bauern
baker | m Bäcker Bäcker
policeman | M Polizist Polizisten
cook | m Koch Köche
waiter | m Kellner Kellner
seller | m Verkäufer Verkäufer
driver | m Fahrer Fahrer
nurse | m Krankenpfleger Krankenpfleger
musician | m Musiker Musiker
singer | m Sänger Sänger
actor | m Schauspieler Schauspieler
painter | m Maler Maler
writer | m Schriftsteller Schriftsteller
journalist | M Journalist Journalisten
lawyer | m Anwalt Anwälte
judge | m Richter Richter
engineer | m Ingenieur Ingenieure
scientist | m Wissenschaftler Wissenschaftler
hairdresser | m Friseur Friseure
butcher | m Metzger Metzger
gardener | m Gärtner Gärtner
soldier | M Soldat Soldaten
pilot | M Pilot Piloten
secretary | m Sekretär Sekretäre
boss | m Chef Chefs
colleague | M Kollege Kollegen
artist | m Künstler Künstler
pupil | m Schüler Schüler
dog | m Hund Hunde
cat | f Katze Katzen
horse | n Pferd Pferde
cow | f Kuh Kühe
bird | m Vogel Vögel
sheep | n Schaf Schafe
rabbit | n Kaninchen Kaninchen
duck | f Ente Enten
pig | n Schwein Schweine
chicken | n Huhn Hühner
mouse | f Maus Mäuse
fish | m Fisch Fische
goat | f Ziege Ziegen
bear | M Bär Bären
wolf | m Wolf Wölfe
fox | m Fuchs Füchse
lion | M Löwe Löwen
tiger | m Tiger Tiger
elephant | M Elefant Elefanten
monkey | M Affe Affen
snake | f Schlange Schlangen
frog | m Frosch Frösche
bee | f Biene Bienen
butterfly | m Schmetterling Schmetterlinge
donkey | m Esel Esel
goose | f Gans Gänse
apple | m Apfel Äpfel
banana | f Banane Bananen
orange | f Orange Orangen
pear | f Birne Birnen
lemon | f Zitrone Zitronen
strawberry | f Erdbeere Erdbeeren
cherry | f Kirsche Kirschen
peach | m Pfirsich Pfirsiche
tomato | f Tomate Tomaten
potato | f Kartoffel Kartoffeln
carrot | f Karotte Karotten
onion | f Zwiebel Zwiebeln
cucumber | f Gurke Gurken
mushroom | m Pilz Pilze
pumpkin | m Kürbis Kürbisse
egg | n Ei Eier
cake | m Kuchen Kuchen
sandwich | n Sandwich Sandwiches
pizza | f Pizza Pizzen
sausage | f Wurst Würste
soup | f Suppe Suppen
salad | m Salat Salate
biscuit | m Keks Kekse
pancake | m Pfannkuchen Pfannkuchen
steak | n Steak Steaks
bread | n Brot Brote
cheese | m Käse Käse
meat | n Fleisch Fleisch
butter | f Butter Butter
rice | m Reis Reis
sugar | m Zucker Zucker
salt | n Salz Salze
chocolate | f Schokolade Schokoladen
ham | m Schinken Schinken
honey | m Honig Honig
jam | f Marmelade Marmeladen
ice_cream | n Eis Eis
fruit | n Obst Obst
vegetables | n Gemüse Gemüse
water | n Wasser Wasser
milk | f Milch Milch
coffee | m Kaffee Kaffees
tea | m Tee Tees
beer | n Bier Biere
wine | m Wein Weine
juice | m Saft Säfte
lemonade | f Limonade Limonaden
book | n Buch Bücher
letter | m Brief Briefe
newspaper | f Zeitung Zeitungen
story | f Geschichte Geschichten
poem | n Gedicht Gedichte
postcard | f Postkarte Postkarten
magazine | f Zeitschrift Zeitschriften
message | f Nachricht Nachrichten
novel | m Roman Romane
list | f Liste Listen
report | m Bericht Berichte
song | n Lied Lieder
shirt | n Hemd Hemden
coat | m Mantel Mäntel
dress | n Kleid Kleider
hat | m Hut Hüte
scarf | m Schal Schals
jacket | f Jacke Jacken
sweater | m Pullover Pullover
skirt | m Rock Röcke
shoe | m Schuh Schuhe
sock | f Socke Socken
glove | m Handschuh Handschuhe
suit | m Anzug Anzüge
cap | f Mütze Mützen
blouse | f Bluse Blusen
tie | f Krawatte Krawatten
table | m Tisch Tische
chair | m Stuhl Stühle
bed | n Bett Betten
cupboard | m Schrank Schränke
sofa | n Sofa Sofas
lamp | f Lampe Lampen
shelf | n Regal Regale
desk | m Schreibtisch Schreibtische
carpet | m Teppich Teppiche
mirror | m Spiegel Spiegel
curtain | m Vorhang Vorhänge
car | n Auto Autos
bicycle | n Fahrrad Fahrräder
bus | m Bus Busse
train | m Zug Züge
truck | m Lastwagen Lastwagen
boat | n Boot Boote
ship | n Schiff Schiffe
motorcycle | n Motorrad Motorräder
taxi | n Taxi Taxis
plane | n Flugzeug Flugzeuge
tram | f Straßenbahn Straßenbahnen
house | n Haus Häuser
flat | f Wohnung Wohnungen
hotel | n Hotel Hotels
school | f Schule Schulen
church | f Kirche Kirchen
shop | m Laden Läden
restaurant | n Restaurant Restaurants
hospital | n Krankenhaus Krankenhäuser
museum | n Museum Museen
station | m Bahnhof Bahnhöfe
factory | f Fabrik Fabriken
castle | n Schloss Schlösser
bridge | f Brücke Brücken
tower | m Turm Türme
bank | f Bank Banken
bakery | f Bäckerei Bäckereien
pharmacy | f Apotheke Apotheken
library | f Bibliothek Bibliotheken
theatre | n Theater Theater
cinema | n Kino Kinos
office | n Büro Büros
airport | m Flughafen Flughäfen
door | f Tür Türen
window | n Fenster Fenster
gate | n Tor Tore
bag | f Tasche Taschen
box | f Kiste Kisten
bottle | f Flasche Flaschen
cup | f Tasse Tassen
glass | n Glas Gläser
plate | m Teller Teller
basket | m Korb Körbe
suitcase | m Koffer Koffer
wallet | m Geldbeutel Geldbeutel
pot | m Topf Töpfe
bowl | f Schüssel Schüsseln
bucket | m Eimer Eimer
key | m Schlüssel Schlüssel
umbrella | m Regenschirm Regenschirme
ball | m Ball Bälle
pen | m Kugelschreiber Kugelschreiber
knife | n Messer Messer
fork | f Gabel Gabeln
spoon | m Löffel Löffel
picture | n Bild Bilder
doll | f Puppe Puppen
toy | n Spielzeug Spielzeuge
present | n Geschenk Geschenke
ring | m Ring Ringe
pencil | m Bleistift Bleistifte
stamp | f Briefmarke Briefmarken
ticket | f Fahrkarte Fahrkarten
candle | f Kerze Kerzen
towel | n Handtuch Handtücher
blanket | f Decke Decken
pillow | n Kissen Kissen
brush | f Bürste Bürsten
comb | m Kamm Kämme
soap | f Seife Seifen
rope | n Seil Seile
stone | m Stein Steine
hammer | m Hammer Hämmer
needle | f Nadel Nadeln
flag | f Fahne Fahnen
map | f Landkarte Landkarten
passport | m Reisepass Reisepässe
photo | n Foto Fotos
coin | f Münze Münzen
ladder | f Leiter Leitern
computer | m Computer Computer
phone | n Telefon Telefone
television | m Fernseher Fernseher
radio | n Radio Radios
camera | f Kamera Kameras
clock | f Uhr Uhren
fridge | m Kühlschrank Kühlschränke
washing_machine | f Waschmaschine Waschmaschinen
printer | m Drucker Drucker
piano | n Klavier Klaviere
guitar | f Gitarre Gitarren
violin | f Geige Geigen
flute | f Flöte Flöten
trumpet | f Trompete Trompeten
drum | f Trommel Trommeln
football | m Fußball Fußbälle
tennis | n Tennis Tennis
chess | n Schach Schach
basketball | m Basketball Basketbälle
volleyball | m Volleyball Volleybälle
hand | f Hand Hände
head | m Kopf Köpfe
foot | m Fuß Füße
eye | n Auge Augen
ear | n Ohr Ohren
nose | f Nase Nasen
mouth | m Mund Münder
leg | n Bein Beine
arm | m Arm Arme
finger | m Finger Finger
face | n Gesicht Gesichter
tooth | m Zahn Zähne
back | m Rücken Rücken
sun | f Sonne Sonnen
moon | m Mond Monde
star | m Stern Sterne
flower | f Blume Blumen
tree | m Baum Bäume
rose | f Rose Rosen
leaf | n Blatt Blätter
bush | m Busch Büsche
sea | n Meer Meere
river | m Fluss Flüsse
lake | m See Seen
mountain | m Berg Berge
forest | m Wald Wälder
island | f Insel Inseln
beach | m Strand Strände
field | n Feld Felder
street | f Straße Straßen
path | m Weg Wege
garden | m Garten Gärten
park | m Park Parks
city | f Stadt Städte
village | n Dorf Dörfer
money | n Geld Gelder
English | n Englisch Englisch
German | n Deutsch Deutsch
French | n Französisch Französisch
Chinese | n Chinesisch Chinesisch
mathematics | f Mathematik Mathematik
history | f Geschichte Geschichten
music | f Musik Musik
art | f Kunst Künste
film | m Film Filme
party | f Party Partys
concert | n Konzert Konzerte
lesson | f Unterrichtsstunde Unterrichtsstunden
course | m Kurs Kurse
exam | f Prüfung Prüfungen
meeting | f Besprechung Besprechungen
trip | f Reise Reisen
birthday | m Geburtstag Geburtstage
wedding | f Hochzeit Hochzeiten
question | f Frage Fragen
answer | f Antwort Antworten
idea | f Idee Ideen
problem | n Problem Probleme
word | n Wort Wörter
name | M Name Namen
mistake | m Fehler Fehler
secret | n Geheimnis Geheimnisse
plan | m Plan Pläne
dream | m Traum Träume
room | n Zimmer Zimmer
kitchen | f Küche Küchen
bathroom | n Badezimmer Badezimmer
bedroom | n Schlafzimmer Schlafzimmer
cellar | m Keller Keller
roof | n Dach Dächer
time | f Zeit Zeiten
help | f Hilfe Hilfen
work | f Arbeit Arbeiten
luck | n Glück Glück
"""

# The feminine of the professions that do not just add -in.
_FEMALE = """
profession | feminine
doctor | Ärztin
farmer | Bäuerin
cook | Köchin
lawyer | Anwältin
colleague | Kollegin
"""

# "du" and "er" are the forms of the present after these pronouns, without the particle, "be" the
# past participle with its auxiliary (S: sein), "after" what else the verb needs, and "case" is that
# of its object, with a preposition or without.
_VERBS = """
verb | infinitive du er participle particle after case
sleep | schlafen schläfst schläft geschlafen - - -
work | arbeiten arbeitest arbeitet gearbeitet - - -
laugh | lachen lachst lacht gelacht - - -
cry | weinen weinst weint geweint - - -
smile | lächeln lächelst lächelt gelächelt - - -
dance | tanzen tanzt tanzt getanzt - - -
sing | singen singst singt gesungen - - -
swim | schwimmen schwimmst schwimmt S:geschwommen - - -
run | laufen läufst läuft S:gelaufen - - -
wait | warten wartest wartet gewartet - - -
sit | sitzen sitzt sitzt gesessen - - -
stand | stehen stehst steht gestanden - - -
live | wohnen wohnst wohnt gewohnt - - -
stay | bleiben bleibst bleibt S:geblieben - - -
rest | ausruhen ruhst ruht ausgeruht aus self -
get_up | aufstehen stehst steht S:aufgestanden auf - -
wake_up | aufwachen wachst wacht S:aufgewacht auf - -
watch_television | fernsehen siehst sieht ferngesehen fern - -
go_for_a_walk | spazieren_gehen gehst geht S:spazieren_gegangen spazieren - -
shower | duschen duschst duscht geduscht - - -
smoke | rauchen rauchst raucht geraucht - - -
travel | reisen reist reist S:gereist - - -
go | gehen gehst geht S:gegangen - - -
drive | fahren fährst fährt S:gefahren - - -
fly | fliegen fliegst fliegt S:geflogen - - -
come | kommen kommst kommt S:gekommen - - -
return | zurückkommen kommst kommt S:zurückgekommen zurück - -
run_away | weglaufen läufst läuft S:weggelaufen weg - -
begin | anfangen fängst fängt angefangen an - -
end | enden endest endet geendet - - -
shine | scheinen scheinst scheint geschienen - - -
bloom | blühen blühst blüht geblüht - - -
hurt | wehtun tust tut wehgetan weh - -
be_hungry | haben hast hat gehabt - Hunger -
be_thirsty | haben hast hat gehabt - Durst -
be_afraid | haben hast hat gehabt - Angst -
be_right | haben hast hat gehabt - recht -
be_in_a_hurry | sein bist ist S:gewesen - in_Eile -
be | sein bist ist S:gewesen - - nom
become | werden wirst wird S:geworden - - nom
rain | regnen regnest regnet geregnet - - -
snow | schneien schneist schneit geschneit - - -
there_is | geben gibst gibt gegeben - - acc
see | sehen siehst sieht gesehen - - acc
know | kennen kennst kennt gekannt - - acc
love | lieben liebst liebt geliebt - - acc
like | mögen magst mag gemocht - - acc
hate | hassen hasst hasst gehasst - - acc
need | brauchen brauchst braucht gebraucht - - acc
have | haben hast hat gehabt - - acc
look_for | suchen suchst sucht gesucht - - acc
find | finden findest findet gefunden - - acc
lose | verlieren verlierst verliert verloren - - acc
forget | vergessen vergisst vergisst vergessen - - acc
buy | kaufen kaufst kauft gekauft - - acc
sell | verkaufen verkaufst verkauft verkauft - - acc
take | nehmen nimmst nimmt genommen - - acc
hold | halten hältst hält gehalten - - acc
wear | tragen trägst trägt getragen - - acc
wash | waschen wäschst wäscht gewaschen - - acc
clean | putzen putzt putzt geputzt - - acc
repair | reparieren reparierst repariert repariert - - acc
open | öffnen öffnest öffnet geöffnet - - acc
close | schließen schließt schließt geschlossen - - acc
read | lesen liest liest gelesen - - acc
write | schreiben schreibst schreibt geschrieben - - acc
understand | verstehen verstehst versteht verstanden - - acc
learn | lernen lernst lernt gelernt - - acc
study | studieren studierst studiert studiert - - acc
speak | sprechen sprichst spricht gesprochen - - acc
translate | übersetzen übersetzt übersetzt übersetzt - - acc
hear | hören hörst hört gehört - - acc
listen_to | zuhören hörst hört zugehört zu - dat
eat | essen isst isst gegessen - - acc
drink | trinken trinkst trinkt getrunken - - acc
cook | kochen kochst kocht gekocht - - acc
bake | backen backst backt gebacken - - acc
cut | schneiden schneidest schneidet geschnitten - - acc
taste | probieren probierst probiert probiert - - acc
order | bestellen bestellst bestellt bestellt - - acc
pay_for | bezahlen bezahlst bezahlt bezahlt - - acc
use | benutzen benutzt benutzt benutzt - - acc
play | spielen spielst spielt gespielt - - acc
play_music | spielen spielst spielt gespielt - - acc
steer | lenken lenkst lenkt gelenkt - - acc
draw | zeichnen zeichnest zeichnet gezeichnet - - acc
paint | malen malst malt gemalt - - acc
photograph | fotografieren fotografierst fotografiert fotografiert - - acc
visit | besuchen besuchst besucht besucht - - acc
meet | treffen triffst trifft getroffen - - acc
invite | einladen lädst lädt eingeladen ein - acc
call | anrufen rufst ruft angerufen an - acc
help | helfen hilfst hilft geholfen - - dat
thank | danken dankst dankt gedankt - - dat
answer | antworten antwortest antwortet geantwortet - - dat
ask | fragen fragst fragt gefragt - - acc
greet | grüßen grüßt grüßt gegrüßt - - acc
hug | umarmen umarmst umarmt umarmt - - acc
kiss | küssen küsst küsst geküsst - - acc
follow | folgen folgst folgt S:gefolgt - - dat
wait_for | warten wartest wartet gewartet - - auf+acc
think_of | denken denkst denkt gedacht - - an+acc
look_at | ansehen siehst sieht angesehen an - acc
feed | füttern fütterst füttert gefüttert - - acc
stroke | streicheln streichelst streichelt gestreichelt - - acc
catch | fangen fängst fängt gefangen - - acc
throw | werfen wirfst wirft geworfen - - acc
build | bauen baust baut gebaut - - acc
collect | sammeln sammelst sammelt gesammelt - - acc
count | zählen zählst zählt gezählt - - acc
hide | verstecken versteckst versteckt versteckt - - acc
choose | wählen wählst wählt gewählt - - acc
pack | packen packst packt gepackt - - acc
rent | mieten mietest mietet gemietet - - acc
watch | beobachten beobachtest beobachtet beobachtet - - acc
begin_with | beginnen beginnst beginnt begonnen - - mit+dat
plan | planen planst plant geplant - - acc
celebrate | feiern feierst feiert gefeiert - - acc
miss | vermissen vermisst vermisst vermisst - - acc
belong_to | gehören gehörst gehört gehört - - dat
give | geben gibst gibt gegeben - - acc
show | zeigen zeigst zeigt gezeigt - - acc
send | schicken schickst schickt geschickt - - acc
bring | bringen bringst bringt gebracht - - acc
tell | erzählen erzählst erzählt erzählt - - acc
explain | erklären erklärst erklärt erklärt - - acc
lend | leihen leihst leiht geliehen - - acc
think | denken denkst denkt gedacht - - -
say | sagen sagst sagt gesagt - - -
hope | hoffen hoffst hofft gehofft - - -
know_that | wissen weißt weiß gewusst - - -
"""

_ADJECTIVES = """
adjective | stem predicate comparative
red | rot rot roter
blue | blau blau blauer
green | grün grün grüner
yellow | gelb gelb gelber
black | schwarz schwarz schwärzer
white | weiß weiß weißer
brown | braun braun brauner
grey | grau grau grauer
big | groß groß größer
small | klein klein kleiner
old | alt alt älter
young | jung jung jünger
long | lang lang länger
short | kurz kurz kürzer
heavy | schwer schwer schwerer
light | leicht leicht leichter
new | neu neu neuer
expensive | teur teuer teurer
cheap | billig billig billiger
beautiful | schön schön schöner
ugly | hässlich hässlich hässlicher
strange | seltsam seltsam seltsamer
ordinary | gewöhnlich gewöhnlich gewöhnlicher
good | gut gut besser
bad | schlecht schlecht schlechter
dirty | schmutzig schmutzig schmutziger
clean | sauber sauber sauberer
broken | kaputt kaputt kaputter
empty | leer leer leerer
full | voll voll voller
open | offen offen offener
closed | geschlossen geschlossen geschlossener
tired | müd müde müder
happy | glücklich glücklich glücklicher
sad | traurig traurig trauriger
ill | krank krank kränker
healthy | gesund gesund gesünder
angry | wütend wütend wütender
nice | nett nett netter
poor | arm arm ärmer
rich | reich reich reicher
famous | berühmt berühmt berühmter
intelligent | intelligent intelligent intelligenter
strong | stark stark stärker
weak | schwach schwach schwächer
polite | höflich höflich höflicher
lazy | faul faul fauler
hard-working | fleißig fleißig fleißiger
brave | mutig mutig mutiger
shy | schüchtern schüchtern schüchterner
funny | lustig lustig lustiger
fresh | frisch frisch frischer
hot | heiß heiß heißer
cold | kalt kalt kälter
sweet | süß süß süßer
sour | saur sauer saurer
delicious | lecker lecker leckerer
interesting | interessant interessant interessanter
boring | langweilig langweilig langweiliger
difficult | schwierig schwierig schwieriger
easy | einfach einfach einfacher
important | wichtig wichtig wichtiger
fast | schnell schnell schneller
slow | langsam langsam langsamer
loud | laut laut lauter
quiet | leis leise leiser
"""

_TIMES = """
time | words
now | jetzt
every_day | jeden Tag
every_morning | jeden Morgen
every_evening | jeden Abend
every_week | jede Woche
every_year | jedes Jahr
on_weekdays | werktags
on_Sundays | sonntags
yesterday | gestern
last_night | letzte Nacht
last_week | letzte Woche
last_month | letzten Monat
last_year | letztes Jahr
two_days_ago | vor zwei Tagen
a_week_ago | vor einer Woche
an_hour_ago | vor einer Stunde
yesterday_morning | gestern Morgen
yesterday_evening | gestern Abend
this_morning | heute Morgen
tomorrow | morgen
next_week | nächste Woche
next_month | nächsten Monat
next_year | nächstes Jahr
soon | bald
later | später
in_three_days | in drei Tagen
in_an_hour | in einer Stunde
tomorrow_morning | morgen früh
tomorrow_evening | morgen Abend
today | heute
in_the_morning | am Morgen
in_the_evening | am Abend
in_the_afternoon | am Nachmittag
at_night | in der Nacht
at_noon | am Mittag
at_the_weekend | am Wochenende
this_evening | heute Abend
on_Monday | am Montag
on_Tuesday | am Dienstag
on_Wednesday | am Mittwoch
on_Thursday | am Donnerstag
on_Friday | am Freitag
on_Saturday | am Samstag
on_Sunday | am Sonntag
at_one_o'clock | um ein Uhr
at_two_o'clock | um zwei Uhr
at_three_o'clock | um drei Uhr
at_four_o'clock | um vier Uhr
at_five_o'clock | um fünf Uhr
at_six_o'clock | um sechs Uhr
at_seven_o'clock | um sieben Uhr
at_eight_o'clock | um acht Uhr
at_nine_o'clock | um neun Uhr
at_ten_o'clock | um zehn Uhr
at_eleven_o'clock | um elf Uhr
at_twelve_o'clock | um zwölf Uhr
at_half_past_six | um halb sieben
at_half_past_seven | um halb acht
at_half_past_eight | um halb neun
in_January | im Januar
in_February | im Februar
in_March | im März
in_April | im April
in_May | im Mai
in_June | im Juni
in_July | im Juli
in_August | im August
in_September | im September
in_October | im Oktober
in_November | im November
in_December | im Dezember
in_spring | im Frühling
in_summer | im Sommer
in_autumn | im Herbst
in_winter | im Winter
at_Christmas | an Weihnachten
on_the_first_of_May | am ersten Mai
"""

_PLACES = """
place | where
here | hier
there | dort
at_home | zu Hause
in_the_garden | im Garten
in_the_kitchen | in der Küche
in_the_city | in der Stadt
in_the_village | im Dorf
in_the_park | im Park
at_the_market | auf dem Markt
at_the_station | am Bahnhof
at_school | in der Schule
in_the_library | in der Bibliothek
in_the_hotel | im Hotel
in_the_office | im Büro
at_the_beach | am Strand
in_front_of_the_house | vor dem Haus
behind_the_church | hinter der Kirche
at_the_cinema | im Kino
in_the_restaurant | im Restaurant
in_the_hospital | im Krankenhaus
in_the_museum | im Museum
at_the_airport | am Flughafen
in_the_shop | im Laden
at_the_bakery | in der Bäckerei
at_the_supermarket | im Supermarkt
in_the_forest | im Wald
by_the_lake | am See
by_the_sea | am Meer
in_the_mountains | in den Bergen
in_the_living_room | im Wohnzimmer
in_the_bathroom | im Badezimmer
in_the_bedroom | im Schlafzimmer
in_the_cellar | im Keller
in_bed | im Bett
at_the_bus_stop | an der Haltestelle
at_the_swimming_pool | im Schwimmbad
at_the_theatre | im Theater
at_the_doctor's | beim Arzt
in_church | in der Kirche
in_the_street | auf der Straße
in_Berlin | in Berlin
in_Paris | in Paris
in_London | in London
in_Germany | in Deutschland
in_France | in Frankreich
in_England | in England
in_China | in China
at_university | an der Universität
on_the_roof | auf dem Dach
at_the_window | am Fenster
on_the_table | auf dem Tisch
under_the_table | unter dem Tisch
under_the_chair | unter dem Stuhl
on_the_chair | auf dem Stuhl
on_the_floor | auf dem Boden
in_the_bag | in der Tasche
in_the_box | in der Kiste
in_the_cupboard | im Schrank
on_the_shelf | im Regal
under_the_bed | unter dem Bett
behind_the_door | hinter der Tür
in_the_fridge | im Kühlschrank
in_the_car | im Auto
on_the_train | im Zug
on_the_bus | im Bus
under_the_tree | unter dem Baum
on_the_wall | an der Wand
"""

_TO = """
place | where to
here | hierher
there | dorthin
at_home | nach Hause
in_the_garden | in den Garten
in_the_kitchen | in die Küche
in_the_city | in die Stadt
in_the_village | ins Dorf
in_the_park | in den Park
at_the_market | auf den Markt
at_the_station | zum Bahnhof
at_school | in die Schule
in_the_library | in die Bibliothek
in_the_hotel | ins Hotel
in_the_office | ins Büro
at_the_beach | an den Strand
in_front_of_the_house | vor das Haus
behind_the_church | hinter die Kirche
at_the_cinema | ins Kino
in_the_restaurant | ins Restaurant
in_the_hospital | ins Krankenhaus
in_the_museum | ins Museum
at_the_airport | zum Flughafen
in_the_shop | in den Laden
at_the_bakery | in die Bäckerei
at_the_supermarket | in den Supermarkt
in_the_forest | in den Wald
by_the_lake | an den See
by_the_sea | ans Meer
in_the_mountains | in die Berge
in_the_living_room | ins Wohnzimmer
in_the_bathroom | ins Badezimmer
in_the_bedroom | ins Schlafzimmer
in_the_cellar | in den Keller
in_bed | ins Bett
at_the_bus_stop | zur Haltestelle
at_the_swimming_pool | ins Schwimmbad
at_the_theatre | ins Theater
at_the_doctor's | zum Arzt
in_church | in die Kirche
in_the_street | auf die Straße
in_Berlin | nach Berlin
in_Paris | nach Paris
in_London | nach London
in_Germany | nach Deutschland
in_France | nach Frankreich
in_England | nach England
in_China | nach China
at_university | an die Universität
on_the_roof | auf das Dach
at_the_window | ans Fenster
"""

_MANNERS = """
manner | words
well | gut
badly | schlecht
quickly | schnell
slowly | langsam
alone | allein
together | zusammen
quietly | leise
loudly | laut
carefully | vorsichtig
for_a_long_time | lange
with_friends | mit Freunden
with_the_children | mit den Kindern
a_lot | viel
a_little | ein bisschen
by_car | mit dem Auto
by_bus | mit dem Bus
by_train | mit dem Zug
by_bicycle | mit dem Fahrrad
on_foot | zu Fuß
by_plane | mit dem Flugzeug
"""

_ADVERBS = """
adverb | word
often | oft
always | immer
never | nie
sometimes | manchmal
already | schon
still | noch
also | auch
perhaps | vielleicht
"""

_LINKS = """
link | words
and | und
but | , aber
because | , weil
if | , wenn
that | , dass
who | ,
"""

_PHRASES = """
phrase | sentence
good_morning | Guten Morgen!
good_day | Guten Tag!
good_evening | Guten Abend!
good_night | Gute Nacht!
hello | Hallo!
hi | Hi!
goodbye | Auf Wiedersehen!
bye | Tschüss!
see_you_tomorrow | Bis morgen!
see_you_soon | Bis bald!
see_you_later | Bis später!
welcome | Willkommen!
thank_you | Danke!
thank_you_very_much | Danke schön!
many_thanks | Vielen Dank!
you_are_welcome | Gern geschehen!
please | Bitte!
excuse_me | Entschuldigung!
I_am_sorry | Es tut mir leid.
sorry | Verzeihung!
no_problem | Kein Problem!
it_does_not_matter | Das macht nichts.
of_course | Natürlich!
yes | Ja.
no | Nein.
yes_please | Ja, gern.
no_thank_you | Nein, danke.
maybe | Vielleicht.
how_are_you | Wie geht es dir?
how_are_you_formal | Wie geht es Ihnen?
I_am_fine | Mir geht es gut.
I_am_fine_thank_you | Mir geht es gut, danke.
I_am_not_well | Mir geht es nicht gut.
and_you | Und dir?
what_is_your_name | Wie heißt du?
pleased_to_meet_you | Freut mich!
where_are_you_from | Woher kommst du?
how_old_are_you | Wie alt bist du?
what_time_is_it | Wie spät ist es?
happy_birthday | Alles Gute zum Geburtstag!
congratulations | Herzlichen Glückwunsch!
merry_christmas | Frohe Weihnachten!
happy_new_year | Frohes neues Jahr!
good_luck | Viel Glück!
have_a_good_trip | Gute Reise!
enjoy_your_meal | Guten Appetit!
cheers | Prost!
bless_you | Gesundheit!
get_well_soon | Gute Besserung!
have_fun | Viel Spaß!
have_a_nice_day | Schönen Tag noch!
have_a_nice_weekend | Schönes Wochenende!
I_love_you | Ich liebe dich so sehr!
I_do_not_know | Ich weiß es nicht.
I_do_not_understand | Das verstehe ich nicht.
I_know | Ich weiß.
what_is_that | Was ist das?
who_is_that | Wer ist das?
that_is_right | Das stimmt.
that_is_wrong | Das ist falsch.
that_is_good | Das ist gut.
that_is_not_possible | Das geht nicht.
that_is_too_expensive | Das ist zu teuer.
how_much_does_it_cost | Was kostet das?
the_bill_please | Die Rechnung, bitte!
a_coffee_please | Einen Kaffee, bitte!
where_is_the_toilet | Wo ist die Toilette?
I_am_cold | Mir ist kalt.
I_am_hot | Mir ist heiß.
can_you_help_me | Kannst du mir bitte helfen?
help | Hilfe!
stop | Halt!
be_careful | Sei vorsichtig!
one_moment_please | Einen Moment, bitte!
come_in | Komm herein!
sit_down | Setz dich!
what_happened | Was ist passiert?
what_does_that_mean | Was bedeutet das?
say_it_again | Sag das noch einmal!
more_slowly_please | Bitte langsamer!
do_you_speak_english | Sprichst du etwas Englisch?
do_you_speak_german | Sprichst du etwas Deutsch?
I_speak_a_little_german | Ich spreche ein bisschen Deutsch.
I_come_from_germany | Ich komme aus Deutschland.
I_come_from_france | Ich komme aus Frankreich.
I_am_a_vegetarian | Ich bin Vegetarier.
really | Wirklich?
great | Toll!
what_a_pity | Wie schade!
it_is_late | Es ist spät.
it_is_early | Es ist früh.
it_is_warm | Es ist warm.
it_is_cold | Es ist kalt.
let_us_go | Gehen wir!
I_am_coming | Ich komme gleich!
I_am_busy | Ich bin beschäftigt.
I_have_a_headache | Ich habe Kopfschmerzen.
are_you_ready | Bist du fertig?
all_right | In Ordnung!
I_believe_so | Ich glaube schon.
I_hope_so | Hoffentlich.
who_is_there | Wer ist da?
leave_me_alone | Lass mich in Ruhe!
what_do_you_think | Was meinst du?
give_me_that_please | Gib mir das, bitte!
do_not_worry | Keine Sorge!
I_miss_you | Du fehlst mir.
"""

_GENDER_AND_FORMS = read_forms(NOUNS, _NOUNS)
_FORMS = read_forms(VERBS, _VERBS)
_FEMININE = {
    noun: forms[1] + "in"
    for noun, forms in _GENDER_AND_FORMS.items()
    if NOUNS[noun] == "profession"
} | read_phrases(listed(_FEMALE), _FEMALE)
_ADJECTIVE = read_forms(concepts.ADJECTIVES, _ADJECTIVES)
_TIME = {"": "", "when": "", **read_phrases(concepts.TIMES, _TIMES)}
_WHERE = {"": "", "where": "", **read_phrases(concepts.PLACES, _PLACES)}
_WHERE_TO = {
    "": "",
    "where": "",
    **read_phrases([name for name, of in concepts.PLACES.items() if of == "both"], _TO),
}
_MANNER = {"": "", **read_phrases(concepts.MANNERS, _MANNERS)}
_ADVERB = {"": "", **read_phrases(concepts.ADVERBS, _ADVERBS)}
_LINK = {"": "", **read_phrases(concepts.LINKS, _LINKS)}

_NUMBERS = {
    "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs",
    "seven": "sieben", "eight": "acht", "nine": "neun", "ten": "zehn", "eleven": "elf",
    "twelve": "zwölf", "twenty": "zwanzig", "many": "viele", "how_many": "wie viele",
}  # fmt: skip

# Endings by case, for m, f, n and the plural: of "d-", "dies-" and strong adjectives; of "ein".
_STRONG = {
    "nom": {"m": "er", "f": "e", "n": "es", "p": "e"},
    "acc": {"m": "en", "f": "e", "n": "es", "p": "e"},
    "dat": {"m": "em", "f": "er", "n": "em", "p": "en"},
}
_EIN = {
    "nom": {"m": "", "f": "e", "n": "", "p": "e"},
    "acc": {"m": "en", "f": "e", "n": "", "p": "e"},
    "dat": {"m": "em", "f": "er", "n": "em", "p": "en"},
}
_THE = {
    "nom": {"m": "der", "f": "die", "n": "das", "p": "die"},
    "acc": {"m": "den", "f": "die", "n": "das", "p": "die"},
    "dat": {"m": "dem", "f": "der", "n": "dem", "p": "den"},
}
_PRONOUNS = {
    "nom": {"I": "ich", "he": "er", "she": "sie", "we": "wir", "they": "sie", "it": "es"},
    "acc": {"I": "mich", "he": "ihn", "she": "sie", "we": "uns", "they": "sie"},
    "dat": {"I": "mir", "he": "ihm", "she": "ihr", "we": "uns", "they": "ihnen"},
}
_YOU = {
    "nom": {"": "du", "plural": "ihr", "formal": "Sie"},
    "acc": {"": "dich", "plural": "euch", "formal": "Sie"},
    "dat": {"": "dir", "plural": "euch", "formal": "Ihnen"},
}
_REFLEXIVE = {"ich": "mich", "du": "dich", "er": "sich", "wir": "uns", "ihr": "euch", "sie": "sich"}
_YOUR = {"": "dein", "plural": "euer", "formal": "Ihr"}

# Forms after ich, du, er, wir, ihr and sie.
_PERSONS = ("ich", "du", "er", "wir", "ihr", "sie")
_FINITE = {
    name: dict(zip(_PERSONS, forms.split(), strict=True))
    for name, forms in {
        "be": "bin bist ist sind seid sind",
        "was": "war warst war waren wart waren",
        "have": "habe hast hat haben habt haben",
        "had": "hatte hattest hatte hatten hattet hatten",
        "will": "werde wirst wird werden werdet werden",
        "can": "kann kannst kann können könnt können",
        "could": "konnte konntest konnte konnten konntet konnten",
        "must": "muss musst muss müssen müsst müssen",
        "had to": "musste musstest musste mussten musstet mussten",
        "want": "will willst will wollen wollt wollen",
        "wanted": "wollte wolltest wollte wollten wolltet wollten",
        "may": "darf darfst darf dürfen dürft dürfen",
        "should": "soll sollst soll sollen sollt sollen",
        "would_like": "möchte möchtest möchte möchten möchtet möchten",
        "like": "mag magst mag mögen mögt mögen",
        "know_that": "weiß weißt weiß wissen wisst wissen",
    }.items()
}
# Verbs with irregular forms in the present, and in the imperative by their stem.
_IRREGULAR = {
    "sein": "be", "haben": "have", "werden": "will", "mögen": "like", "wissen": "know_that",
}  # fmt: skip
_IMPERATIVE = {
    "seh": "sieh", "nehm": "nimm", "les": "lies", "sprech": "sprich", "ess": "iss", "geb": "gib",
    "vergess": "vergiss", "helf": "hilf", "treff": "triff", "werf": "wirf", "sei": "sei",
}  # fmt: skip
_PAST_MODAL = {"can": "could", "must": "had to", "want": "wanted"}


# ---------------------------------------------------------------------------- features


def _gender(noun: str, number: str) -> str:
    """m, f, n, or p for the plural; "" for a pronoun or a name."""
    if noun not in NOUNS:
        return ""
    return "p" if number == "plural" else _GENDER_AND_FORMS[noun][0].lower()


def _object_gender(object: str, onumber: str, woman: str) -> str:
    return "f" if woman else _gender(object, onumber)


def _number(det: str, head_det: str) -> str:
    return DETERMINERS.get(det or head_det, "singular")


def _onumber(odet: str) -> str:
    return "plural" if odet == "how_many" else DETERMINERS.get(odet, "singular")


def _rnumber(rdet: str) -> str:
    return DETERMINERS.get(rdet, "singular")


def _person(noun: str, address: str) -> str:
    if noun == "you":
        return {"": "du", "plural": "ihr", "formal": "sie"}[address]
    return {"I": "ich", "we": "wir", "they": "sie"}.get(noun, "er")


def _agreement(person: str, number: str, together: str) -> str:
    """The pronoun that the verb agrees with."""
    return "sie" if number == "plural" or together else person


def _owner(noun: str) -> str:
    """The possessive of a subject that is a single person."""
    sex = NAMES.get(noun) or SEX.get(NOUNS.get(noun, ""), "")
    owners = {"he": "sein", "she": "ihr", "they": "ihr"}
    return owners.get(noun) or {"male": "sein", "female": "ihr"}.get(sex, "ihr")


def _possessive(owner: str, number: str) -> str:
    return "ihr" if number == "plural" else owner


def _case(verb: str, compare: str) -> str:
    """The case of the object."""
    if not verb or compare:
        return "nom"
    return _FORMS[verb][6].rpartition("+")[2] or "acc"


def _preposition(verb: str) -> str:
    """The preposition before the object."""
    return _FORMS[verb][6].rpartition("+")[0] if verb else ""


def _hunger(verb: str) -> str:
    """A noun that belongs to the verb."""
    after = _FORMS[verb][5] if verb else ""
    return after if after in {"Hunger", "Durst", "Angst"} else ""


def _kein(neg: str, odet: str, preposition: str, gern: str, hunger: str) -> str:
    """Whether the negation goes with the object."""
    negated = odet in {"a", "some", "plural"} and not preposition
    return "kein" if neg and not gern and (negated or hunger) else ""


def _clear(ogender: str, opronoun: str, case: str, preposition: str) -> str:
    """Whether the form of the object tells it from a subject."""
    marked = ogender == "m" or opronoun in {"I", "he", "we"}
    return "yes" if case == "dat" or preposition or (marked and case == "acc") else ""


def _front(topic: str, clear: str) -> str:
    return "" if topic == "object" and not clear else topic


def _spoken(tense: str, plain: str, time: str) -> str:
    """The tense that is used: people tell the future in the present where a time says so."""
    return "present" if plain and TIMES.get(time) == "future" else tense


def _early(late: str, place_object: str) -> str:
    """Whether the place comes before the object."""
    return "early" if place_object and not late else ""


# ---------------------------------------------------------------------------- noun phrases


def _determiner(det: str, gender: str, possessive: str, address: str, case: str) -> str:
    det = det.removesuffix("_plural")
    if det in {"", "some", "plural"}:
        return ""
    if det in _NUMBERS:
        return _NUMBERS[det] + ("n" if case == "dat" and det in {"many", "how_many"} else "")
    if det == "the":
        return _THE[case][gender]
    if det in {"this", "these", "every"}:
        return ("jed" if det == "every" else "dies") + _STRONG[case][gender]
    stem = {"a": "ein", "own": possessive, "my": "mein", "our": "unser", "your": _YOUR[address]}[
        det
    ]
    ending = _EIN[case][gender]
    return ("eur" if stem == "euer" and ending else stem) + ending


def _declension(det: str) -> str:
    """How adjectives are declined: weak after "der", mixed after "ein", or strong."""
    det = det.removesuffix("_plural")
    if det in {"the", "this", "these", "every"}:
        return "weak"
    return "mixed" if det in {"a", "my", "your", "our", "own"} else "strong"


def _odeclension(odet: str, kein: str) -> str:
    return "mixed" if kein else _declension(odet)


def _adjective(adj: str, declension: str, gender: str, case: str) -> str:
    """An adjective before a noun."""
    if not adj:
        return ""
    ending = _STRONG[case][gender]
    if declension == "weak":
        short = gender != "p" and (case == "nom" or (case == "acc" and gender in "fn"))
        ending = "e" if short else "en"
    elif declension == "mixed" and (case == "dat" or gender == "p"):
        ending = "en"
    return _ADJECTIVE[adj][0] + ending


def _noun(noun: str, number: str, address: str, case: str) -> str:
    if noun == "you":
        return _YOU[case][address]
    if noun in {"this", "who"}:
        return "das" if noun == "this" else "wer"
    if noun in PRONOUNS:
        return _PRONOUNS[case].get(noun, "")
    if noun not in NOUNS:
        return noun
    gender, singular, plural = _GENDER_AND_FORMS[noun]
    if number == "plural":
        return plural + ("n" if case == "dat" and plural[-1] in "elr" else "")
    return plural if gender == "M" and case != "nom" else singular


def _odeterminer(
    odet: str, ogender: str, possessive: str, address: str, case: str, kein: str, bare: str
) -> str:
    if kein and odet:
        return "kein" + _EIN[case][ogender]
    return "" if bare else _determiner(odet, ogender, possessive, address, case)


def _object(
    object: str, onumber: str, address: str, case: str, preposition: str, woman: str
) -> str:
    """The object, unless it is a pronoun that comes earlier."""
    if object in {"what", "whom"} or (object in PRONOUNS and not preposition):
        return ""
    if woman and object in _FEMININE:
        return _FEMININE[object]
    return _noun(object, onumber, address, case)


def _object_pronoun(opronoun: str, address: str, case: str, preposition: str) -> str:
    return "" if preposition or not opronoun else _noun(opronoun, "", address, case)


# ---------------------------------------------------------------------------- verbs


def _inserts_e(stem: str) -> bool:
    return stem.endswith(("t", "d", "ffn", "chn", "gn"))


def _stem(verb: str) -> str:
    infinitive, *_, particle, _, _ = _FORMS[verb]
    return infinitive.removeprefix(particle).strip().removesuffix("n").removesuffix("e")


def _present(verb: str, agreement: str) -> str:
    infinitive, du, er, _, particle, *_ = _FORMS[verb]
    irregular = _IRREGULAR.get(infinitive)
    if irregular:
        return _FINITE[irregular][agreement]
    if agreement in {"du", "er"}:
        return du if agreement == "du" else er
    if agreement in {"wir", "sie"}:
        return infinitive.removeprefix(particle).strip()
    stem = _stem(verb)
    if agreement == "ihr":
        return stem + ("et" if _inserts_e(stem) else "t")
    return stem.removesuffix("el") + "le" if stem.endswith("el") else stem + "e"


def _finite(verb: str, modal: str, spoken: str, agreement: str) -> str:
    infinitive, participle = _FORMS[verb][0], _FORMS[verb][3]
    if modal not in {"", "like_to"}:
        return _FINITE[_PAST_MODAL[modal] if spoken == "past" else modal][agreement]
    if spoken == "future":
        return _FINITE["will"][agreement]
    if spoken == "present":
        return _present(verb, agreement)
    if infinitive in {"haben", "sein"}:
        return _FINITE["had" if infinitive == "haben" else "was"][agreement]
    return _FINITE["be" if participle.startswith("S:") else "have"][agreement]


def _rest(verb: str, modal: str, spoken: str) -> str:
    """The verb forms at the end of a main clause."""
    infinitive, _, _, participle, particle, _, _ = _FORMS[verb]
    if modal not in {"", "like_to"} or spoken == "future":
        return infinitive
    if spoken == "present":
        return particle
    return "" if infinitive in {"haben", "sein"} else participle.removeprefix("S:")


def _final(verb: str, modal: str, spoken: str, agreement: str) -> str:
    """All verb forms, at the end of a subordinate clause."""
    finite, rest = _finite(verb, modal, spoken, agreement), _rest(verb, modal, spoken)
    joined = rest and rest == _FORMS[verb][4] and verb != "go_for_a_walk"  # "aufsteht"
    return (rest + finite) if joined else f"{rest} {finite}".strip()


def _imperative(verb: str, address: str) -> str:
    if address:
        return _present(verb, "sie") + " Sie" if address == "formal" else _present(verb, "ihr")
    stem = _stem(verb)
    if stem in _IMPERATIVE:
        return _IMPERATIVE[stem]
    if stem.endswith("el"):
        return stem.removesuffix("el") + "le"
    return stem + ("e" if _inserts_e(stem) or stem.endswith("er") else "")


def _after(verb: str, kein: str) -> str:
    """What belongs to the verb: "Hunger", "keinen Hunger", "recht"."""
    after = _FORMS[verb][5] if verb else ""
    if kein and after in {"Hunger", "Durst", "Angst"}:
        return ("keine " if after == "Angst" else "keinen ") + after
    return "" if after == "self" else after


def _reflexive(self: str, agreement: str) -> str:
    return _REFLEXIVE[agreement] if self else ""


def _gern_phrase(gern: str, neg: str) -> str:
    return ("nicht gern" if neg else "gern") if gern else ""


def _not_phrase(neg: str, kein: str, gern: str) -> str:
    return "nicht" if neg and not kein and not gern else ""


def _predicate(oadj: str, compare: str, predicative: str) -> str:
    if not predicative or not oadj:
        return ""
    if compare == "more":
        return f"{_ADJECTIVE[oadj][2]} als"
    return f"so {_ADJECTIVE[oadj][1]} wie" if compare == "as" else _ADJECTIVE[oadj][1]


def _question(kind: str, to: str, case: str, preposition: str) -> str:
    if kind == "where":
        return "wohin" if to else "wo"
    if kind == "what":
        return {"auf": "worauf", "an": "woran", "mit": "womit"}.get(preposition, "was")
    if kind == "whom":
        return f"{preposition} {'wem' if case == 'dat' else 'wen'}".strip()
    return {"when": "wann", "why": "warum"}[kind]


def _relative(link: str, head_gender: str) -> str:
    """What links the second clause to the first."""
    return f", {_THE['nom'][head_gender]}" if link == "who" else _LINK[link]


# ---------------------------------------------------------------------------- sentences

_SUBJECT = ["determiner", "adjective", "noun", "partner"]
_PRONOUN_SLOTS = ["object_pronoun", "reflexive", "recipient_pronoun"]
_OBJECT = ["preposition", "odeterminer", "oadjective", "object"]
_MIDDLE = [
    *("time", "adverb", "gern", "rdeterminer", "recipient", "early_place", "not_first"),
    *("predicate", *_OBJECT, "not", "manner", "late_place", "after"),
]


def _order(shape: Shape) -> list[str]:
    """The verb comes second in a main clause, first in a question, last after "weil"."""
    if shape.kind in {"command", "request"}:
        please = ["please"] if shape.kind == "request" else []
        return ["imperative", *_PRONOUN_SLOTS, *please, *_MIDDLE, "particle"]
    first = {
        "time": ["time"],
        "place": ["place"],
        "object": ["object_pronoun", *_OBJECT],
        "clause": ["first_link2", *(name + "2" for name in _SUBORDINATE), "comma"],
    }.get(shape.topic, _SUBJECT)
    first = {"yes_no": [], "who": _SUBJECT, "statement": first, "how_many": _OBJECT}.get(
        shape.kind, ["question"]
    )
    subject = [] if first == _SUBJECT else _SUBJECT
    inner = [name for name in (*subject, *_PRONOUN_SLOTS, *_MIDDLE) if name not in first]
    if shape.topic == "place":
        inner = [name for name in inner if name not in {"early_place", "late_place"}]
    main = [*first, "finite", *inner, "rest"]
    if not shape.link or shape.topic == "clause":
        return main
    if shape.link in {"and", "but"}:
        second = [*_SUBJECT, "finite", *_PRONOUN_SLOTS, *_MIDDLE, "rest"]
    else:
        second = [name for name in _SUBORDINATE if shape.link != "who" or name not in _SUBJECT]
    return [*main, "link2", *(name + "2" for name in second if name != "time")]


_SUBORDINATE = [*_SUBJECT, *_PRONOUN_SLOTS, *_MIDDLE[1:], "final"]


def _is(*verbs: str) -> Part:
    """A feature that tells whether the verb is one of these."""
    return part(lambda verb: "yes" if verb in verbs else "", "verb")


LANGUAGE = Language(
    features={
        "number": part(_number),
        "onumber": part(_onumber),
        "rnumber": part(_rnumber),
        "gender": part(_gender),
        "ogender": part(_object_gender),
        "rgender": part(_gender, "recipient", "rnumber"),
        "head_gender": part(_gender, "head", "number"),
        "person": part(_person),
        "together": part(lambda partner: "and" if partner else "", "partner"),
        "agreement": part(_agreement),
        "owner": part(_owner),
        "possessive": part(_possessive),
        "case": part(_case),
        "preposition": part(_preposition),
        "hunger": part(_hunger),
        "gern": part(lambda modal: "gern" if modal == "like_to" else "", "modal"),
        "kein": part(_kein),
        "opronoun": part(lambda object: object if object in PRONOUNS else "", "object"),
        "clear": part(_clear),
        "front": part(_front),
        "spoken": part(_spoken),
        "place_object": part(
            lambda object: "yes" if object in NOUNS or object in NAMES else "", "object"
        ),
        "early": part(_early),
        "declension": part(_declension, "det"),
        "odeclension": part(_odeclension),
        "copula": _is("be", "become"),
        "to": part(lambda verb: "to" if verb and VERBS[verb].place == "to" else "", "verb"),
        "self": part(lambda verb: "self" if verb and _FORMS[verb][5] == "self" else "", "verb"),
        "job": part(lambda object: "yes" if NOUNS.get(object) == "profession" else "", "object"),
        "woman": part(
            lambda copula, job, lady, number, together: (
                "yes" if copula and job and lady and number == "singular" and not together else ""
            ),
            *("copula", "job", "lady", "number", "together"),
        ),
        "lady": part(
            lambda noun: (
                "yes"
                if noun == "she"
                or NAMES.get(noun) == "female"
                or SEX.get(NOUNS.get(noun, "")) == "female"
                else ""
            ),
            "noun",
        ),
        "described": part(lambda oadj: "yes" if oadj else "", "oadj"),
        "bare": part(
            lambda copula, job, described, odet: (
                "yes" if copula and job and not described and odet == "a" else ""
            ),
            *("copula", "job", "described", "odet"),
        ),
        "predicative": part(
            lambda object, compare: "yes" if compare or not object else "", "object", "compare"
        ),
        "not_early": part(
            lambda copula, preposition: "yes" if copula or preposition else "",
            *("copula", "preposition"),
        ),
        "not_phrase": part(_not_phrase),
        # Phrases that are "" in most sentences.
        "object_pronoun": part(_object_pronoun),
        "recipient_pronoun": part(
            lambda recipient, address: (
                _noun(recipient, "", address, "dat") if recipient in PRONOUNS else ""
            ),
            *("recipient", "address"),
        ),
        "reflexive": part(_reflexive),
        "gern_phrase": part(_gern_phrase),
        "early_place": part(lambda place, early: _WHERE[place] if early else "", "place", "early"),
        "late_place": part(
            lambda place, early, to: "" if early else (_WHERE_TO if to else _WHERE)[place],
            *("place", "early", "to"),
        ),
        "not_first": part(
            lambda not_phrase, not_early: not_phrase if not_early else "", "not_phrase", "not_early"
        ),
        "not": part(
            lambda not_phrase, not_early: "" if not_early else not_phrase, "not_phrase", "not_early"
        ),
    },
    parts={
        "determiner": part(
            partial(_determiner, case="nom"), "det", "gender", "possessive", "address"
        ),
        "adjective": part(partial(_adjective, case="nom"), "adj", "declension", "gender"),
        "noun": part(partial(_noun, case="nom"), "noun", "number", "address"),
        "partner": part(lambda partner: f"und {partner}" if partner else "", "partner"),
        "finite": part(_finite),
        "rest": part(_rest),
        "final": part(_final),
        "imperative": part(_imperative, "verb", "address"),
        "particle": part(lambda verb: _FORMS[verb][4], "verb"),
        "object_pronoun": same("object_pronoun"),
        "reflexive": same("reflexive"),
        "recipient_pronoun": same("recipient_pronoun"),
        "please": part(lambda: "bitte"),
        "time": part(_TIME, "time"),
        "adverb": part(_ADVERB, "adverb"),
        "gern": same("gern_phrase"),
        "rdeterminer": part(
            partial(_determiner, case="dat"), "rdet", "rgender", "possessive", "address"
        ),
        "recipient": part(
            lambda recipient, rnumber: (
                "" if recipient in PRONOUNS else _noun(recipient, rnumber, "", "dat")
            ),
            *("recipient", "rnumber"),
        ),
        "early_place": same("early_place"),
        "late_place": same("late_place"),
        "place": part(lambda place, to: (_WHERE_TO if to else _WHERE)[place], "place", "to"),
        "not_first": same("not_first"),
        "not": same("not"),
        "predicate": part(_predicate),
        "preposition": same("preposition"),
        "odeterminer": part(_odeterminer),
        "oadjective": part(
            lambda oadj, odeclension, ogender, case, predicative: (
                "" if predicative else _adjective(oadj, odeclension, ogender, case)
            ),
            *("oadj", "odeclension", "ogender", "case", "predicative"),
        ),
        "object": part(_object),
        "manner": part(_MANNER, "manner"),
        "after": part(_after),
        "question": part(_question),
        "link": part(_relative),
        "first_link": part(lambda link: _LINK[link].removeprefix(", "), "link"),
        "comma": part(lambda: ","),
    },
    order=_order,
    phrases=read_phrases(concepts.PHRASES, _PHRASES),
    names={name: name for name in NAMES},
)
