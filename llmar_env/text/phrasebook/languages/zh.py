"""Chinese, in simplified characters."""

from __future__ import annotations

from llmar_env.text.phrasebook import concepts
from llmar_env.text.phrasebook.concepts import (
    DETERMINERS,
    NAMES,
    NOUNS,
    SEX,
    TIMES,
    VERBS,
)
from llmar_env.text.phrasebook.grammar import Language, Shape, part, same
from llmar_env.text.phrasebook.tables import read_forms, read_phrases

__all__ = ["LANGUAGE"]

# The measure word, and the noun.
_NOUNS = """
noun | measure word
father | 个 父亲
brother | 个 哥哥
son | 个 儿子
grandfather | 个 爷爷
uncle | 个 叔叔
husband | 个 丈夫
cousin | 个 表弟
mother | 个 母亲
sister | 个 姐姐
daughter | 个 女儿
grandmother | 个 奶奶
aunt | 个 阿姨
wife | 个 妻子
man | 个 男人
boy | 个 男孩
king | 个 国王
woman | 个 女人
girl | 个 女孩
queen | 个 女王
child | 个 孩子
friend | 个 朋友
neighbour | 个 邻居
guest | 位 客人
tourist | 个 游客
customer | 位 顾客
baby | 个 婴儿
teacher | 位 老师
doctor | 位 医生
student | 个 大学生
farmer | 个 农民
baker | 个 面包师
policeman | 个 警察
cook | 个 厨师
waiter | 个 服务员
seller | 个 售货员
driver | 个 司机
nurse | 个 护士
musician | 个 音乐家
singer | 个 歌手
actor | 个 演员
painter | 个 画家
writer | 个 作家
journalist | 个 记者
lawyer | 个 律师
judge | 个 法官
engineer | 个 工程师
scientist | 个 科学家
hairdresser | 个 理发师
butcher | 个 屠夫
gardener | 个 园丁
soldier | 个 士兵
pilot | 个 飞行员
secretary | 个 秘书
boss | 个 老板
colleague | 个 同事
artist | 个 艺术家
pupil | 个 小学生
dog | 只 狗
cat | 只 猫
horse | 匹 马
cow | 头 奶牛
bird | 只 鸟
sheep | 只 绵羊
rabbit | 只 兔子
duck | 只 鸭子
pig | 头 猪
chicken | 只 鸡
mouse | 只 老鼠
fish | 条 鱼
goat | 只 山羊
bear | 头 熊
wolf | 只 狼
fox | 只 狐狸
lion | 头 狮子
tiger | 只 老虎
elephant | 头 大象
monkey | 只 猴子
snake | 条 蛇
frog | 只 青蛙
bee | 只 蜜蜂
butterfly | 只 蝴蝶
donkey | 头 驴
goose | 只 鹅
apple | 个 苹果
banana | 根 香蕉
orange | 个 橙子
pear | 个 梨
lemon | 个 柠檬
strawberry | 颗 草莓
cherry | 颗 樱桃
peach | 个 桃子
tomato | 个 西红柿
potato | 个 土豆
carrot | 根 胡萝卜
onion | 个 洋葱
cucumber | 根 黄瓜
mushroom | 个 蘑菇
pumpkin | 个 南瓜
egg | 个 鸡蛋
cake | 块 蛋糕
sandwich | 个 三明治
pizza | 块 比萨饼
sausage | 根 香肠
soup | 碗 汤
salad | 份 沙拉
biscuit | 块 饼干
pancake | 张 煎饼
steak | 块 牛排
bread | 些 面包
cheese | 些 奶酪
meat | 些 肉
butter | 些 黄油
rice | 些 米饭
sugar | 些 糖
salt | 些 盐
chocolate | 些 巧克力
ham | 些 火腿
honey | 些 蜂蜜
jam | 些 果酱
ice_cream | 些 冰淇淋
fruit | 些 水果
vegetables | 些 蔬菜
water | 些 水
milk | 些 牛奶
coffee | 些 咖啡
tea | 些 茶
beer | 些 啤酒
wine | 些 葡萄酒
juice | 些 果汁
lemonade | 些 柠檬水
book | 本 书
letter | 封 信
newspaper | 份 报纸
story | 个 故事
poem | 首 诗
postcard | 张 明信片
magazine | 本 杂志
message | 条 消息
novel | 本 小说
list | 张 清单
report | 份 报告
song | 首 歌
shirt | 件 衬衫
coat | 件 大衣
dress | 条 连衣裙
hat | 顶 帽子
scarf | 条 围巾
jacket | 件 夹克
sweater | 件 毛衣
skirt | 条 裙子
shoe | 只 鞋
sock | 只 袜子
glove | 只 手套
suit | 套 西装
cap | 顶 便帽
blouse | 件 女衬衫
tie | 条 领带
table | 张 桌子
chair | 把 椅子
bed | 张 床
cupboard | 个 柜子
sofa | 张 沙发
lamp | 盏 灯
shelf | 个 架子
desk | 张 书桌
carpet | 块 地毯
mirror | 面 镜子
curtain | 块 窗帘
car | 辆 汽车
bicycle | 辆 自行车
bus | 辆 公共汽车
train | 列 火车
truck | 辆 卡车
boat | 条 小船
ship | 艘 轮船
motorcycle | 辆 摩托车
taxi | 辆 出租车
plane | 架 飞机
tram | 辆 电车
house | 座 房子
flat | 套 公寓
hotel | 家 旅馆
school | 所 学校
church | 座 教堂
shop | 家 商店
restaurant | 家 饭馆
hospital | 家 医院
museum | 座 博物馆
station | 个 火车站
factory | 家 工厂
castle | 座 城堡
bridge | 座 桥
tower | 座 塔
bank | 家 银行
bakery | 家 面包店
pharmacy | 家 药店
library | 座 图书馆
theatre | 座 剧院
cinema | 家 电影院
office | 间 办公室
airport | 座 机场
door | 扇 门
window | 扇 窗户
gate | 扇 栅栏门
bag | 个 包
box | 个 箱子
bottle | 个 瓶子
cup | 个 杯子
glass | 个 玻璃杯
plate | 个 盘子
basket | 个 篮子
suitcase | 个 手提箱
wallet | 个 钱包
pot | 口 锅
bowl | 个 碗
bucket | 个 水桶
key | 把 钥匙
umbrella | 把 雨伞
ball | 个 球
pen | 支 钢笔
knife | 把 刀
fork | 把 叉子
spoon | 把 勺子
picture | 幅 画
doll | 个 娃娃
toy | 个 玩具
present | 件 礼物
ring | 枚 戒指
pencil | 支 铅笔
stamp | 张 邮票
ticket | 张 票
candle | 根 蜡烛
towel | 条 毛巾
blanket | 条 毯子
pillow | 个 枕头
brush | 把 刷子
comb | 把 梳子
soap | 块 肥皂
rope | 根 绳子
stone | 块 石头
hammer | 把 锤子
needle | 根 针
flag | 面 旗
map | 张 地图
passport | 本 护照
photo | 张 照片
coin | 枚 硬币
ladder | 架 梯子
computer | 台 电脑
phone | 部 电话
television | 台 电视机
radio | 台 收音机
camera | 台 照相机
clock | 座 钟
fridge | 台 冰箱
washing_machine | 台 洗衣机
printer | 台 打印机
piano | 架 钢琴
guitar | 把 吉他
violin | 把 小提琴
flute | 支 长笛
trumpet | 把 小号
drum | 面 鼓
football | 些 足球
tennis | 些 网球
chess | 些 国际象棋
basketball | 些 篮球
volleyball | 些 排球
hand | 只 手
head | 个 头
foot | 只 脚
eye | 只 眼睛
ear | 只 耳朵
nose | 个 鼻子
mouth | 张 嘴
leg | 条 腿
arm | 条 胳膊
finger | 根 手指
face | 张 脸
tooth | 颗 牙
back | 个 背
sun | 个 太阳
moon | 个 月亮
star | 颗 星星
flower | 朵 花
tree | 棵 树
rose | 朵 玫瑰
leaf | 片 树叶
bush | 丛 灌木
sea | 片 大海
river | 条 河
lake | 片 湖
mountain | 座 山
forest | 片 森林
island | 座 岛
beach | 片 海滩
field | 块 田
street | 条 街道
path | 条 小路
garden | 座 花园
park | 座 公园
city | 座 城市
village | 个 村庄
money | 些 钱
English | 些 英语
German | 些 德语
French | 些 法语
Chinese | 些 汉语
mathematics | 些 数学
history | 些 历史
music | 些 音乐
art | 些 艺术
film | 部 电影
party | 个 聚会
concert | 场 音乐会
lesson | 节 课
course | 门 课程
exam | 场 考试
meeting | 个 会议
trip | 次 旅行
birthday | 个 生日
wedding | 场 婚礼
question | 个 问题
answer | 个 答案
idea | 个 主意
problem | 个 难题
word | 个 单词
name | 个 名字
mistake | 个 错误
secret | 个 秘密
plan | 个 计划
dream | 个 梦
room | 间 房间
kitchen | 间 厨房
bathroom | 间 浴室
bedroom | 间 卧室
cellar | 间 地下室
roof | 个 屋顶
time | 些 时间
help | 些 帮助
work | 些 工作
luck | 些 运气
"""

