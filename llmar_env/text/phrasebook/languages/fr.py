"""French."""

from __future__ import annotations

import re
from functools import partial

from llmar_env.text.phrasebook import concepts
from llmar_env.text.phrasebook.concepts import DETERMINERS, NAMES, NOUNS, PRONOUNS, VERBS
from llmar_env.text.phrasebook.grammar import Language, Shape, part, same
from llmar_env.text.phrasebook.tables import listed, read_forms, read_phrases

__all__ = ["LANGUAGE"]

_NOUNS = """
noun | gender singular plural
father | m père pères
brother | m frère frères
son | m fils fils
grandfather | m grand-père grands-pères
uncle | m oncle oncles
husband | m mari maris
cousin | m cousin cousins
mother | f mère mères
sister | f sœur sœurs
daughter | f fille filles
grandmother | f grand-mère grands-mères
aunt | f tante tantes
wife | f épouse épouses
man | m homme hommes
boy | m garçon garçons
king | m roi rois
woman | f femme femmes
girl | f fillette fillettes
queen | f reine reines
child | m enfant enfants
friend | m ami amis
neighbour | m voisin voisins
guest | m invité invités
tourist | m touriste touristes
customer | m client clients
baby | m bébé bébés
teacher | m professeur professeurs
doctor | m médecin médecins
student | m étudiant étudiants
farmer | m agriculteur agriculteurs
baker | m boulanger boulangers
policeman | m policier policiers
cook | m cuisinier cuisiniers
waiter | m serveur serveurs
seller | m vendeur vendeurs
driver | m chauffeur chauffeurs
nurse | m infirmier infirmiers
musician | m musicien musiciens
singer | m chanteur chanteurs
actor | m acteur acteurs
painter | m peintre peintres
writer | m écrivain écrivains
journalist | m journaliste journalistes
lawyer | m avocat avocats
judge | m juge juges
engineer | m ingénieur ingénieurs
scientist | m scientifique scientifiques
hairdresser | m coiffeur coiffeurs
butcher | m boucher bouchers
gardener | m jardinier jardiniers
soldier | m soldat soldats
pilot | m pilote pilotes
secretary | m secrétaire secrétaires
boss | m chef chefs
colleague | m collègue collègues
artist | m artiste artistes
pupil | m élève élèves
dog | m chien chiens
cat | m chat chats
horse | m cheval chevaux
cow | f vache vaches
bird | m oiseau oiseaux
sheep | m mouton moutons
rabbit | m lapin lapins
duck | m canard canards
pig | m cochon cochons
chicken | f poule poules
mouse | f souris souris
fish | m poisson poissons
goat | f chèvre chèvres
bear | m ours ours
wolf | m loup loups
fox | m renard renards
lion | m lion lions
tiger | m tigre tigres
elephant | m éléphant éléphants
monkey | m singe singes
snake | m serpent serpents
frog | f grenouille grenouilles
bee | f abeille abeilles
butterfly | m papillon papillons
donkey | m âne ânes
goose | f oie oies
apple | f pomme pommes
banana | f banane bananes
orange | f orange oranges
pear | f poire poires
lemon | m citron citrons
strawberry | f fraise fraises
cherry | f cerise cerises
peach | f pêche pêches
tomato | f tomate tomates
potato | f pomme_de_terre pommes_de_terre
carrot | f carotte carottes
onion | m oignon oignons
cucumber | m concombre concombres
mushroom | m champignon champignons
pumpkin | f citrouille citrouilles
egg | m œuf œufs
cake | m gâteau gâteaux
sandwich | m sandwich sandwichs
pizza | f pizza pizzas
sausage | f saucisse saucisses
soup | f soupe soupes
salad | f salade salades
biscuit | m biscuit biscuits
pancake | f crêpe crêpes
steak | m bifteck biftecks
bread | m pain pains
cheese | m fromage fromages
meat | f viande viandes
butter | m beurre beurres
rice | m riz riz
sugar | m sucre sucres
salt | m sel sels
chocolate | m chocolat chocolats
ham | m jambon jambons
honey | m miel miels
jam | f confiture confitures
ice_cream | f glace glaces
fruit | m fruit fruits
vegetables | m légume légumes
water | f eau eaux
milk | m lait laits
coffee | m café cafés
tea | m thé thés
beer | f bière bières
wine | m vin vins
juice | m jus jus
lemonade | f limonade limonades
book | m livre livres
letter | f lettre lettres
newspaper | m journal journaux
story | f histoire histoires
poem | m poème poèmes
postcard | f carte_postale cartes_postales
magazine | m magazine magazines
message | m message messages
novel | m roman romans
list | f liste listes
report | m rapport rapports
song | f chanson chansons
shirt | f chemise chemises
coat | m manteau manteaux
dress | f robe robes
hat | m chapeau chapeaux
scarf | f écharpe écharpes
jacket | f veste vestes
sweater | m pull pulls
skirt | f jupe jupes
shoe | f chaussure chaussures
sock | f chaussette chaussettes
glove | m gant gants
suit | m costume costumes
cap | f casquette casquettes
blouse | m chemisier chemisiers
tie | f cravate cravates
table | f table tables
chair | f chaise chaises
bed | m lit lits
cupboard | m placard placards
sofa | m canapé canapés
lamp | f lampe lampes
shelf | f étagère étagères
desk | m bureau bureaux
carpet | m tapis tapis
mirror | m miroir miroirs
curtain | m rideau rideaux
car | f voiture voitures
bicycle | m vélo vélos
bus | m bus bus
train | m train trains
truck | m camion camions
boat | f barque barques
ship | m bateau bateaux
motorcycle | f moto motos
taxi | m taxi taxis
plane | m avion avions
tram | m tramway tramways
house | f maison maisons
flat | m appartement appartements
hotel | m hôtel hôtels
school | f école écoles
church | f église églises
shop | m magasin magasins
restaurant | m restaurant restaurants
hospital | m hôpital hôpitaux
museum | m musée musées
station | f gare gares
factory | f usine usines
castle | m château châteaux
bridge | m pont ponts
tower | f tour tours
bank | f banque banques
bakery | f boulangerie boulangeries
pharmacy | f pharmacie pharmacies
library | f bibliothèque bibliothèques
theatre | m théâtre théâtres
cinema | m cinéma cinémas
office | m cabinet cabinets
airport | m aéroport aéroports
door | f porte portes
window | f fenêtre fenêtres
gate | m portail portails
bag | m sac sacs
box | f boîte boîtes
bottle | f bouteille bouteilles
cup | f tasse tasses
glass | m verre verres
plate | f assiette assiettes
basket | m panier paniers
suitcase | f valise valises
wallet | m portefeuille portefeuilles
pot | f casserole casseroles
bowl | m bol bols
bucket | m seau seaux
key | f clé clés
umbrella | m parapluie parapluies
ball | m ballon ballons
pen | m stylo stylos
knife | m couteau couteaux
fork | f fourchette fourchettes
spoon | f cuillère cuillères
picture | f image images
doll | f poupée poupées
toy | m jouet jouets
present | m cadeau cadeaux
ring | f bague bagues
pencil | m crayon crayons
stamp | m timbre timbres
ticket | m billet billets
candle | f bougie bougies
towel | f serviette serviettes
blanket | f couverture couvertures
pillow | m oreiller oreillers
brush | f brosse brosses
comb | m peigne peignes
soap | m savon savons
rope | f corde cordes
stone | f pierre pierres
hammer | m marteau marteaux
needle | f aiguille aiguilles
flag | m drapeau drapeaux
map | f carte cartes
passport | m passeport passeports
photo | f photo photos
coin | f pièce pièces
ladder | f échelle échelles
computer | m ordinateur ordinateurs
phone | m téléphone téléphones
television | m téléviseur téléviseurs
radio | f radio radios
camera | m appareil_photo appareils_photo
clock | f horloge horloges
fridge | m réfrigérateur réfrigérateurs
washing_machine | f machine_à_laver machines_à_laver
printer | f imprimante imprimantes
piano | m piano pianos
guitar | f guitare guitares
violin | m violon violons
flute | f flûte flûtes
trumpet | f trompette trompettes
drum | m tambour tambours
football | m football footballs
tennis | m tennis tennis
chess | m jeu_d'échecs jeux_d'échecs
basketball | m basket baskets
volleyball | m volley volleys
hand | f main mains
head | f tête têtes
foot | m pied pieds
eye | m œil yeux
ear | f oreille oreilles
nose | m nez nez
mouth | f bouche bouches
leg | f jambe jambes
arm | m bras bras
finger | m doigt doigts
face | m visage visages
tooth | f dent dents
back | m dos dos
sun | m soleil soleils
moon | f lune lunes
star | f étoile étoiles
flower | f fleur fleurs
tree | m arbre arbres
rose | f rose roses
leaf | f feuille feuilles
bush | m buisson buissons
sea | f mer mers
river | f rivière rivières
lake | m lac lacs
mountain | f montagne montagnes
forest | f forêt forêts
island | f île îles
beach | f plage plages
field | m champ champs
street | f rue rues
path | m chemin chemins
garden | m jardin jardins
park | m parc parcs
city | f ville villes
village | m village villages
money | m argent argents
English | m anglais anglais
German | m allemand allemands
French | m français français
Chinese | m chinois chinois
mathematics | f algèbre algèbres
history | f Histoire Histoires
music | f musique musiques
art | m art arts
film | m film films
party | f fête fêtes
concert | m concert concerts
lesson | f leçon leçons
course | m cours cours
exam | m examen examens
meeting | f réunion réunions
trip | m voyage voyages
birthday | m anniversaire anniversaires
wedding | m mariage mariages
question | f question questions
answer | f réponse réponses
idea | f idée idées
problem | m problème problèmes
word | m mot mots
name | m nom noms
mistake | f erreur erreurs
secret | m secret secrets
plan | m projet projets
dream | m rêve rêves
room | f pièce_de_la_maison pièces_de_la_maison
kitchen | f cuisine cuisines
bathroom | f salle_de_bain salles_de_bain
bedroom | f chambre chambres
cellar | f cave caves
roof | m toit toits
time | m temps temps
help | f aide aides
work | m travail travaux
luck | f chance chances
"""

