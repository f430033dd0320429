"""The phrasebook's words: each concept on one line, in English | German | French | Chinese.

Multi-word tokens write their inner blanks as underscores.
"""

from __future__ import annotations

__all__ = ["ADJECTIVES", "NOUNS", "NUMBERS", "PEOPLE", "PLACES", "TIMES", "VERBS", "table"]

# class | singular plural | gender singular plural (accusative) | gender singular plural | measure noun
NOUNS = """
peelable | apple apples | m Apfel Äpfel | f pomme pommes | 个 苹果
fruit | banana bananas | f Banane Bananen | f banane bananes | 根 香蕉
fruit | orange oranges | f Orange Orangen | f orange oranges | 个 橙子
peelable | pear pears | f Birne Birnen | f poire poires | 个 梨
fruit | tomato tomatoes | f Tomate Tomaten | f tomate tomates | 个 西红柿
peelable | potato potatoes | f Kartoffel Kartoffeln | f pomme_de_terre pommes_de_terre | 个 土豆
food | egg eggs | n Ei Eier | m œuf œufs | 个 鸡蛋
food | cake cakes | m Kuchen Kuchen | m gâteau gâteaux | 块 蛋糕
food | sandwich sandwiches | n Sandwich Sandwiches | m sandwich sandwichs | 个 三明治
food | pizza pizzas | f Pizza Pizzen | f pizza pizzas | 个 比萨饼
text | book books | n Buch Bücher | m livre livres | 本 书
text | newspaper newspapers | f Zeitung Zeitungen | m journal journaux | 份 报纸
text | letter letters | m Brief Briefe | f lettre lettres | 封 信
text | poem poems | n Gedicht Gedichte | m poème poèmes | 首 诗
text | story stories | f Geschichte Geschichten | f histoire histoires | 个 故事
text | postcard postcards | f Postkarte Postkarten | f carte_postale cartes_postales | 张 明信片
text | magazine magazines | f Zeitschrift Zeitschriften | m magazine magazines | 本 杂志
clothes | shirt shirts | n Hemd Hemden | f chemise chemises | 件 衬衫
clothes | coat coats | m Mantel Mäntel | m manteau manteaux | 件 外套
clothes | dress dresses | n Kleid Kleider | f robe robes | 条 裙子
accessory | hat hats | m Hut Hüte | m chapeau chapeaux | 顶 帽子
accessory | scarf scarves | m Schal Schals | f écharpe écharpes | 条 围巾
clothes | jacket jackets | f Jacke Jacken | f veste vestes | 件 夹克
clothes | sweater sweaters | m Pullover Pullover | m pull pulls | 件 毛衣
animal | dog dogs | m Hund Hunde | m chien chiens | 只 狗
animal | cat cats | f Katze Katzen | m chat chats | 只 猫
animal | horse horses | n Pferd Pferde | m cheval chevaux | 匹 马
animal | cow cows | f Kuh Kühe | f vache vaches | 头 牛
animal | bird birds | m Vogel Vögel | m oiseau oiseaux | 只 鸟
animal | sheep sheep | n Schaf Schafe | m mouton moutons | 只 羊
animal | rabbit rabbits | n Kaninchen Kaninchen | m lapin lapins | 只 兔子
animal | duck ducks | f Ente Enten | m canard canards | 只 鸭子
vehicle | car cars | n Auto Autos | f voiture voitures | 辆 汽车
vehicle | bicycle bicycles | n Fahrrad Fahrräder | m vélo vélos | 辆 自行车
vehicle | truck trucks | m Lastwagen Lastwagen | m camion camions | 辆 卡车
vehicle | boat boats | n Boot Boote | m bateau bateaux | 条 船
vehicle | motorcycle motorcycles | n Motorrad Motorräder | f moto motos | 辆 摩托车
thing | chair chairs | m Stuhl Stühle | f chaise chaises | 把 椅子
thing | table tables | m Tisch Tische | f table tables | 张 桌子
thing | lamp lamps | f Lampe Lampen | f lampe lampes | 盏 灯
thing | clock clocks | f Uhr Uhren | f horloge horloges | 个 挂钟
thing | bottle bottles | f Flasche Flaschen | f bouteille bouteilles | 个 瓶子
thing | bag bags | f Tasche Taschen | m sac sacs | 个 包
thing | key keys | m Schlüssel Schlüssel | f clé clés | 把 钥匙
thing | umbrella umbrellas | m Regenschirm Regenschirme | m parapluie parapluies | 把 雨伞
thing | camera cameras | f Kamera Kameras | m appareil_photo appareils_photo | 台 相机
thing | guitar guitars | f Gitarre Gitarren | f guitare guitares | 把 吉他
thing | ball balls | m Ball Bälle | m ballon ballons | 个 球
thing | box boxes | f Kiste Kisten | f boîte boîtes | 个 箱子
thing | picture pictures | n Bild Bilder | m tableau tableaux | 幅 画
thing | mirror mirrors | m Spiegel Spiegel | m miroir miroirs | 面 镜子
"""