# "kind" is how the past is told: v with 了, s (a state) with 以前 or the time, a as adjectives are,
# "to" the form before a destination.
_VERBS = """
verb | kind form to
sleep | v 睡觉 -
work | v 工作 -
laugh | v 大笑 -
cry | v 哭 -
smile | v 微笑 -
dance | v 跳舞 -
sing | v 唱歌 -
swim | v 游泳 -
run | v 跑步 -
wait | v 等待 -
sit | s 坐着 -
stand | s 站着 -
live | s 居住 -
stay | v 停留 -
rest | v 休息 -
get_up | v 起床 -
wake_up | v 醒来 -
watch_television | v 看电视 -
go_for_a_walk | v 散步 -
shower | v 洗澡 -
smoke | v 抽烟 -
travel | v 旅行 旅行去
go | v 走 去
drive | v 开车 开车去
fly | v 飞 飞往
come | v 过来 来
return | v 回来 回到
run_away | v 逃跑 -
begin | v 开始 -
end | v 结束 -
shine | s 发光 -
bloom | v 开花 -
hurt | a 疼 -
be_hungry | a 饿 -
be_thirsty | a 渴 -
be_afraid | a 害怕 -
be_right | a 对 -
be_in_a_hurry | a 着急 -
be | s 是 -
become | v 成为 -
rain | v 下雨 -
snow | v 下雪 -
there_is | h 有 -
see | v 看见 -
know | s 认识 -
love | s 爱 -
like | s 喜欢 -
hate | s 讨厌 -
need | s 需要 -
have | h 有 -
look_for | v 寻找 -
find | v 找到 -
lose | v 弄丢 -
forget | v 忘记 -
buy | v 买 -
sell | v 卖 -
take | v 拿 -
hold | v 握住 -
wear | v 穿 -
wash | v 洗 -
clean | v 打扫 -
repair | v 修理 -
open | v 打开 -
close | v 关上 -
read | v 读 -
write | v 写 -
understand | s 理解 -
learn | v 学习 -
study | v 研究 -
speak | v 说 -
translate | v 翻译 -
hear | v 听见 -
listen_to | v 听 -
eat | v 吃 -
drink | v 喝 -
cook | v 煮 -
bake | v 烤 -
cut | v 切 -
taste | v 品尝 -
order | v 点 -
pay_for | v 付钱买 -
use | v 使用 -
play | v 玩 -
play_music | v 演奏 -
steer | v 驾驶 -
draw | v 描画 -
paint | v 涂 -
photograph | v 拍 -
visit | v 拜访 -
meet | v 遇见 -
invite | v 邀请 -
call | v 打电话给 -
help | v 帮助 -
thank | v 感谢 -
answer | v 回答 -
ask | v 问 -
greet | v 问候 -
hug | v 拥抱 -
kiss | v 亲吻 -
follow | v 跟随 -
wait_for | v 等 -
think_of | v 想念着 -
look_at | v 看 -
feed | v 喂 -
stroke | v 抚摸 -
catch | v 抓住 -
throw | v 扔 -
build | v 建造 -
collect | v 收集 -
count | v 数 -
hide | v 藏 -
choose | v 选 -
pack | v 收拾 -
rent | v 租 -
watch | v 观看 -
begin_with | v 着手 -
plan | v 筹备 -
celebrate | v 庆祝 -
miss | s 想念 -
belong_to | s 属于 -
give | v 给 -
show | v 展示给 -
send | v 寄给 -
bring | v 带给 -
tell | v 讲给 -
explain | v 解释给 -
lend | v 借给 -
think | s 觉得 -
say | v 说 -
hope | s 希望 -
know_that | s 知道 -
"""

