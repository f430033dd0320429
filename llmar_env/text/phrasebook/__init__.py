"""The built-in corpus: a grammar that says the same in German, English, French and Chinese.

A sentence renders a *meaning*, a tuple of integers. Modules: `concepts` lists what there is to say
and `meaning` what can be said of it; each module of `languages` has the words and the grammar of
one language, made with the tools of `grammar`; `sentences` puts them together. Word vectors
and token ids ship with each language: `shipped` reads what `make_vectors` made.
"""

from llmar_env.text.phrasebook.languages import LANGUAGES
from llmar_env.text.phrasebook.meaning import SIZES, Meaning, count, meanings
from llmar_env.text.phrasebook.sentences import Phrasebook, Sentences, parse, render

__all__ = [
    "LANGUAGES",
    "SIZES",
    "Meaning",
    "Phrasebook",
    "Sentences",
    "count",
    "meanings",
    "parse",
    "render",
]