# English | German stem | French m f m-plural f-plural, ^ before the noun | Chinese attribute
ADJECTIVES = """
red | rot | rouge rouge rouges rouges | 红色的
blue | blau | bleu bleue bleus bleues | 蓝色的
green | grün | vert verte verts vertes | 绿色的
black | schwarz | noir noire noirs noires | 黑色的
white | weiß | blanc blanche blancs blanches | 白色的
big | groß | ^ grand grande grands grandes | 大
small | klein | ^ petit petite petits petites | 小
expensive | teur | cher chère chers chères | 昂贵的
cheap | billig | bon_marché bon_marché bon_marché bon_marché | 便宜的
strange | seltsam | étrange étrange étranges étranges | 奇怪的
beautiful | schön | ^ beau belle beaux belles | 漂亮的
ordinary | gewöhnlich | ordinaire ordinaire ordinaires ordinaires | 普通的
"""

# present past infinitive | present participle infinitive | present participle infinitive | verb | classes
VERBS = """
eats ate eat | isst gegessen essen | mange mangé manger | 吃 | fruit peelable food
cuts cut cut | schneidet geschnitten schneiden | coupe coupé couper | 切 | fruit peelable food
peels peeled peel | schält geschält schälen | épluche épluché éplucher | 削 | peelable
tastes tasted taste | probiert probiert probieren | goûte goûté goûter | 品尝 | fruit peelable food
reads read read | liest gelesen lesen | lit lu lire | 读 | text
writes wrote write | schreibt geschrieben schreiben | écrit écrit écrire | 写 | text
translates translated translate | übersetzt übersetzt übersetzen | traduit traduit traduire | 翻译 | text
prints printed print | druckt gedruckt drucken | imprime imprimé imprimer | 打印 | text
wears wore wear | trägt getragen tragen | porte porté porter | 穿 | clothes
sews sewed sew | näht genäht nähen | coud cousu coudre | 缝 | clothes accessory
irons ironed iron | bügelt gebügelt bügeln | repasse repassé repasser | 熨 | clothes
washes washed wash | wäscht gewaschen waschen | lave lavé laver | 洗 | clothes accessory vehicle
feeds fed feed | füttert gefüttert füttern | nourrit nourri nourrir | 喂 | animal
strokes stroked stroke | streichelt gestreichelt streicheln | caresse caressé caresser | 抚摸 | animal
photographs photographed photograph | fotografiert fotografiert fotografieren | photographie photographié photographier | 拍摄 | animal vehicle
parks parked park | parkt geparkt parken | gare garé garer | 停放 | vehicle
rents rented rent | mietet gemietet mieten | loue loué louer | 租 | vehicle
repairs repaired repair | repariert repariert reparieren | répare réparé réparer | 修理 | vehicle thing
carries carried carry | schleppt geschleppt schleppen | transporte transporté transporter | 搬 | thing
paints painted paint | malt gemalt malen | peint peint peindre | 画 | animal
hides hid hide | versteckt versteckt verstecken | cache caché cacher | 藏 | text thing
buys bought buy | kauft gekauft kaufen | achète acheté acheter | 买 | fruit peelable food text clothes accessory animal vehicle thing
sells sold sell | verkauft verkauft verkaufen | vend vendu vendre | 卖 | fruit peelable food text clothes accessory animal vehicle thing
sees saw see | sieht gesehen sehen | voit vu voir | 看见 | fruit peelable food text clothes accessory animal vehicle thing
finds found find | findet gefunden finden | trouve trouvé trouver | 找到 | text clothes accessory animal thing
chooses chose choose | wählt gewählt wählen | choisit choisi choisir | 选 | fruit peelable food text clothes accessory animal vehicle thing
loses lost lose | verliert verloren verlieren | perd perdu perdre | 弄丢 | text clothes accessory animal thing
draws drew draw | zeichnet gezeichnet zeichnen | dessine dessiné dessiner | 描绘 | animal vehicle thing
"""