# The feminine of the professions that differ in it.
_FEMALE = """
profession | feminine
student | étudiante
farmer | agricultrice
baker | boulangère
policeman | policière
cook | cuisinière
waiter | serveuse
seller | vendeuse
driver | chauffeuse
nurse | infirmière
musician | musicienne
singer | chanteuse
actor | actrice
writer | écrivaine
lawyer | avocate
engineer | ingénieure
hairdresser | coiffeuse
butcher | bouchère
gardener | jardinière
soldier | soldate
"""

# "participle" has its auxiliary (E: être), "after" what else the verb needs (* agrees with the
# subject), and "object" the preposition before its object; "lui" if a pronoun is in the dative.
_VERBS = """
verb | infinitive participle after object
sleep | dormir dormi - -
work | travailler travaillé - -
laugh | rire ri - -
cry | pleurer pleuré - -
smile | sourire souri - -
dance | danser dansé - -
sing | chanter chanté - -
swim | nager nagé - -
run | courir couru - -
wait | patienter patienté - -
sit | être été assis* -
stand | être été debout -
live | habiter habité - -
stay | rester E:resté - -
rest | reposer E:reposé self -
get_up | lever E:levé self -
wake_up | réveiller E:réveillé self -
watch_television | regarder regardé la_télévision -
go_for_a_walk | promener E:promené self -
shower | doucher E:douché self -
smoke | fumer fumé - -
travel | voyager voyagé - -
go | aller E:allé - -
drive | rouler roulé - -
fly | voler volé - -
come | venir E:venu - -
return | revenir E:revenu - -
run_away | enfuir E:enfui self -
begin | commencer commencé - -
end | finir fini - -
shine | briller brillé - -
bloom | fleurir fleuri - -
hurt | faire fait mal -
be_hungry | avoir eu faim -
be_thirsty | avoir eu soif -
be_afraid | avoir eu peur -
be_right | avoir eu raison -
be_in_a_hurry | être été pressé* -
be | être été - -
become | devenir E:devenu - -
rain | pleuvoir plu - -
snow | neiger neigé - -
there_is | y_avoir eu - -
see | voir vu - -
know | connaître connu - -
love | aimer aimé - -
like | apprécier apprécié - -
hate | détester détesté - -
need | avoir eu besoin de
have | avoir eu - -
look_for | chercher cherché - -
find | trouver trouvé - -
lose | perdre perdu - -
forget | oublier oublié - -
buy | acheter acheté - -
sell | vendre vendu - -
take | prendre pris - -
hold | tenir tenu - -
wear | porter porté - -
wash | laver lavé - -
clean | nettoyer nettoyé - -
repair | réparer réparé - -
open | ouvrir ouvert - -
close | fermer fermé - -
read | lire lu - -
write | écrire écrit - -
understand | comprendre compris - -
learn | apprendre appris - -
study | étudier étudié - -
speak | parler parlé - -
translate | traduire traduit - -
hear | entendre entendu - -
listen_to | écouter écouté - -
eat | manger mangé - -
drink | boire bu - -
cook | cuisiner cuisiné - -
bake | préparer préparé - -
cut | couper coupé - -
taste | goûter goûté - -
order | commander commandé - -
pay_for | payer payé - -
use | utiliser utilisé - -
play | jouer joué - à
play_music | jouer joué - de
steer | conduire conduit - -
draw | dessiner dessiné - -
paint | peindre peint - -
photograph | photographier photographié - -
visit | visiter visité - -
meet | rencontrer rencontré - -
invite | inviter invité - -
call | appeler appelé - -
help | aider aidé - -
thank | remercier remercié - -
answer | répondre répondu - lui
ask | interroger interrogé - -
greet | saluer salué - -
hug | enlacer enlacé - -
kiss | embrasser embrassé - -
follow | suivre suivi - -
wait_for | attendre attendu - -
think_of | penser pensé - à
look_at | regarder regardé - -
feed | nourrir nourri - -
stroke | caresser caressé - -
catch | attraper attrapé - -
throw | lancer lancé - -
build | construire construit - -
collect | collectionner collectionné - -
count | compter compté - -
hide | cacher caché - -
choose | choisir choisi - -
pack | emballer emballé - -
rent | louer loué - -
watch | observer observé - -
begin_with | commencer commencé - par
plan | planifier planifié - -
celebrate | célébrer célébré - -
miss | ennuyer E:ennuyé self de
belong_to | appartenir appartenu - lui
give | donner donné - -
show | montrer montré - -
send | envoyer envoyé - -
bring | apporter apporté - -
tell | raconter raconté - -
explain | expliquer expliqué - -
lend | prêter prêté - -
think | penser pensé - -
say | dire dit - -
hope | espérer espéré - -
know_that | savoir su - -
"""

