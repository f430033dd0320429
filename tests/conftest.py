import json
import os
from pathlib import Path

# The tests' tensors are tiny: a second thread costs more than it brings. Read when torch loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium
import hypothesis
import numpy as np
import pytest

from agents.config import Config
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.embedders import WordVectorsConfig
from llmar_env.text.pairs import TextPairs
from llmar_env.text.phrasebook import Phrasebook
from llmar_env.text.vocabulary import Vocabulary

MULTI30K = Path(__file__).resolve().parents[2] / "shared" / "data" / "multi30k-de-en"

# Each worker imports torch and makes the shared fixtures anew.
MAX_WORKERS = 8

SOURCE_WORDS = ["ein", "kleiner", "roter", "Hund", "Ball", "springt", "nie", "weit"]
TARGET_WORDS = ["a", "small", "red", "dog", "ball", "jumps", "never"]
SOURCE_DIM, TARGET_DIM = 6, 4
SPLITS = {"train": range(24), "valid": range(24, 30), "test": range(30, 36)}


def flat_config(**options):
    """A configuration of options by name, whatever their group."""
    return Config.from_json(Config().as_json() | options)


# How long an example takes is no matter of the tests, least of all beside other workers.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """A worker for each core for the whole suite; tests that are named run in this process."""
    if config.args_source == pytest.Config.ArgsSource.ARGS:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores, MAX_WORKERS) if cores > 1 else 0


def pytest_report_header():
    return f"gymnasium: {gymnasium.__version__}"


def pytest_collection_modifyitems(items):
    skips = []
    if any(item.get_closest_marker("gpu") for item in items):
        import torch

        if not torch.cuda.is_available():
            skips.append(("gpu", "needs a CUDA device"))
    if not MULTI30K.is_dir():
        skips.append(("realdata", f"needs the data in {MULTI30K}"))
    for item in items:
        for name, reason in skips:
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def float32_products(request):
    """On a GPU, results are compared with those of the CPU: products must not be rounded to TF32.

    cuDNN's GRU rounds them by default, by up to one part in 2,048.
    """
    if not request.node.get_closest_marker("gpu"):
        yield
        return
    import torch

    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
    torch.set_float32_matmul_precision(precision)


@pytest.fixture(scope="session")
def multi30k():
    """The folder of the real German-English pairs; for tests marked `realdata`."""
    return MULTI30K


@pytest.fixture(scope="session")
def corpus():
    """36 pairs of 1 to 5 words; sources of dimension 6, targets of dimension 4."""
    rng = np.random.default_rng(20)
    n = SPLITS["test"].stop

    def side(words, dim):
        table = rng.standard_normal((len(words), dim)).astype(np.float32)
        # Lengths that take turns, so that the longest and the shortest are in every split.
        texts = [rng.integers(len(words), size=1 + i % 5).tolist() for i in range(n)]
        strings = [" ".join(words[word] for word in text) for text in texts]
        return EmbeddedTexts.from_ids(table, texts), strings

    source, sources = side(SOURCE_WORDS, SOURCE_DIM)
    target, targets = side(TARGET_WORDS, TARGET_DIM)
    return Corpus(source, target, SPLITS, sources, targets)


@pytest.fixture(scope="session")
def words():
    """45 pairs of real words, German and English, with word vectors of dimension 16."""
    nouns = {"Hund": "dog", "Vogel": "bird", "Ball": "ball", "Fisch": "fish", "Baum": "tree"}
    adjectives = {"kleiner": "small", "roter": "red", "alter": "old"}
    verbs = {"springt nie.": "never jumps.", "schläft, Anna!": "sleeps, Anna!", "lacht": "laughs"}
    pairs = [
        (f"Ein {adjective} {noun} {verb}", f"A {adjectives[adjective]} {nouns[noun]} {verbs[verb]}")
        for noun in nouns
        for adjective in adjectives
        for verb in verbs
    ]
    np.random.default_rng(3).shuffle(pairs)
    ends = {"train": (0, 33), "valid": (33, 39), "test": (39, 45)}
    splits = {name: TextPairs(*zip(*pairs[a:b], strict=True)) for name, (a, b) in ends.items()}
    return Corpus.embed(splits, word_vectors=WordVectorsConfig(dim=16, vocab_size=400, epochs=2))


@pytest.fixture(scope="session")
def writer_weights(words):
    """Of a `WriterPolicy` with `Seq2SeqConfig(16, 24)` that has learned to write, with mistakes."""
    import torch

    from agents.networks.seq2seq import Seq2SeqConfig
    from agents.policies.writer import WriterPolicy
    from agents.training.cross_entropy import TargetTexts
    from llmar_env.envs.generate import GenerateMDP

    torch.manual_seed(0)
    mdp = GenerateMDP(words, observation="index")
    policy = WriterPolicy(
        mdp.observation_space,
        mdp.action_space,
        lambda _: 1e-2,
        writer=Seq2SeqConfig(16, 24),
        low_precision=False,
    )
    texts = TargetTexts(words, policy.vocabulary)
    for _ in range(60):
        losses, misaligned = texts.loss(policy, np.arange(33), 0.1)
        policy.optimizer.zero_grad()
        (losses.mean() + misaligned.mean()).backward()
        policy.optimizer.step()
    return policy.state_dict()


@pytest.fixture(scope="session")
def sentences(tmp_path_factory):
    """A folder of train.tsv, val.tsv and test.tsv, with some sentences of the phrasebook."""
    folder = tmp_path_factory.mktemp("sentences")
    book = Phrasebook.from_name("phrasebook:de-en")
    for split, stem, size in (("train", "train", 300), ("valid", "val", 50), ("test", "test", 50)):
        pairs = list(zip(*book.sentences(split), strict=True))[:size]
        lines = ["source\ttarget", *("\t".join(pair) for pair in pairs)]
        (folder / f"{stem}.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture
def axes():
    """8 texts of the words x, y and z, whose vectors are the axes, and a vocabulary of them.

    It needs no strings, so hand calculation is all there is.
    """
    table = np.eye(3, dtype=np.float32)
    texts = EmbeddedTexts.from_ids(
        table, [[0, 1], [2], [0, 0, 1], [1], [0, 1, 2], [2, 2], [0], [1, 2]]
    )
    corpus = Corpus(texts, texts, {"train": range(6), "test": range(6, 8)})
    return corpus, Vocabulary(table, np.arange(3), None)


THINGS = "apple boat chair door engine flower garden house island jacket"
VERBS = "see find lose buy sell make paint carry hide want need like hold keep"


@pytest.fixture(scope="session")
def beir_folder(tmp_path_factory):
    """A collection of the BEIR layout, of sentences about ten things."""
    path = tmp_path_factory.mktemp("beir")
    things, verbs = THINGS.split(), VERBS.split()
    documents = [(f"d{i}", f"We {verbs[i % 7]} the {thing}.") for i, thing in enumerate(things * 2)]
    asked = [(v, t) for v in verbs for t in things]
    queries = [(f"q{i}", f"Did you {v} my {t}?") for i, (v, t) in enumerate(asked)]
    for name, rows in (("corpus", documents), ("queries", queries)):
        lines = [json.dumps({"_id": key, "text": text}) for key, text in rows]
        (path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (path / "qrels").mkdir()
    for split, first, last in (("train", 0, 90), ("val", 90, 110), ("test", 110, 140)):
        lines = ["query-id\tcorpus-id\tscore"]
        for i in range(first, last):
            place = things.index(asked[i][1])
            lines += [f"q{i}\td{place}\t2", f"q{i}\td{place + 10}\t1"]
        (path / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return path