# What comes before a noun, what is compared, and the predicate: 很 unless it is given.
_ADJECTIVES = """
adjective | attribute bare predicate
red | 红色的 红 是红色的
blue | 蓝色的 蓝 是蓝色的
green | 绿色的 绿 是绿色的
yellow | 黄色的 黄 是黄色的
black | 黑色的 黑 是黑色的
white | 白色的 白 是白色的
brown | 棕色的 棕 是棕色的
grey | 灰色的 灰 是灰色的
big | 大 大 -
small | 小 小 -
old | 年老的 老 -
young | 年轻的 年轻 -
long | 长的 长 -
short | 短的 短 -
heavy | 重的 重 -
light | 轻的 轻 -
new | 新 新 -
expensive | 昂贵的 贵 -
cheap | 便宜的 便宜 -
beautiful | 漂亮的 漂亮 -
ugly | 难看的 难看 -
strange | 奇怪的 奇怪 -
ordinary | 普通的 普通 -
good | 好 好 -
bad | 糟糕的 糟糕 -
dirty | 脏的 脏 -
clean | 干净的 干净 -
broken | 坏掉的 坏 是坏掉的
empty | 空的 空 是空的
full | 满的 满 是满的
open | 打开的 开 是打开的
closed | 关着的 关 是关着的
tired | 疲倦的 疲倦 -
happy | 高兴的 高兴 -
sad | 悲伤的 悲伤 -
ill | 生病的 病重 是生病的
healthy | 健康的 健康 -
angry | 生气的 生气 -
nice | 和气的 和气 -
poor | 贫穷的 贫穷 -
rich | 富有的 富有 -
famous | 有名的 有名 -
intelligent | 聪明的 聪明 -
strong | 强壮的 强壮 -
weak | 虚弱的 虚弱 -
polite | 礼貌的 礼貌 -
lazy | 懒惰的 懒惰 -
hard-working | 勤奋的 勤奋 -
brave | 勇敢的 勇敢 -
shy | 害羞的 害羞 -
funny | 滑稽的 滑稽 -
fresh | 新鲜的 新鲜 -
hot | 热的 热 -
cold | 冷的 冷 -
sweet | 甜的 甜 -
sour | 酸的 酸 -
delicious | 好吃的 好吃 -
interesting | 有趣的 有趣 -
boring | 无聊的 无聊 -
difficult | 困难的 困难 -
easy | 容易的 容易 -
important | 重要的 重要 -
fast | 快速的 快 -
slow | 缓慢的 慢 -
loud | 吵闹的 吵闹 -
quiet | 安静的 安静 -
"""