# The present after je, tu, il, nous, vous and ils, where it is not that of "donner".
_PRESENT = """
infinitive | je tu il nous vous ils
dormir | dors dors dort dormons dormez dorment
rire | ris ris rit rions riez rient
sourire | souris souris sourit sourions souriez sourient
nager | nage nages nage nageons nagez nagent
courir | cours cours court courons courez courent
être | suis es est sommes êtes sont
lever | lève lèves lève levons levez lèvent
promener | promène promènes promène promenons promenez promènent
voyager | voyage voyages voyage voyageons voyagez voyagent
aller | vais vas va allons allez vont
venir | viens viens vient venons venez viennent
revenir | reviens reviens revient revenons revenez reviennent
devenir | deviens deviens devient devenons devenez deviennent
tenir | tiens tiens tient tenons tenez tiennent
appartenir | appartiens appartiens appartient appartenons appartenez appartiennent
enfuir | enfuis enfuis enfuit enfuyons enfuyez enfuient
commencer | commence commences commence commençons commencez commencent
lancer | lance lances lance lançons lancez lancent
enlacer | enlace enlaces enlace enlaçons enlacez enlacent
finir | finis finis finit finissons finissez finissent
fleurir | fleuris fleuris fleurit fleurissons fleurissez fleurissent
nourrir | nourris nourris nourrit nourrissons nourrissez nourrissent
choisir | choisis choisis choisit choisissons choisissez choisissent
faire | fais fais fait faisons faites font
avoir | ai as a avons avez ont
pleuvoir | pleus pleus pleut pleuvons pleuvez pleuvent
neiger | neige neiges neige neigeons neigez neigent
voir | vois vois voit voyons voyez voient
connaître | connais connais connaît connaissons connaissez connaissent
perdre | perds perds perd perdons perdez perdent
vendre | vends vends vend vendons vendez vendent
entendre | entends entends entend entendons entendez entendent
attendre | attends attends attend attendons attendez attendent
répondre | réponds réponds répond répondons répondez répondent
acheter | achète achètes achète achetons achetez achètent
prendre | prends prends prend prenons prenez prennent
comprendre | comprends comprends comprend comprenons comprenez comprennent
apprendre | apprends apprends apprend apprenons apprenez apprennent
nettoyer | nettoie nettoies nettoie nettoyons nettoyez nettoient
ennuyer | ennuie ennuies ennuie ennuyons ennuyez ennuient
envoyer | envoie envoies envoie envoyons envoyez envoient
payer | paie paies paie payons payez paient
ouvrir | ouvre ouvres ouvre ouvrons ouvrez ouvrent
lire | lis lis lit lisons lisez lisent
écrire | écris écris écrit écrivons écrivez écrivent
dire | dis dis dit disons dites disent
traduire | traduis traduis traduit traduisons traduisez traduisent
conduire | conduis conduis conduit conduisons conduisez conduisent
construire | construis construis construit construisons construisez construisent
manger | mange manges mange mangeons mangez mangent
boire | bois bois boit buvons buvez boivent
peindre | peins peins peint peignons peignez peignent
appeler | appelle appelles appelle appelons appelez appellent
interroger | interroge interroges interroge interrogeons interrogez interrogent
suivre | suis suis suit suivons suivez suivent
célébrer | célèbre célèbres célèbre célébrons célébrez célèbrent
espérer | espère espères espère espérons espérez espèrent
savoir | sais sais sait savons savez savent
pouvoir | peux peux peut pouvons pouvez peuvent
devoir | dois dois doit devons devez doivent
vouloir | veux veux veut voulons voulez veulent
"""

_ADJECTIVES = """
adjective | masculine feminine place
red | rouge rouge after
blue | bleu bleue after
green | vert verte after
yellow | jaune jaune after
black | noir noire after
white | blanc blanche after
brown | brun brune after
grey | gris grise after
big | grand grande before
small | petit petite before
old | vieux vieille before
young | jeune jeune before
long | long longue before
short | court courte after
heavy | lourd lourde after
light | léger légère after
new | nouveau nouvelle before
expensive | cher chère after
cheap | bon_marché bon_marché after
beautiful | beau belle before
ugly | laid laide after
strange | étrange étrange after
ordinary | ordinaire ordinaire after
good | bon bonne before
bad | mauvais mauvaise before
dirty | sale sale after
clean | propre propre after
broken | cassé cassée after
empty | vide vide after
full | plein pleine after
open | ouvert ouverte after
closed | fermé fermée after
tired | fatigué fatiguée after
happy | heureux heureuse after
sad | triste triste after
ill | malade malade after
healthy | sain saine after
angry | fâché fâchée after
nice | gentil gentille after
poor | pauvre pauvre after
rich | riche riche after
famous | célèbre célèbre after
intelligent | intelligent intelligente after
strong | fort forte after
weak | faible faible after
polite | poli polie after
lazy | paresseux paresseuse after
hard-working | travailleur travailleuse after
brave | courageux courageuse after
shy | timide timide after
funny | drôle drôle after
fresh | frais fraîche after
hot | chaud chaude after
cold | froid froide after
sweet | sucré sucrée after
sour | acide acide after
delicious | délicieux délicieuse after
interesting | intéressant intéressante after
boring | ennuyeux ennuyeuse after
difficult | difficile difficile after
easy | facile facile after
important | important importante after
fast | rapide rapide after
slow | lent lente after
loud | bruyant bruyante after
quiet | silencieux silencieuse after
"""

