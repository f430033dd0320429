import json
import math
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
import tyro
from conftest import flat_config
from hypothesis import given
from hypothesis import strategies as st

from agents.algorithms.baselines import advantages
from agents.algorithms.presets import ALGORITHMS
from agents.algorithms.settings import policy_class
from agents.config import AlgorithmConfig, Config, DataConfig, RunConfig, Scope, refuse_unused
from agents.distributions import DISTRIBUTIONS
from agents.llmar import LLMAR
from agents.names import ALGORITHM_NAMES, DISTRIBUTIONS_OF
from agents.policies import GRUPolicy

OPTIONS = {
    one.name: (group, one, get_type_hints(type(getattr(Config(), group)))[one.name])
    for group in (each.name for each in fields(Config))
    for one in fields(getattr(Config(), group))
}
# Written down a second time: lowest value, whether it is accepted itself, and what is too high.
RANGES = {
    **dict.fromkeys(("num_texts", "group_size", "num_vectors", "dim"), (1, True, math.inf)),
    **dict.fromkeys(("hidden_dim", "max_length", "top_k", "pool", "seeds"), (1, True, math.inf)),
    "max_new_tokens": (1, True, 2**16),
    **dict.fromkeys(("patience", "total_steps"), (1, True, math.inf)),
    **dict.fromkeys(("time_limit", "learning_rate", "noise_scale"), (0, False, math.inf)),
    **dict.fromkeys(("warm_epochs", "warm_seconds"), (0, False, math.inf)),
    **dict.fromkeys(("ce_weight", "kl_weight", "entropy"), (0, True, math.inf)),
    **dict.fromkeys(("smoothing", "dropout"), (0, True, 1)),
    **dict.fromkeys(("seed", "vectors_seed"), (0, True, 2**32)),
}
VECTORS = {"observation", "num_vectors", "pool", "target_vectors", "distribution", "noise_scale"}
RETRIEVAL = {"documents", "queries", "feedback", "top_k", "warm_start", "click_log"}
WRITERS = {"max_new_tokens", "warm_epochs", "warm_seconds", "patience", "smoothing"}
WRITERS |= {"dropout", "learn_vectors", "ce_weight", "entropy", "kl_weight", "precision"}
# One more value of each option that is not for every training.
OTHERS = {
    "observation": "embeddings",
    "num_vectors": 2,
    "pool": 100,
    "distribution": "gaussian",
    "noise_scale": 0.7,
    "baseline": "mean",
    "source_column": "text",
    "target_column": "answer",
    "on_bad_row": "skip",
    "format": "tsv",
    "source_vectors": Path("a.npz"),
    "target_vectors": Path("b.npz"),
    "documents": Path("corpus.jsonl"),
    "queries": Path("queries.jsonl"),
    "source_embedder": "word2vec",
    "target_embedder": "word2vec",
    "feedback": "clicks",
    "top_k": 5,
    "warm_start": "supervised",
    "click_log": Path("clicks.tsv"),
    "max_new_tokens": 7,
    "warm_epochs": 0.5,
    "warm_seconds": 3.0,
    "patience": None,
    "smoothing": 0.3,
    "learn_vectors": False,
    "dropout": 0.0,
    "ce_weight": 0.9,
    "entropy": 0.01,
    "kl_weight": 0.1,
    "precision": "float32",
}


def values_of(name):
    """What an option accepts, by its type and by RANGES."""
    hint = OPTIONS[name][2]
    if name == "settings":
        plain = st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=4,
        )
        return st.dictionaries(st.text(min_size=1), plain, max_size=3).map(lambda d: (*d.items(),))
    if name == "device":
        return st.sampled_from(["auto", "cpu", "cuda", "cuda:1"])
    if name == "name":
        return st.none() | st.text("ab. -ä", min_size=3)
    kinds = {
        str: st.text(),
        bool: st.booleans(),
        Path: st.text("abc/.", min_size=1).map(Path),
        type(None): st.none(),
    }
    low, with_low, below = RANGES.get(name, (0, True, math.inf))
    top = {"max_value": below, "exclude_max": True} if below < math.inf else {}
    kinds[int] = st.integers(low, None if below == math.inf else below - 1)
    kinds[float] = st.floats(low, exclude_min=not with_low, allow_infinity=False, **top)
    kinds |= {one: st.just(one) for one in get_args(hint) if isinstance(one, str)}
    parts = [part for one in get_args(hint) or (hint,) for part in get_args(one) or (one,)]
    return st.one_of(*(kinds.get(one, st.just(one)) for one in parts))