_NAMES = """
name | word
Anna | 安娜
Maria | 玛丽亚
Lisa | 丽莎
Julia | 朱莉娅
Sarah | 莎拉
Laura | 劳拉
Emma | 艾玛
Sophie | 苏菲
Peter | 彼得
Thomas | 托马斯
Paul | 保罗
Max | 马克斯
Michael | 迈克尔
Daniel | 丹尼尔
David | 大卫
Martin | 马丁
"""

_TIMES = """
time | words
now | 现在
every_day | 每天
every_morning | 每天早上
every_evening | 每天晚上
every_week | 每个星期
every_year | 每年
on_weekdays | 工作日
on_Sundays | 每个星期日
yesterday | 昨天
last_night | 昨天夜里
last_week | 上个星期
last_month | 上个月
last_year | 去年
two_days_ago | 两天前
a_week_ago | 一个星期前
an_hour_ago | 一个小时前
yesterday_morning | 昨天早上
yesterday_evening | 昨天晚上
this_morning | 今天早上
tomorrow | 明天
next_week | 下个星期
next_month | 下个月
next_year | 明年
soon | 不久后
later | 后来
in_three_days | 三天后
in_an_hour | 一个小时后
tomorrow_morning | 明天早上
tomorrow_evening | 明天晚上
today | 今天
in_the_morning | 早上
in_the_evening | 晚上
in_the_afternoon | 下午
at_night | 夜里
at_noon | 中午
at_the_weekend | 周末
this_evening | 今天晚上
on_Monday | 星期一
on_Tuesday | 星期二
on_Wednesday | 星期三
on_Thursday | 星期四
on_Friday | 星期五
on_Saturday | 星期六
on_Sunday | 星期日
at_one_o'clock | 一点
at_two_o'clock | 两点
at_three_o'clock | 三点
at_four_o'clock | 四点
at_five_o'clock | 五点
at_six_o'clock | 六点
at_seven_o'clock | 七点
at_eight_o'clock | 八点
at_nine_o'clock | 九点
at_ten_o'clock | 十点
at_eleven_o'clock | 十一点
at_twelve_o'clock | 十二点
at_half_past_six | 六点半
at_half_past_seven | 七点半
at_half_past_eight | 八点半
in_January | 一月
in_February | 二月
in_March | 三月
in_April | 四月
in_May | 五月
in_June | 六月
in_July | 七月
in_August | 八月
in_September | 九月
in_October | 十月
in_November | 十一月
in_December | 十二月
in_spring | 春天
in_summer | 夏天
in_autumn | 秋天
in_winter | 冬天
at_Christmas | 圣诞节
on_the_first_of_May | 五月一日
"""