_TIMES = """
time | words
now | maintenant
every_day | tous les jours
every_morning | tous les matins
every_evening | tous les soirs
every_week | toutes les semaines
every_year | tous les ans
on_weekdays | en semaine
on_Sundays | le dimanche
yesterday | hier
last_night | la nuit dernière
last_week | la semaine dernière
last_month | le mois dernier
last_year | l'année dernière
two_days_ago | il y a deux jours
a_week_ago | il y a une semaine
an_hour_ago | il y a une heure
yesterday_morning | hier matin
yesterday_evening | hier soir
this_morning | ce matin
tomorrow | demain
next_week | la semaine prochaine
next_month | le mois prochain
next_year | l'année prochaine
soon | bientôt
later | plus tard
in_three_days | dans trois jours
in_an_hour | dans une heure
tomorrow_morning | demain matin
tomorrow_evening | demain soir
today | aujourd'hui
in_the_morning | le matin
in_the_evening | le soir
in_the_afternoon | l'après-midi
at_night | la nuit
at_noon | à midi
at_the_weekend | ce week-end
this_evening | ce soir
on_Monday | lundi
on_Tuesday | mardi
on_Wednesday | mercredi
on_Thursday | jeudi
on_Friday | vendredi
on_Saturday | samedi
on_Sunday | dimanche
at_one_o'clock | à une heure
at_two_o'clock | à deux heures
at_three_o'clock | à trois heures
at_four_o'clock | à quatre heures
at_five_o'clock | à cinq heures
at_six_o'clock | à six heures
at_seven_o'clock | à sept heures
at_eight_o'clock | à huit heures
at_nine_o'clock | à neuf heures
at_ten_o'clock | à dix heures
at_eleven_o'clock | à onze heures
at_twelve_o'clock | à douze heures
at_half_past_six | à six heures et demie
at_half_past_seven | à sept heures et demie
at_half_past_eight | à huit heures et demie
in_January | en janvier
in_February | en février
in_March | en mars
in_April | en avril
in_May | en mai
in_June | en juin
in_July | en juillet
in_August | en août
in_September | en septembre
in_October | en octobre
in_November | en novembre
in_December | en décembre
in_spring | au printemps
in_summer | en été
in_autumn | en automne
in_winter | en hiver
at_Christmas | à Noël
on_the_first_of_May | le premier mai
"""

_PLACES = """
place | where
here | ici
there | là-bas
at_home | à la maison
in_the_garden | dans le jardin
in_the_kitchen | dans la cuisine
in_the_city | en ville
in_the_village | au village
in_the_park | dans le parc
at_the_market | au marché
at_the_station | à la gare
at_school | à l'école
in_the_library | à la bibliothèque
in_the_hotel | à l'hôtel
in_the_office | au bureau
at_the_beach | à la plage
in_front_of_the_house | devant la maison
behind_the_church | derrière l'église
at_the_cinema | au cinéma
in_the_restaurant | au restaurant
in_the_hospital | à l'hôpital
in_the_museum | au musée
at_the_airport | à l'aéroport
in_the_shop | au magasin
at_the_bakery | à la boulangerie
at_the_supermarket | au supermarché
in_the_forest | dans la forêt
by_the_lake | au bord du lac
by_the_sea | au bord de la mer
in_the_mountains | à la montagne
in_the_living_room | dans le salon
in_the_bathroom | dans la salle de bain
in_the_bedroom | dans la chambre
in_the_cellar | dans la cave
in_bed | au lit
at_the_bus_stop | à l'arrêt de bus
at_the_swimming_pool | à la piscine
at_the_theatre | au théâtre
at_the_doctor's | chez le médecin
in_church | à l'église
in_the_street | dans la rue
in_Berlin | à Berlin
in_Paris | à Paris
in_London | à Londres
in_Germany | en Allemagne
in_France | en France
in_England | en Angleterre
in_China | en Chine
at_university | à l'université
on_the_roof | sur le toit
at_the_window | à la fenêtre
on_the_table | sur la table
under_the_table | sous la table
under_the_chair | sous la chaise
on_the_chair | sur la chaise
on_the_floor | par terre
in_the_bag | dans le sac
in_the_box | dans la boîte
in_the_cupboard | dans le placard
on_the_shelf | sur l'étagère
under_the_bed | sous le lit
behind_the_door | derrière la porte
in_the_fridge | dans le réfrigérateur
in_the_car | dans la voiture
on_the_train | dans le train
on_the_bus | dans le bus
under_the_tree | sous l'arbre
on_the_wall | sur le mur
"""

_MANNERS = """
manner | words
well | bien
badly | mal
quickly | vite
slowly | lentement
alone | en solitaire
together | ensemble
quietly | doucement
loudly | bruyamment
carefully | prudemment
for_a_long_time | longtemps
with_friends | avec des amis
with_the_children | avec les enfants
a_lot | beaucoup
a_little | un peu
by_car | en voiture
by_bus | en bus
by_train | en train
by_bicycle | à vélo
on_foot | à pied
by_plane | en avion
"""

_ADVERBS = """
adverb | word
often | souvent
always | toujours
never | jamais
sometimes | parfois
already | déjà
still | encore
also | aussi
perhaps | peut-être
"""

_LINKS = """
link | words
and | et
but | , mais
because | parce que
if | si
that | que
who | qui
"""