@given(st.fixed_dictionaries({name: values_of(name) for name in OPTIONS}))
def test_any_configuration_comes_back_from_json(options):
    config = flat_config(**options)
    data = json.loads(json.dumps(config.as_json()))
    assert Config.from_json(data) == config
    for name, (group, *_) in OPTIONS.items():
        if name != "settings":
            assert getattr(getattr(config, group), name) == options[name]
    assert dict(config.algorithm.settings) == dict(options["settings"])


def test_names_are_unique_and_the_json_is_flat_in_their_order():
    names = [one.name for each in fields(Config) for one in fields(getattr(Config(), each.name))]
    assert len(set(names)) == len(names)
    assert list(Config().as_json()) == names


def test_configurations_cannot_be_changed():
    for group in fields(Config):
        options = getattr(Config(), group.name)
        with pytest.raises(AttributeError):
            setattr(options, fields(options)[0].name, None)


@pytest.mark.parametrize("change", [{"algos": "ppo"}, {"spread": 0.1}])
def test_json_with_an_option_that_there_is_not(change):
    with pytest.raises(
        ValueError, match=f"unknown option in the configuration: {next(iter(change))}"
    ):
        Config.from_json(Config().as_json() | change)


def test_json_that_lacks_an_option():
    data = Config().as_json()
    del data["dim"], data["seed"]
    with pytest.raises(ValueError, match="the configuration lacks dim"):
        Config.from_json(data)


@pytest.mark.parametrize("name", RANGES)
def test_numbers_out_of_range_are_refused_by_name(name):
    low, with_low, below = RANGES[name]
    make = type(getattr(Config(), OPTIONS[name][0]))
    wrong = [low - 1, -math.inf, math.inf, math.nan, *([] if with_low else [low])]
    for value in wrong if below == math.inf else [*wrong, below, below + 1]:
        with pytest.raises(ValueError, match=f"{name} must .* found {value}"):
            make(**{name: value})
    right = [low] if with_low else [math.nextafter(low, 1)]
    whole = int in {OPTIONS[name][-1], *get_args(OPTIONS[name][-1])}
    top = below - 1 if whole else math.nextafter(below, 0)
    right += [1e12] if below == math.inf else [top]
    for value in right:
        assert getattr(make(**{name: value}), name) == value


def test_every_number_has_a_range():
    numbers = {
        name for name, (*_, hint) in OPTIONS.items() if {int, float} & {hint, *get_args(hint)}
    }
    assert numbers == set(RANGES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_dim": "8"}, "hidden_dim must be an integer or none, found '8'"),
        ({"hidden_dim": 2.5}, "hidden_dim must be an integer or none, found 2.5"),
        ({"num_texts": True}, "num_texts must be an integer or none, found True"),
        ({"seed": None}, "seed must be an integer, found None"),
        ({"dropout": "0.1"}, "dropout must be a number, found '0.1'"),
        ({"supervised": 1}, "supervised must be true or false, found 1"),
        ({"supervised": "no"}, "supervised must be true or false, found 'no'"),
        ({"data": ["a.tsv"]}, r"data must be a string or none, found \['a.tsv'\]"),
        ({"runs": 3}, "runs must be a path, found 3"),
        ({"on_bad_row": "ignore"}, "on_bad_row must be 'error' or 'skip', found 'ignore'"),
        ({"distribution": "cauchy"}, "distribution must be 'gaussian' or .* or none"),
        ({"settings": "n_steps=4"}, "settings must be pairs of a name and a value"),
        ({"settings": [("n_steps", 4, 5)]}, "settings must be pairs of a name and a value"),
        ({"settings": {3: 4}}, "settings must be a list of pairs of a string and"),
        (
            {"settings": {"gamma": math}},
            "settings cannot be used: a setting must be plain JSON data",
        ),
        ({"device": "gpu"}, "device must be auto, cpu, cuda, or cuda:1 and so on, found 'gpu'"),
    ],
)
def test_an_option_of_a_wrong_type_is_refused_by_name(options, message):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=message):
        type(getattr(Config(), OPTIONS[name][0]))(**{name: value})


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("data", Path("a.tsv"), "a.tsv"),
        ("valid", "b.tsv", Path("b.tsv")),
        ("runs", "here", Path("here")),
        ("name", Path("one"), "one"),
        ("hidden_dim", np.int64(8), 8),
        ("hidden_dim", 8.0, 8),
        ("total_steps", np.float32(64), 64.0),
        ("settings", {"net": [1, 2]}, (("net", [1, 2]),)),
        ("settings", [["net", (1, 2)]], (("net", [1, 2]),)),
    ],
)
def test_an_option_in_another_form_is_brought_into_its_own(name, given, kept):
    found = getattr(type(getattr(Config(), OPTIONS[name][0]))(**{name: given}), name)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize("name", ["../esc", "a/b", "/tmp", ".", "..", "", "a/", "a\0"])