# The place, and what follows it where something is there.
_PLACES = """
place | word within
here | 这里 -
there | 那里 -
at_home | 家 -
in_the_garden | 花园 里
in_the_kitchen | 厨房 里
in_the_city | 城市 里
in_the_village | 村子 里
in_the_park | 公园 里
at_the_market | 市场 上
at_the_station | 车站 -
at_school | 学校 -
in_the_library | 图书馆 里
in_the_hotel | 旅馆 里
in_the_office | 办公室 里
at_the_beach | 海滩 上
in_front_of_the_house | 房子前面 -
behind_the_church | 教堂后面 -
at_the_cinema | 电影院 -
in_the_restaurant | 饭馆 里
in_the_hospital | 医院 里
in_the_museum | 博物馆 里
at_the_airport | 机场 -
in_the_shop | 商店 里
at_the_bakery | 面包店 -
at_the_supermarket | 超市 -
in_the_forest | 森林 里
by_the_lake | 湖边 -
by_the_sea | 海边 -
in_the_mountains | 山里 -
in_the_living_room | 客厅 里
in_the_bathroom | 浴室 里
in_the_bedroom | 卧室 里
in_the_cellar | 地下室 里
in_bed | 床上 -
at_the_bus_stop | 公共汽车站 -
at_the_swimming_pool | 游泳池 -
at_the_theatre | 剧院 -
at_the_doctor's | 医生那里 -
in_church | 教堂 里
in_the_street | 街上 -
in_Berlin | 柏林 -
in_Paris | 巴黎 -
in_London | 伦敦 -
in_Germany | 德国 -
in_France | 法国 -
in_England | 英国 -
in_China | 中国 -
at_university | 大学 -
on_the_roof | 屋顶上 -
at_the_window | 窗边 -
on_the_table | 桌子上 -
under_the_table | 桌子下面 -
under_the_chair | 椅子下面 -
on_the_chair | 椅子上 -
on_the_floor | 地上 -
in_the_bag | 包里 -
in_the_box | 箱子里 -
in_the_cupboard | 柜子里 -
on_the_shelf | 架子上 -
under_the_bed | 床下面 -
behind_the_door | 门后面 -
in_the_fridge | 冰箱里 -
in_the_car | 车里 -
on_the_train | 火车上 -
on_the_bus | 公共汽车上 -
under_the_tree | 树下 -
on_the_wall | 墙上 -
"""

_MANNERS = """
manner | words
well | 很好地
badly | 糟糕地
quickly | 很快地
slowly | 慢慢地
alone | 独自
together | 一起
quietly | 轻声地
loudly | 大声地
carefully | 小心地
for_a_long_time | 长时间地
with_friends | 和朋友们一起
with_the_children | 和孩子们一起
a_lot | 大量地
a_little | 稍微
by_car | 坐汽车
by_bus | 坐公共汽车
by_train | 坐火车
by_bicycle | 骑自行车
on_foot | 步行
by_plane | 坐飞机
"""

_ADVERBS = """
adverb | word
often | 经常
always | 总是
never | 从
sometimes | 有时
already | 已经
still | 还
also | 也
perhaps | 也许
"""

_LINKS = """
link | words
and | ，而
but | ，但是
because | ，因为
if | 如果
that | ，
who | 的
"""