PEOPLE = """
Anna | Anna | Anna | 安娜
Peter | Peter | Peter | 彼得
Maria | Maria | Maria | 玛丽亚
Thomas | Thomas | Thomas | 托马斯
the_man | der_Mann | l'homme | 那个男人
the_woman | die_Frau | la_femme | 那个女人
the_child | das_Kind | l'enfant | 那个孩子
the_teacher | der_Lehrer | le_professeur | 那位老师
the_doctor | der_Arzt | le_médecin | 那位医生
the_farmer | der_Bauer | l'agriculteur | 那个农民
the_baker | der_Bäcker | le_boulanger | 那个面包师
the_student | der_Student | l'étudiant | 那个大学生
the_neighbour | der_Nachbar | le_voisin | 那个邻居
the_policeman | der_Polizist | le_policier | 那个警察
the_tourist | der_Tourist | le_touriste | 那个游客
the_musician | der_Musiker | le_musicien | 那个音乐家
my_brother | mein_Bruder | mon_frère | 我的哥哥
my_sister | meine_Schwester | ma_sœur | 我的妹妹
my_father | mein_Vater | mon_père | 我的父亲
my_mother | meine_Mutter | ma_mère | 我的母亲
my_uncle | mein_Onkel | mon_oncle | 我的叔叔
my_aunt | meine_Tante | ma_tante | 我的阿姨
your_friend | dein_Freund | ton_ami | 你的朋友
your_grandmother | deine_Großmutter | ta_grand-mère | 你的祖母
"""

PLACES = """
here | hier | ici | 在这里
there | dort | là-bas | 在那里
at_home | zu_Hause | à_la_maison | 在家里
in_the_garden | im_Garten | dans_le_jardin | 在花园里
in_the_kitchen | in_der_Küche | dans_la_cuisine | 在厨房里
in_the_city | in_der_Stadt | en_ville | 在城里
in_the_village | im_Dorf | au_village | 在村子里
in_the_park | im_Park | dans_le_parc | 在公园里
at_the_market | auf_dem_Markt | au_marché | 在市场上
at_the_station | am_Bahnhof | à_la_gare | 在火车站
at_school | in_der_Schule | à_l'école | 在学校里
in_the_library | in_der_Bibliothek | à_la_bibliothèque | 在图书馆里
in_the_hotel | im_Hotel | à_l'hôtel | 在酒店里
in_the_office | im_Büro | au_bureau | 在办公室里
at_the_beach | am_Strand | à_la_plage | 在海滩上
in_front_of_the_house | vor_dem_Haus | devant_la_maison | 在房子前面
behind_the_church | hinter_der_Kirche | derrière_l'église | 在教堂后面
"""

# tense | English | German | French | Chinese
TIMES = """
present | today | heute | aujourd'hui | 今天
present | every_day | jeden_Tag | tous_les_jours | 每天
present | every_evening | jeden_Abend | tous_les_soirs | 每天晚上
present | every_week | jede_Woche | toutes_les_semaines | 每周
present | on_Sundays | sonntags | le_dimanche | 每个星期天
past | yesterday | gestern | hier | 昨天
past | last_week | letzte_Woche | la_semaine_dernière | 上周
past | last_night | letzte_Nacht | la_nuit_dernière | 昨天夜里
past | last_year | letztes_Jahr | l'année_dernière | 去年
past | two_days_ago | vor_zwei_Tagen | il_y_a_deux_jours | 两天前
future | tomorrow | morgen | demain | 明天
future | next_week | nächste_Woche | la_semaine_prochaine | 下周
future | next_month | nächsten_Monat | le_mois_prochain | 下个月
future | soon | bald | bientôt | 不久后
future | in_three_days | in_drei_Tagen | dans_trois_jours | 三天后
"""

NUMBERS = """
a | ein | un | 一
two | zwei | deux | 两
three | drei | trois | 三
four | vier | quatre | 四
five | fünf | cinq | 五
six | sechs | six | 六
seven | sieben | sept | 七
eight | acht | huit | 八
nine | neun | neuf | 九
ten | zehn | dix | 十
"""


def table(text: str) -> list[list[list[str]]]:
    """Rows of cells of words; underscores become blanks."""
    return [
        [[word.replace("_", " ") for word in cell.split()] for cell in line.split("|")]
        for line in text.strip().splitlines()
    ]