_PHRASES = """
phrase | sentence
good_morning | Bonjour !
good_day | Bon après-midi !
good_evening | Bonsoir !
good_night | Bonne nuit !
hello | Salut !
hi | Coucou !
goodbye | Au revoir !
bye | Ciao !
see_you_tomorrow | À demain !
see_you_soon | À bientôt !
see_you_later | À plus tard !
welcome | Bienvenue !
thank_you | Merci !
thank_you_very_much | Merci beaucoup !
many_thanks | Mille mercis !
you_are_welcome | De rien !
please | Je t'en prie !
excuse_me | Excuse-moi !
I_am_sorry | Je suis désolé.
sorry | Pardon !
no_problem | Pas de problème !
it_does_not_matter | Ce n'est pas grave.
of_course | Bien sûr !
yes | Oui.
no | Non.
yes_please | Oui, s'il te plaît.
no_thank_you | Non, merci.
maybe | Peut-être.
how_are_you | Comment vas-tu ?
how_are_you_formal | Comment allez-vous ?
I_am_fine | Je vais bien.
I_am_fine_thank_you | Je vais bien, merci.
I_am_not_well | Je ne vais pas bien.
and_you | Et toi ?
what_is_your_name | Comment t'appelles-tu ?
pleased_to_meet_you | Enchanté !
where_are_you_from | D'où viens-tu ?
how_old_are_you | Quel âge as-tu ?
what_time_is_it | Quelle heure est-il ?
happy_birthday | Joyeux anniversaire !
congratulations | Félicitations !
merry_christmas | Joyeux Noël !
happy_new_year | Bonne année !
good_luck | Bonne chance !
have_a_good_trip | Bon voyage !
enjoy_your_meal | Bon appétit !
cheers | Santé !
bless_you | À tes souhaits !
get_well_soon | Bon rétablissement !
have_fun | Amuse-toi bien !
have_a_nice_day | Bonne journée !
have_a_nice_weekend | Bon week-end !
I_love_you | Je t'aime tellement !
I_do_not_know | Je ne sais pas.
I_do_not_understand | Je ne comprends pas.
I_know | Je sais.
what_is_that | Qu'est-ce que c'est ?
who_is_that | Qui est-ce ?
that_is_right | C'est juste.
that_is_wrong | C'est faux.
that_is_good | C'est bien.
that_is_not_possible | Ce n'est pas possible.
that_is_too_expensive | C'est trop cher.
how_much_does_it_cost | Combien ça coûte ?
the_bill_please | L'addition, s'il vous plaît !
a_coffee_please | Un café, s'il vous plaît !
where_is_the_toilet | Où sont les toilettes ?
I_am_cold | J'ai froid.
I_am_hot | J'ai chaud.
can_you_help_me | Peux-tu m'aider, s'il te plaît ?
help | Au secours !
stop | Arrête !
be_careful | Fais attention !
one_moment_please | Un moment, s'il vous plaît !
come_in | Entre !
sit_down | Assieds-toi !
what_happened | Qu'est-ce qui s'est passé ?
what_does_that_mean | Qu'est-ce que ça veut dire ?
say_it_again | Répète !
more_slowly_please | Plus lentement, s'il te plaît !
do_you_speak_english | Parles-tu un peu anglais ?
do_you_speak_german | Parles-tu un peu allemand ?
I_speak_a_little_german | Je parle un peu allemand.
I_come_from_germany | Je viens d'Allemagne.
I_come_from_france | Je viens de France.
I_am_a_vegetarian | Je suis végétarien.
really | Vraiment ?
great | Génial !
what_a_pity | Quel dommage !
it_is_late | Il est tard.
it_is_early | Il est tôt.
it_is_warm | Il fait chaud.
it_is_cold | Il fait froid.
let_us_go | Allons-y !
I_am_coming | J'arrive !
I_am_busy | Je suis occupé.
I_have_a_headache | J'ai mal à la tête.
are_you_ready | Es-tu prêt ?
all_right | D'accord !
I_believe_so | Je crois que oui.
I_hope_so | Je l'espère.
who_is_there | Qui est là ?
leave_me_alone | Laisse-moi tranquille !
what_do_you_think | Qu'en penses-tu ?
give_me_that_please | Donne-moi ça, s'il te plaît !
do_not_worry | Ne t'inquiète pas !
I_miss_you | Tu me manques.
"""

_FORMS = read_forms(VERBS, _VERBS)
_GENDER_AND_FORMS = read_forms(NOUNS, _NOUNS)
_ADJECTIVE = read_forms(concepts.ADJECTIVES, _ADJECTIVES)
_IRREGULAR = read_forms(listed(_PRESENT), _PRESENT)
_FEMININE = read_phrases(listed(_FEMALE), _FEMALE)
_TIME = {"": "", "when": "", **read_phrases(concepts.TIMES, _TIMES)}
_PLACE = {"": "", "where": "", **read_phrases(concepts.PLACES, _PLACES)}
_MANNER = {"": "", **read_phrases(concepts.MANNERS, _MANNERS)}
_ADVERB = {"": "", **read_phrases(concepts.ADVERBS, _ADVERBS)}
_LINK = {"": "", **read_phrases(concepts.LINKS, _LINKS)}

_NUMBERS = {
    "two": "deux", "three": "trois", "four": "quatre", "five": "cinq", "six": "six",
    "seven": "sept", "eight": "huit", "nine": "neuf", "ten": "dix", "eleven": "onze",
    "twelve": "douze", "twenty": "vingt", "many": "beaucoup de", "how_many": "combien de",
}  # fmt: skip
_PERSONS = ("je", "tu", "il", "nous", "vous", "ils")
# The imperfect of what describes, rather than tells what happened; and the conditional.
_FORMS_OF = {
    name: dict(zip(_PERSONS, forms.split(), strict=True))
    for name, forms in {
        "être": "étais étais était étions étiez étaient",
        "avoir": "avais avais avait avions aviez avaient",
        "can": "pouvais pouvais pouvait pouvions pouviez pouvaient",
        "must": "devais devais devait devions deviez devaient",
        "want": "voulais voulais voulait voulions vouliez voulaient",
        "should": "devrais devrais devrait devrions devriez devraient",
        "would_like": "voudrais voudrais voudrait voudrions voudriez voudraient",
    }.items()
}
_MODALS = {"can": "pouvoir", "must": "devoir", "want": "vouloir", "like_to": "aimer"}
_SUBJECTS = {"I": "je", "he": "il", "she": "elle", "we": "nous", "they": "ils", "it": "il",
             "this": "ce", "who": "qui"}  # fmt: skip
_STRESSED = {"I": "moi", "he": "lui", "she": "elle", "we": "nous", "they": "eux"}
_ACCUSATIVE = {"I": "me", "he": "le", "she": "la", "we": "nous", "they": "les"}
_DATIVE = {"I": "me", "he": "lui", "she": "lui", "we": "nous", "they": "leur"}
_REFLEXIVE = {"je": "me", "tu": "te", "il": "se", "nous": "nous", "vous": "vous", "ils": "se"}
_VOWELS = "aeiouyâêîôûéèàœAEIOUÉÊÎŒ"
_MUTE = ("homme", "histoire", "Histoire", "hôtel", "hôpita", "horloge", "heureu")


def _starts_with_vowel(word: str) -> bool:
    return word.startswith((*_VOWELS, *_MUTE))


# ---------------------------------------------------------------------------- features


def _gender(noun: str) -> str:
    if noun in NOUNS:
        return _GENDER_AND_FORMS[noun][0]
    return "f" if noun == "she" or NAMES.get(noun) == "female" else "m"