_PHRASES = """
phrase | sentence
good_morning | 早上好！
good_day | 下午好！
good_evening | 晚上好！
good_night | 晚安！
hello | 你好！
hi | 嗨！
goodbye | 再见！
bye | 拜拜！
see_you_tomorrow | 明天见！
see_you_soon | 回头见！
see_you_later | 待会儿见！
welcome | 欢迎！
thank_you | 谢谢！
thank_you_very_much | 非常感谢！
many_thanks | 多谢！
you_are_welcome | 不客气！
please | 请！
excuse_me | 打扰一下！
I_am_sorry | 对不起。
sorry | 抱歉！
no_problem | 没问题！
it_does_not_matter | 没关系。
of_course | 当然！
yes | 是的。
no | 不。
yes_please | 好的，谢谢。
no_thank_you | 不，谢谢。
maybe | 也许吧。
how_are_you | 你好吗？
how_are_you_formal | 您好吗？
I_am_fine | 我很好。
I_am_fine_thank_you | 我很好，谢谢。
I_am_not_well | 我不太好。
and_you | 你呢？
what_is_your_name | 你叫什么名字？
pleased_to_meet_you | 很高兴认识你！
where_are_you_from | 你是哪里人？
how_old_are_you | 你多大？
what_time_is_it | 几点了？
happy_birthday | 生日快乐！
congratulations | 恭喜！
merry_christmas | 圣诞快乐！
happy_new_year | 新年快乐！
good_luck | 祝你好运！
have_a_good_trip | 旅途愉快！
enjoy_your_meal | 慢慢享用！
cheers | 干杯！
bless_you | 多保重！
get_well_soon | 早日康复！
have_fun | 玩得开心！
have_a_nice_day | 祝你今天愉快！
have_a_nice_weekend | 周末愉快！
I_love_you | 我好爱你！
I_do_not_know | 我不知道。
I_do_not_understand | 我不明白。
I_know | 我知道。
what_is_that | 那是什么？
who_is_that | 那是谁？
that_is_right | 没错。
that_is_wrong | 错了。
that_is_good | 那很好。
that_is_not_possible | 那不行。
that_is_too_expensive | 太贵了。
how_much_does_it_cost | 多少钱？
the_bill_please | 请结账！
a_coffee_please | 请来一杯咖啡！
where_is_the_toilet | 洗手间在哪里？
I_am_cold | 我觉得冷。
I_am_hot | 我觉得热。
can_you_help_me | 你可以帮帮我吗？
help | 救命！
stop | 停！
be_careful | 小心！
one_moment_please | 请等一下！
come_in | 进来！
sit_down | 坐下！
what_happened | 怎么了？
what_does_that_mean | 那是什么意思？
say_it_again | 再说一遍！
more_slowly_please | 请慢一点！
do_you_speak_english | 你会说英语吗？
do_you_speak_german | 你会说德语吗？
I_speak_a_little_german | 我会说一点德语。
I_come_from_germany | 我来自德国。
I_come_from_france | 我来自法国。
I_am_a_vegetarian | 我吃素。
really | 真的吗？
great | 太好了！
what_a_pity | 真可惜！
it_is_late | 很晚了。
it_is_early | 还早。
it_is_warm | 天气很暖和。
it_is_cold | 天气很冷。
let_us_go | 我们走吧！
I_am_coming | 我来了！
I_am_busy | 我很忙。
I_have_a_headache | 我头疼。
are_you_ready | 你准备好了吗？
all_right | 好吧！
I_believe_so | 我想是的。
I_hope_so | 但愿如此。
who_is_there | 谁在那儿？
leave_me_alone | 别烦我！
what_do_you_think | 你怎么看？
give_me_that_please | 请把那个给我！
do_not_worry | 别担心！
I_miss_you | 我想你。
"""

_MEASURE_AND_WORD = read_forms(NOUNS, _NOUNS)
_FORMS = read_forms(VERBS, _VERBS)
_ADJECTIVE = read_forms(concepts.ADJECTIVES, _ADJECTIVES)
_NAME = read_phrases(NAMES, _NAMES)
_TIME = {"": "", "when": "什么时候", **read_phrases(TIMES, _TIMES)}
_PLACE = read_forms(concepts.PLACES, _PLACES) | {"where": ["哪里", ""], "": ["", ""]}
_MANNER = {"": "", **read_phrases(concepts.MANNERS, _MANNERS)}
_ADVERB = {"": "", **read_phrases(concepts.ADVERBS, _ADVERBS)}
_LINK = {"": "", **read_phrases(concepts.LINKS, _LINKS)}

_NUMBERS = {
    "a": "一", "two": "两", "three": "三", "four": "四", "five": "五", "six": "六", "seven": "七",
    "eight": "八", "nine": "九", "ten": "十", "eleven": "十一", "twelve": "十二",
    "twenty": "二十", "the": "那", "this": "这", "every": "每", "how_many": "几",
}  # fmt: skip
_PRONOUNS = {"I": "我", "he": "他", "she": "她", "we": "我们", "they": "他们", "it": "",
             "this": "这", "who": "谁", "whom": "谁", "what": "什么"}  # fmt: skip
_YOU = {"": "你", "plural": "你们", "formal": "您"}
_MODALS = {"can": "能", "must": "必须", "want": "想", "may": "可以", "should": "应该",
           "would_like": "想要", "like_to": "喜欢"}  # fmt: skip
# Verbs that depend on what is played or worn.
_PLAYED = {
    "football": "踢", "tennis": "打", "basketball": "打", "volleyball": "打", "chess": "下",
    "piano": "弹", "guitar": "弹", "violin": "拉", "flute": "吹", "trumpet": "吹", "drum": "打",
}  # fmt: skip
_WORN_ON_TOP = {"hat", "scarf", "glove", "cap", "tie"}


# ---------------------------------------------------------------------------- features


def _owner(noun: str) -> str:
    """The possessive of a subject that is a single person."""
    sex = NAMES.get(noun) or SEX.get(NOUNS.get(noun, ""), "")
    owners = {"he": "他", "she": "她", "they": "他们"}
    return owners.get(noun) or {"male": "他", "female": "她"}.get(sex, "他们")