def test_the_folder_of_a_run_lies_in_its_folder(name):
    with pytest.raises(ValueError, match="name must be the name of a folder, not a path"):
        RunConfig(name=name)


def test_equal_configurations_have_equal_hashes():
    first, second = (flat_config(settings={"policy.net_arch": [4, {"a": 1}]}) for _ in range(2))
    assert hash(first) == hash(second)
    assert {first: 1}[second] == 1


def test_options_with_a_scope():
    scoped = {name for name, (_, one, _) in OPTIONS.items() if one.metadata.get("scope")}
    assert scoped == set(OTHERS)
    refuse_unused(Config(), set())  # by default nothing is refused


@pytest.mark.parametrize("name", OTHERS)
def test_options_that_nothing_would_read_are_refused_by_name(name):
    config = flat_config(**{name: OTHERS[name]})
    scope = OPTIONS[name][1].metadata["scope"]
    message = f"{name} is a setting of {scope}; leave it out here, found {OTHERS[name]!r}"
    for scopes in (set(), set(Scope) - {scope}):
        with pytest.raises(ValueError, match=re.escape(message)):
            refuse_unused(config, scopes)
    refuse_unused(config, {scope})


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("algo", ["writer", *ALGORITHMS])
def test_what_each_training_refuses(algo, name):
    if algo in {"trpo", "recurrent_ppo", "tqc", "crossq", "ars"}:
        pytest.importorskip("sb3_contrib", reason='needs the extra "contrib"')
    if algo == "writer":
        given, unused = {"env": "LLMAR/Generate-v0"}, VECTORS | RETRIEVAL
    else:
        given, unused = {"algo": algo}, WRITERS | RETRIEVAL
        if algo not in {"reinforce", "ppo", "a2c", "trpo"}:
            unused |= {"distribution", "noise_scale"}
        if algo != "reinforce":
            unused |= {"baseline"}
    if name.endswith("_vectors"):
        given["data"] = "x.tsv"
    config = flat_config(**given, device="cpu", **{name: OTHERS[name]})
    if name in unused:
        with pytest.raises(ValueError, match=f"^{name} is a setting of .* leave it out here"):
            LLMAR(config)
    else:
        assert LLMAR(config).config.as_json()[name] == config.as_json()[name]


def test_choices_are_those_of_what_they_choose():
    choices = {name: hint for name, (*_, hint) in OPTIONS.items()}
    returns = torch.tensor([[1.0, 2.0, 4.0]])
    (baselines, _) = get_args(choices["baseline"])
    found = {tuple(advantages(returns, name)[0].tolist()) for name in get_args(baselines)}
    assert len(found) == 4
    (distributions, _) = get_args(choices["distribution"])
    assert get_args(distributions) == tuple(DISTRIBUTIONS)
    assert tuple(ALGORITHMS) == ALGORITHM_NAMES


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_algorithms_that_answer_with_a_direction(name):
    if name in {"trpo", "recurrent_ppo", "tqc", "crossq", "ars"}:
        pytest.importorskip("sb3_contrib", reason='needs the extra "contrib"')
    algorithm = ALGORITHMS[name]
    assert issubclass(policy_class(algorithm), GRUPolicy) == (name in DISTRIBUTIONS_OF)
    if name in DISTRIBUTIONS_OF:
        assert algorithm.distributions == DISTRIBUTIONS_OF[name]


def test_flags_are_flat_and_go_to_their_groups():
    arguments = ["--data", "a.tsv", "--test", "b.tsv", "--algo", "ppo", "--set", "n_steps=4"]
    arguments += ["--set", "policy.net_arch=[8, 8]", "--no-supervised", "--seed", "3"]
    assert tyro.cli(Config, args=arguments) == Config(
        data=DataConfig(data="a.tsv", test=Path("b.tsv")),
        algorithm=AlgorithmConfig(
            algo="ppo", settings=(("n_steps", 4), ("policy.net_arch", [8, 8]))
        ),
        run=RunConfig(supervised=False, seed=3),
    )


def test_the_command_line_says_which_number_is_out_of_range(capsys):
    with pytest.raises(SystemExit):
        tyro.cli(Config, args=["--dropout", "1.5"])
    assert "dropout must lie in [0, 1), found 1.5" in capsys.readouterr().err


def test_reading_options_loads_nothing_heavy():
    program = (
        "import sys, agents.config\n"
        "heavy = {'torch', 'numpy', 'gymnasium', 'stable_baselines3', 'gensim'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