def _number(det: str, head_det: str) -> str:
    return DETERMINERS.get(det or head_det, "singular")


def _onumber(odet: str) -> str:
    return "plural" if odet == "how_many" else DETERMINERS.get(odet, "singular")


def _person(noun: str, address: str) -> str:
    if noun == "you":
        return "vous" if address else "tu"
    return {"I": "je", "we": "nous", "they": "ils"}.get(noun, "il")


def _agreement(person: str, number: str, together: str) -> str:
    """The pronoun that the verb agrees with."""
    return "ils" if number == "plural" or together else person


def _subject_gender(gender: str, head_gender: str, headed: str, together: str) -> str:
    return "m" if together else head_gender if headed else gender


def _several(agreement: str, address: str) -> str:
    """Whether the subject is more than one, as participles show it."""
    return (
        "s" if agreement in {"nous", "ils"} or (address == "plural" and agreement == "vous") else ""
    )


def _owner(noun: str) -> str:
    return "leur" if noun == "they" else "son"


def _possessive(owner: str, number: str) -> str:
    return "leur" if number == "plural" else owner


def _before(adj: str) -> str:
    """Whether the adjective comes before its noun."""
    return "before" if adj and _ADJECTIVE[adj][2] == "before" else ""


def _vowel(noun: str, first: str) -> str:
    """Whether what follows the determiner begins with a vowel, if it is singular."""
    if noun not in NOUNS:
        return ""
    if first:
        return ""  # no adjective that comes first does
    return "vowel" if _starts_with_vowel(_GENDER_AND_FORMS[noun][1]) else ""


def _noun_vowel(noun: str) -> str:
    return _vowel(noun, "")


def _negative(neg: str, adverb: str) -> str:
    return "jamais" if adverb == "never" else "pas" if neg else ""


def _infinite(modal: str, tense: str) -> str:
    """Whether the verb is an infinitive."""
    return "yes" if modal or tense == "future" else ""


def _pronoun(noun: str) -> str:
    return noun if noun in PRONOUNS else ""


def _clitic(
    opronoun: str, rpronoun: str, govern: str, address: str, agreement: str, self: str
) -> str:
    """The pronoun before the verb."""
    if self:
        return _REFLEXIVE[agreement]
    name = rpronoun or opronoun
    if not name or (not rpronoun and govern not in {"", "lui"}):
        return ""
    if name == "you":
        return "vous" if address else "te"
    return (_DATIVE if rpronoun or govern == "lui" else _ACCUSATIVE).get(name, "")


def _direct(opronoun: str, govern: str) -> str:
    """The pronoun that a participle agrees with."""
    return opronoun if opronoun in {"she", "we"} and not govern else ""


def _elides(verb: str, modal: str, tense: str) -> str:
    """Whether the word after a pronoun begins with a vowel: the verb, or "ai", "as", "a"."""
    if tense == "past" and not modal:
        return "yes"
    return "yes" if _starts_with_vowel(_FORMS[verb][0]) else ""


# ---------------------------------------------------------------------------- noun phrases


def _determiner(
    det: str, gender: str, vowel: str, possessive: str, address: str, first: str
) -> str:
    plural = DETERMINERS.get(det) == "plural"
    det = det.removesuffix("_plural")
    if not det:
        return ""
    if det in _NUMBERS:
        return _NUMBERS[det]
    if det == "plural":
        return "de" if first else "des"
    if det == "every":
        return "chaque"
    the = "les" if plural else "l'" if vowel else "le" if gender == "m" else "la"
    if det in {"the", "some"}:
        return the if det == "the" else f"de {the}"
    if det == "a":
        return "un" if gender == "m" else "une"
    if det in {"this", "these"}:
        return "ces" if det == "these" else "cette" if gender == "f" else "cet" if vowel else "ce"
    stem = {"my": "mon", "your": "votre" if address else "ton", "our": "notre"}.get(det, possessive)
    if stem in {"notre", "votre", "leur"}:
        return {"notre": "nos", "votre": "vos", "leur": "leurs"}[stem] if plural else stem
    if plural:
        return stem[0] + "es"
    return stem if gender == "m" or vowel else stem[0] + "a"


def _subject_determiner(
    det: str,
    gender: str,
    vowel: str,
    possessive: str,
    address: str,
    before: str,
    known_subject: str,
) -> str:
    """The determiner of a subject: "le français"."""
    det = "the" if known_subject and det == "some" else det
    return _determiner(det, gender, vowel, possessive, address, before)


def _object_determiner(
    odet: str, ogender: str, ovowel: str, possessive: str, address: str, ofirst: str, article: str
) -> str:
    """The determiner of an object; `article` says how one without meaning is expressed."""
    if odet in {"some", "plural", "a"} and article in {"none", "de"}:
        if article == "de":
            return "de"
        if odet != "a":
            return ""
    if odet == "a" and article == "bare":
        return ""
    if odet == "some" and article == "the":
        odet = "the"
    return _determiner(odet, ogender, ovowel, possessive, address, ofirst)


def _known(noun: str) -> str:
    """Whether a noun has the definite article where other languages have none."""
    kinds = {"language", "knowledge", "game", "instrument"}
    return "yes" if NOUNS.get(noun) in kinds else ""


def _article(govern: str, negated: str, known: str, silent: str, job: str) -> str:
    """How a determiner without meaning is expressed: "de l'eau", "pas d'eau", "l'anglais"."""
    if known:
        return "none" if silent else "the"
    if job:
        return "bare"
    if govern == "de":
        return "none"
    return "de" if negated and not govern else ""


def _adjective(adj: str, gender: str, number: str, before_vowel: str = "") -> str:
    if not adj:
        return ""
    masculine, feminine, _ = _ADJECTIVE[adj]
    if gender == "f":
        return feminine + ("s" if number == "plural" and adj != "cheap" else "")
    if number != "plural":
        liaison = {"old": "vieil", "new": "nouvel", "beautiful": "bel"}
        return liaison.get(adj, masculine) if before_vowel else masculine
    if adj == "cheap":
        return masculine
    return masculine + ("x" if masculine.endswith("eau") else "" if masculine[-1] in "sx" else "s")


def _adjective_first(adj: str, before: str, gender: str, number: str, noun_vowel: str) -> str:
    return _adjective(adj, gender, number, noun_vowel) if before else ""


def _adjective_last(adj: str, before: str, gender: str, number: str) -> str:
    return "" if before else _adjective(adj, gender, number)


def _noun(noun: str, number: str) -> str:
    if noun in NOUNS:
        return _GENDER_AND_FORMS[noun][2 if number == "plural" else 1]
    return _NAME.get(noun, "")