def _possessive(owner: str, det: str) -> str:
    return "他们" if DETERMINERS.get(det) == "plural" else owner


def _kind(verb: str) -> str:
    return _FORMS[verb][0] if verb else ""


def _earlier(tense: str, kind: str, modal: str, past_time: str) -> str:
    """Whether the past needs a word of its own."""
    state = kind != "v" or modal
    return "以前" if tense == "past" and state and not past_time else ""


def _special(object: str, verb_of: str) -> str:
    """The verb that goes with what is played or worn."""
    if verb_of == "play":
        return _PLAYED.get(object, "")
    return "戴" if verb_of == "wear" and object in _WORN_ON_TOP else ""


# ---------------------------------------------------------------------------- noun phrases


def _determiner(det: str, measure: str, possessive: str, address: str) -> str:
    several = "那些" if det.endswith("_plural") and det != "the_plural" else ""
    det = det.removesuffix("_plural") if several else det
    if det in {"", "some", "plural"}:
        return ""
    if det in {"many", "these", "the_plural"}:
        return {"many": "很多", "these": "这些", "the_plural": "那些"}[det]
    if det in _NUMBERS:
        return _NUMBERS[det] + measure
    whose = {"my": "我", "your": _YOU[address], "our": "我们", "own": possessive}[det]
    return f"{whose}的{several}"


def _noun(noun: str, address: str) -> str:
    if noun == "you":
        return _YOU[address]
    if noun in NOUNS:
        return _MEASURE_AND_WORD[noun][1]
    return _NAME.get(noun) or _PRONOUNS.get(noun, "")


def _attribute(adj: str) -> str:
    return _ADJECTIVE[adj][0] if adj else ""


# ---------------------------------------------------------------------------- verbs


def _negation(neg: str, never: str, tense: str, kind: str, modal: str) -> str:
    if not (neg or never):
        return ""
    if kind == "h" and not modal and tense != "future":
        return "没"
    return "没" if tense == "past" and kind == "v" and not modal else "不"


def _modal(modal: str, tense: str, neg: str) -> str:
    if modal:
        return "必" if modal == "must" and neg else _MODALS[modal]
    return "会" if tense == "future" else ""


def _verb(verb: str, special: str, to: str, predicate: str) -> str:
    """The verb; "" where a place or an adjective is the predicate."""
    _, form, toward = _FORMS[verb]
    if verb == "be":
        return "" if predicate else "是"
    return special or (toward if to else form)


def _done(tense: str, kind: str, modal: str, neg: str, never: str) -> str:
    """The mark of what has happened."""
    past = tense == "past" and kind == "v"
    return "了" if past and not (modal or neg or never) else ""


def _very(kind: str, neg: str, never: str, modal: str) -> str:
    return "很" if kind == "a" and not (neg or never or modal) else ""


def _predicate(oadj: str, compare: str, predicative: str, neg: str) -> str:
    if not predicative or not oadj:
        return ""
    _, bare, predicate = _ADJECTIVE[oadj]
    if compare:
        return bare if compare == "more" else f"{'不' if neg else ''}一样{bare}"
    if predicate:
        return predicate
    return bare if neg else f"很{bare}"


def _compare(compare: str) -> str:
    return {"": "", "more": "比", "as": "和"}[compare]


# ---------------------------------------------------------------------------- sentences

_SUBJECT = ["determiner", "adjective", "noun", "partner"]
_VERB = ["negation", "modal", "place_at", "manner", "very", "verb", "done", "destination"]
_OBJECT = ["rdeterminer", "recipient", "compare", "odeterminer", "oadjective", "object"]


def _order(shape: Shape) -> list[str]:
    """When, where and how come before the verb; what describes a noun comes before it."""
    if shape.kind in {"command", "request"}:
        please = ["please"] if shape.kind == "request" else []
        rest = [name for name in _VERB if name not in {"negation", "modal", "done"}]
        return [*please, "time", "do not", *rest, *_OBJECT]
    clause = [*_SUBJECT, "earlier", "time", "why", "adverb", *_VERB, *_OBJECT, "predicate"]
    if shape.topic in {"time", "place"}:
        front = {"time": "time", "place": "place_at"}[shape.topic]
        clause.remove(front)
        clause.insert(0, front)
    if shape.kind == "yes_no":
        return [*clause, "ma"]
    if not shape.link:
        return clause
    second = [*_SUBJECT, "earlier", "adverb", *_VERB, *_OBJECT, "predicate"]
    if shape.link == "if":
        return ["link2", *(name + "2" for name in second), "comma", *clause]
    if shape.link == "who":
        place = clause.index("odeterminer")
        inner = [name + "2" for name in second if name not in _SUBJECT]
        return [*clause[:place], *inner, "link2", *clause[place:]]
    return [*clause, "link2", *(name + "2" for name in second)]


