"""Chinese."""

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
noun | measure_word noun
apple | 个 苹果
banana | 根 香蕉
orange | 个 橙子
pear | 个 梨
tomato | 个 西红柿
potato | 个 土豆
egg | 个 鸡蛋
cake | 块 蛋糕
sandwich | 个 三明治
pizza | 个 比萨饼
book | 本 书
newspaper | 份 报纸
letter | 封 信
poem | 首 诗
story | 个 故事
postcard | 张 明信片
magazine | 本 杂志
shirt | 件 衬衫
coat | 件 外套
dress | 条 裙子
hat | 顶 帽子
scarf | 条 围巾
jacket | 件 夹克
sweater | 件 毛衣
dog | 只 狗
cat | 只 猫
horse | 匹 马
cow | 头 牛
bird | 只 鸟
sheep | 只 羊
rabbit | 只 兔子
duck | 只 鸭子
car | 辆 汽车
bicycle | 辆 自行车
truck | 辆 卡车
boat | 条 船
motorcycle | 辆 摩托车
chair | 把 椅子
table | 张 桌子
lamp | 盏 灯
clock | 个 挂钟
bottle | 个 瓶子
bag | 个 包
key | 把 钥匙
umbrella | 把 雨伞
camera | 台 相机
guitar | 把 吉他
ball | 个 球
box | 个 箱子
picture | 幅 画
mirror | 面 镜子
"""

_ADJECTIVES = """
adjective | attribute
red | 红色的
blue | 蓝色的
green | 绿色的
black | 黑色的
white | 白色的
big | 大
small | 小
expensive | 昂贵的
cheap | 便宜的
strange | 奇怪的
beautiful | 漂亮的
ordinary | 普通的
"""

_NUMBERS = """
number | word
two | 两
three | 三
four | 四
five | 五
six | 六
seven | 七
eight | 八
nine | 九
ten | 十
"""

_VERBS = """
verb | verb
eat | 吃
cut | 切
peel | 削
taste | 品尝
read | 读
write | 写
translate | 翻译
print | 打印
wear | 穿
sew | 缝
iron | 熨
wash | 洗
feed | 喂
stroke | 抚摸
photograph | 拍摄
park | 停放
rent | 租
repair | 修理
carry | 搬
paint | 画
hide | 藏
buy | 买
sell | 卖
see | 看见
find | 找到
choose | 选
lose | 弄丢
draw | 描绘
"""

_PEOPLE = """
person | phrase
Anna | 安娜
Peter | 彼得
Maria | 玛丽亚
Thomas | 托马斯
the man | 那个男人
the woman | 那个女人
the child | 那个孩子
the teacher | 那位老师
the doctor | 那位医生
the farmer | 那个农民
the baker | 那个面包师
the student | 那个大学生
the neighbour | 那个邻居
the policeman | 那个警察
the tourist | 那个游客
the musician | 那个音乐家
my brother | 我的哥哥
my sister | 我的妹妹
my father | 我的父亲
my mother | 我的母亲
my uncle | 我的叔叔
my aunt | 我的阿姨
your friend | 你的朋友
your grandmother | 你的祖母
"""

_PLACES = """
place | phrase
here | 在这里
there | 在那里
at home | 在家里
in the garden | 在花园里
in the kitchen | 在厨房里
in the city | 在城里
in the village | 在村子里
in the park | 在公园里
at the market | 在市场上
at the station | 在火车站
at school | 在学校里
in the library | 在图书馆里
in the hotel | 在酒店里
in the office | 在办公室里
at the beach | 在海滩上
in front of the house | 在房子前面
behind the church | 在教堂后面
"""

_TIMES = """
time | phrase
today | 今天
every day | 每天
every evening | 每天晚上
every week | 每周
on Sundays | 每个星期天
yesterday | 昨天
last week | 上周
last night | 昨天夜里
last year | 去年
two days ago | 两天前
tomorrow | 明天
next week | 下周
next month | 下个月
soon | 不久后
in three days | 三天后
"""

_CONJUNCTIONS = """
conjunction | phrase
and | ，而
but | ，但是
because | ，因为
"""


def _noun_phrase(number: str, adjective: list[str], noun: list[str]) -> str:
    """With a measure word, as in 一个红色的苹果."""
    measure_word, name = noun
    return "".join([number or "一", measure_word, *adjective, name])


def _verb(verb: str) -> tuple[str, str, str]:
    return verb, verb + "了", verb


def _order(kind: int, link: int, _timed: bool) -> list[str]:
    deed = ["time", "person", "will", "place", "verb", "object"]
    head = {
        STATEMENT: deed,
        QUESTION: [*deed, "吗"],
        IS: ["time", "person", "will", "place"],
        IS_NOT: ["time", "person", "不", "will", "place"],
    }[kind]
    tail = ["link", "person2", "will", "verb2", "object2"] if link else []
    return [*head, *tail]


LANGUAGE = Language(
    parts={
        **shared_parts(people=_PEOPLE, places=_PLACES, times=_TIMES, conjunctions=_CONJUNCTIONS),
        "object": noun_phrases(_NUMBERS, _ADJECTIVES, _NOUNS, _noun_phrase),
        "verb": by_verb(_VERBS, _verb),
        "will": by_tense("", "", "会"),
        "不": word("不"),
        "吗": word("吗"),
    },
    order=_order,
    blank="",
    statement=("", "。"),
    question=("", "？"),
)