def _subject(noun: str, number: str, address: str) -> str:
    if noun == "you":
        return "vous" if address else "tu"
    return _SUBJECTS.get(noun) or _noun(noun, number)


def _object(object: str, onumber: str, address: str, govern: str, woman: str) -> str:
    """The object, unless it is a pronoun that comes before the verb."""
    if object in {"what", "whom"}:
        return ""
    if object in PRONOUNS:
        if govern in {"", "lui"}:
            return ""
        return ("vous" if address else "toi") if object == "you" else _STRESSED.get(object, "")
    if woman and object in _FEMININE:
        return _FEMININE[object]
    return _noun(object, onumber)


# ---------------------------------------------------------------------------- verbs


def _present(infinitive: str, agreement: str) -> str:
    forms = _IRREGULAR.get(infinitive)
    if forms:
        return forms[_PERSONS.index(agreement)]
    endings = dict(zip(_PERSONS, ("e", "es", "e", "ons", "ez", "ent"), strict=True))
    return infinitive.removesuffix("er") + endings[agreement]


def _finite(verb: str, modal: str, tense: str, agreement: str) -> str:
    if modal in {"should", "would_like"}:
        return _FORMS_OF[modal][agreement]
    if modal == "may":
        return _present("avoir", agreement) + " le droit de"
    if modal:
        past = tense == "past"
        return _FORMS_OF[modal][agreement] if past else _present(_MODALS[modal], agreement)
    if tense == "future":
        return _present("aller", agreement)
    infinitive, participle, *_ = _FORMS[verb]
    y = "y " if infinitive == "y avoir" else ""
    infinitive = infinitive.removeprefix("y ")
    if tense == "present":
        return y + _present(infinitive, agreement)
    if infinitive in {"être", "avoir"}:
        return y + _FORMS_OF[infinitive][agreement]
    return _present("être" if participle.startswith("E:") else "avoir", agreement)


def _rest(verb: str, modal: str, tense: str, subject_gender: str, several: str, direct: str) -> str:
    """The infinitive or the participle."""
    if modal or tense == "future":
        return _FORMS[verb][0]
    infinitive, participle, *_ = _FORMS[verb]
    if tense == "present" or infinitive in {"être", "avoir", "y avoir"}:
        return ""
    if not participle.startswith("E:"):
        return participle + {"she": "e", "we": "" if participle[-1] == "s" else "s"}.get(direct, "")
    return _agreeing(participle.removeprefix("E:"), subject_gender, several)


def _agreeing(form: str, gender: str, several: str) -> str:
    form += "e" if gender == "f" else ""
    return form + ("" if form.endswith("s") else several)


def _after(verb: str, subject_gender: str, several: str) -> str:
    after = _FORMS[verb][2] if verb else ""
    if after.endswith("*"):
        return _agreeing(after[:-1], subject_gender, several)
    return "" if after == "self" else after


def _imperative(verb: str, address: str) -> str:
    infinitive = _FORMS[verb][0]
    if infinitive == "être":
        return "soyez" if address else "sois"
    if infinitive == "avoir":
        return "ayez" if address else "aie"
    form = _present(infinitive, "vous" if address else "tu")
    return form[:-1] if form.endswith(("es", "as")) else form


def _clitic_after(clitic: str, negative: str) -> str:
    """The pronoun after a command: "-moi"."""
    if not clitic or negative:
        return ""
    return "-" + {"me": "moi", "te": "toi"}.get(clitic, clitic)


def _predicate(
    oadj: str, compare: str, predicative: str, subject_gender: str, predicate_number: str
) -> str:
    if not predicative or not oadj:
        return ""
    form = _adjective(oadj, subject_gender, predicate_number)
    if compare == "more":
        better = {"bon": "meilleur", "bonne": "meilleure", "bons": "meilleurs"}
        better["bonnes"] = "meilleures"
        return f"{better.get(form) or 'plus ' + form} que"
    return f"aussi {form} que" if compare == "as" else form


def _question(kind: str, govern: str) -> str:
    if kind == "what":
        preposition = "à" if govern == "lui" else govern
        return f"{preposition} quoi est-ce que" if govern else "qu'est-ce que"
    if kind == "whom":
        preposition = "à" if govern == "lui" else govern
        return f"{preposition} qui est-ce que".strip()
    return {"where": "où", "when": "quand", "why": "pourquoi"}[kind] + " est-ce que"


# ---------------------------------------------------------------------------- sentences

_SUBJECT_PARTS = ["determiner", "adjective_first", "noun", "adjective_last", "partner"]
_OBJECT = ["preposition", "odeterminer", "oadjective_first", "object", "oadjective_last"]
_END = [
    *("after", "predicate", *_OBJECT),
    *("to", "rdeterminer", "recipient", "manner", "place", "time"),
]
_VERB = ["ne", "clitic_first", "finite", "negative", "adverb", "clitic_second", "rest"]


def _order(shape: Shape) -> list[str]:
    """Subject, verb, object; pronouns that are objects come before the verb."""
    if shape.kind in {"command", "request"}:
        please = ["please"] if shape.kind == "request" else []
        return ["ne", "clitic_not", "imperative", "clitic_after", "negative", *_END, *please]
    clause = [*_SUBJECT_PARTS, *_VERB, *_END]
    if shape.kind == "yes_no":
        return ["est-ce que", *clause]
    if shape.kind == "how_many":
        return [*_OBJECT, "est-ce que", *(name for name in clause if name not in _OBJECT)]
    if shape.kind not in {"statement", "who"}:
        return ["question", *clause]
    main = list(clause)
    if shape.topic in {"time", "place"}:
        main.remove(shape.topic)
        main = [shape.topic, "comma", *main]
    if not shape.link:
        return main
    second = [
        name + "2"
        for name in clause
        if name != "time" and (shape.link != "who" or name not in _SUBJECT_PARTS)
    ]
    if shape.topic == "clause":
        return ["link2", *second, "comma", *main]
    return [*main, "link2", *second]


_ELIDED = re.compile(rf"\b([JjNnDdSsMmTt]|[Qq]u|[Cc])e (?=[{_VOWELS}]|{'|'.join(_MUTE)})")


def _contract(text: str) -> str:
    text = re.sub(r"\b([Dd])e les ", r"\1es ", text)
    text = re.sub(r"\b([Dd])e le ", lambda m: "Du " if m[1] == "D" else "du ", text)
    text = re.sub(r"\b([Aà]|À) le ", lambda m: "Au " if m[1] in "AÀ" else "au ", text)
    text = re.sub(r"\b(à|À) les ", lambda m: "Aux " if m[1] == "À" else "aux ", text)
    text = re.sub(r"\b([Ss])i (?=ils?\b)", r"\1'", text)
    text = _ELIDED.sub(r"\1'", text)
    return text.replace("l' ", "l'").replace("L' ", "L'").replace(" -", "-")