LANGUAGE = Language(
    features={
        "front": part(
            lambda topic, link: "" if topic not in {"time", "place"} or link == "if" else topic,
            *("topic", "link"),
        ),
        "measure": part(lambda noun: _MEASURE_AND_WORD.get(noun, [""])[0], "noun"),
        "omeasure": part(lambda object: _MEASURE_AND_WORD.get(object, [""])[0], "object"),
        "rmeasure": part(lambda recipient: _MEASURE_AND_WORD.get(recipient, [""])[0], "recipient"),
        "owner": part(_owner),
        "possessive": part(_possessive),
        "action": part(_kind, "verb"),
        "past_time": part(lambda time: "yes" if TIMES.get(time) == "past" else "", "time"),
        "earlier": part(_earlier, "tense", "action", "modal", "past_time"),
        "never": part(lambda adverb: "yes" if adverb == "never" else "", "adverb"),
        "verb_of": part(
            lambda verb: {"play": "play", "play_music": "play", "wear": "wear"}.get(verb, ""),
            "verb",
        ),
        "special": part(_special),
        "leads": part(lambda verb: "yes" if verb and VERBS[verb].place == "to" else "", "verb"),
        "to": part(lambda leads, place: "yes" if leads and place else "", "leads", "place"),
        "predicative": part(
            lambda object, compare: "yes" if compare or not object else "", "object", "compare"
        ),
        "predicate": part(_predicate),
        "destination": part(lambda to, place: _PLACE[place][0] if to else "", "to", "place"),
        "located": part(
            lambda leads, place: "在" + "".join(_PLACE[place]) if place and not leads else "",
            *("leads", "place"),
        ),
        "is_place": part(
            lambda verb, place: "yes" if verb == "be" and place else "", "verb", "place"
        ),
        "place_at": part(
            lambda located, is_place: "" if is_place else located, "located", "is_place"
        ),
        "place_is": part(
            lambda located, is_place: located if is_place else "", "located", "is_place"
        ),
        "adjectival": part(
            lambda predicate, is_place: "yes" if predicate or is_place else "",
            *("predicate", "is_place"),
        ),
        "negation": part(_negation, "neg", "never", "tense", "action", "modal"),
        "compared": part(lambda compare: "as" if compare == "as" else "", "compare"),
    },
    parts={
        "determiner": part(_determiner, "det", "measure", "possessive", "address"),
        "adjective": part(_attribute, "adj"),
        "noun": part(_noun),
        "partner": part(lambda partner: f"和{_NAME[partner]}" if partner else "", "partner"),
        "time": part(_TIME, "time"),
        "why": part(lambda kind: "为什么" if kind == "why" else "", "kind"),
        "earlier": same("earlier"),
        "adverb": part(_ADVERB, "adverb"),
        "place_at": same("place_at"),
        "manner": part(_MANNER, "manner"),
        "negation": part(
            lambda negation, compared: "" if compared else negation, "negation", "compared"
        ),
        "modal": part(_modal),
        "very": part(_very, "action", "neg", "never", "modal"),
        "verb": part(
            lambda verb, special, to, adjectival, place_is: (
                _verb(verb, special, to, adjectival) + place_is
            ),
            *("verb", "special", "to", "adjectival", "place_is"),
        ),
        "done": part(_done, "tense", "action", "modal", "neg", "never"),
        "destination": same("destination"),
        "rdeterminer": part(_determiner, "rdet", "rmeasure", "possessive", "address"),
        "recipient": part(_noun, "recipient", "address"),
        "compare": part(_compare),
        "odeterminer": part(_determiner, "odet", "omeasure", "possessive", "address"),
        "oadjective": part(
            lambda oadj, predicative: "" if predicative else _attribute(oadj), "oadj", "predicative"
        ),
        "object": part(_noun, "object", "address"),
        "predicate": same("predicate"),
        "do not": part(lambda neg: "不要" if neg else "", "neg"),
        "please": part(lambda: "请"),
        "ma": part(lambda: "吗"),
        "link": part(_LINK, "link"),
        "comma": part(lambda: "，"),
    },
    order=_order,
    phrases=read_phrases(concepts.PHRASES, _PHRASES),
    names=_NAME,
    blank="",
    comma="，",
    marks=("。", "？", "！"),
)
