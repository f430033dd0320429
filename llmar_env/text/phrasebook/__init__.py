"""The built-in corpus: a grammar that says the same in German, English, French and Chinese.

A sentence renders a *meaning*. Modules: `concepts` lists what there is to say, `meaning` what a
sentence can say of it, `sense` what goes together, and `draw` what people say how often; each
module of `languages` has the words and the grammar of one language, made with the tools of
`grammar` and `tables`; `parsing` reads sentences, and `sentences` puts all together. Word vectors
and token ids ship with each language: `shipped` reads what `make_vectors` made.
"""

from llmar_env.text.phrasebook.draw import SIZES, SPLITTINGS, meanings
from llmar_env.text.phrasebook.languages import LANGUAGES
from llmar_env.text.phrasebook.meaning import Meaning, content
from llmar_env.text.phrasebook.sentences import Phrasebook, Sentences, parse, readings, render

__all__ = [
    "LANGUAGES",
    "SIZES",
    "SPLITTINGS",
    "Meaning",
    "Phrasebook",
    "Sentences",
    "content",
    "meanings",
    "parse",
    "readings",
    "render",
]