def _expand(text: str) -> str:
    text = re.sub(r"\b([Ss])'(?=ils?\b)", r"\1i ", text)
    text = re.sub(
        r"\b([JjNnDdSsMmTtCc]|[Qq]u)'", r"\1e ", text.replace("aujourd'hui", "aujourdhui")
    )
    text = re.sub(r"\b([Ll])'", r"\1' ", text)
    text = re.sub(r"\bdu\b", "de le", re.sub(r"\bdes\b", "de les", text))
    text = re.sub(r"\baux\b", "à les", re.sub(r"\bau\b", "à le", text))
    text = re.sub(r"-(moi|toi|le|la|lui|nous|vous|les|leur)\b(?!-)", r" -\1", text)
    return text.replace("aujourdhui", "aujourd'hui")


_NAME = {name: name for name in NAMES} | {"": ""}

LANGUAGE = Language(
    features={
        "front": part(lambda topic: "" if topic == "object" else topic, "topic"),
        "gender": part(_gender, "noun"),
        "ogender": part(_gender, "object"),
        "rgender": part(_gender, "recipient"),
        "number": part(_number),
        "onumber": part(_onumber),
        "rnumber": part(lambda rdet: DETERMINERS.get(rdet, "singular"), "rdet"),
        "before": part(_before, "adj"),
        "obefore": part(_before, "oadj"),
        "predicative": part(
            lambda object, compare: "yes" if compare or not object else "", "object", "compare"
        ),
        "ofirst": part(
            lambda obefore, predicative: "" if predicative else obefore, "obefore", "predicative"
        ),
        "vowel": part(_vowel, "noun", "before"),
        "ovowel": part(_vowel, "object", "ofirst"),
        "head_gender": part(_gender, "head"),
        "headed": part(lambda head: "yes" if head else "", "head"),
        "opronoun": part(_pronoun, "object"),
        "rpronoun": part(_pronoun, "recipient"),
        "rvowel": part(_noun_vowel, "recipient"),
        "noun_vowel": part(_noun_vowel, "noun"),
        "onoun_vowel": part(_noun_vowel, "object"),
        "person": part(_person),
        "together": part(lambda partner: "and" if partner else "", "partner"),
        "agreement": part(_agreement),
        "subject_gender": part(_subject_gender),
        "several": part(_several),
        "predicate_number": part(lambda several: "plural" if several else "singular", "several"),
        "owner": part(_owner),
        "possessive": part(_possessive),
        "govern": part(lambda verb: _FORMS[verb][3] if verb else "", "verb"),
        "self": part(lambda verb: "self" if verb and _FORMS[verb][2] == "self" else "", "verb"),
        "negative": part(_negative),
        "copula": part(lambda verb: "yes" if verb in {"be", "become"} else "", "verb"),
        "negated": part(
            lambda negative, copula: "yes" if negative and not copula else "", "negative", "copula"
        ),
        "job": part(
            lambda object, copula: "yes" if copula and NOUNS.get(object) == "profession" else "",
            *("object", "copula"),
        ),
        "woman": part(
            lambda job, subject_gender: "yes" if job and subject_gender == "f" else "",
            *("job", "subject_gender"),
        ),
        "known": part(_known, "object"),
        "known_subject": part(_known, "noun"),
        "silent": part(lambda verb: "yes" if verb == "speak" else "", "verb"),
        "article": part(_article),
        "infinite": part(_infinite),
        "clitic": part(_clitic),
        "direct": part(_direct),
        "elides": part(_elides),
        "near": part(
            lambda clitic, elides: "l'" if elides and clitic in {"le", "la"} else clitic,
            *("clitic", "elides"),
        ),
        "clitic_first": part(lambda near, infinite: "" if infinite else near, "near", "infinite"),
        "clitic_second": part(lambda near, infinite: near if infinite else "", "near", "infinite"),
        "clitic_not": part(lambda near, negative: near if negative else "", "near", "negative"),
        "clitic_after": part(_clitic_after),
    },
    parts={
        "determiner": part(_subject_determiner),
        "adjective_first": part(_adjective_first),
        "noun": part(_subject),
        "adjective_last": part(_adjective_last),
        "partner": part(lambda partner: f"et {partner}" if partner else "", "partner"),
        "ne": part(lambda negative: "ne" if negative else "", "negative"),
        "clitic_first": same("clitic_first"),
        "clitic_second": same("clitic_second"),
        "clitic_not": same("clitic_not"),
        "clitic_after": same("clitic_after"),
        "finite": part(_finite),
        "negative": same("negative"),
        "adverb": part(lambda adverb: "" if adverb == "never" else _ADVERB[adverb], "adverb"),
        "rest": part(_rest),
        "imperative": part(_imperative, "verb", "address"),
        "after": part(_after),
        "predicate": part(_predicate),
        "preposition": part(
            lambda govern, object: (
                ""
                if not object
                or (object in PRONOUNS and govern in {"", "lui"})
                or object in {"what", "whom"}
                else "à"
                if govern == "lui"
                else govern
            ),
            "govern",
            "object",
        ),
        "odeterminer": part(_object_determiner),
        "oadjective_first": part(
            _adjective_first, "oadj", "ofirst", "ogender", "onumber", "onoun_vowel"
        ),
        "object": part(_object),
        "oadjective_last": part(
            lambda oadj, obefore, ogender, onumber, predicative: (
                "" if predicative else _adjective_last(oadj, obefore, ogender, onumber)
            ),
            *("oadj", "obefore", "ogender", "onumber", "predicative"),
        ),
        "to": part(
            lambda recipient: "à" if recipient and recipient not in PRONOUNS else "", "recipient"
        ),
        "rdeterminer": part(
            partial(_determiner, first=""), "rdet", "rgender", "rvowel", "possessive", "address"
        ),
        "recipient": part(
            lambda recipient, rnumber: "" if recipient in PRONOUNS else _noun(recipient, rnumber),
            *("recipient", "rnumber"),
        ),
        "manner": part(_MANNER, "manner"),
        "place": part(_PLACE, "place"),
        "time": part(_TIME, "time"),
        "question": part(_question),
        "est-ce que": part(lambda: "est-ce que"),
        "link": part(_LINK, "link"),
        "comma": part(lambda: ","),
        "please": part(
            lambda address: ", s'il vous plaît" if address else ", s'il te plaît", "address"
        ),
    },
    order=_order,
    phrases=read_phrases(concepts.PHRASES, _PHRASES),
    names={name: name for name in NAMES},
    marks=(".", " ?", " !"),
    contract=_contract,
    expand=_expand,
)
