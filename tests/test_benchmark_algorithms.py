import itertools
import json
import math
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tyro

pytest.importorskip(
    "rliable", reason='needs rliable, of the extra "benchmark"', exc_type=ImportError
)

import algorithm_page
import algorithms
from algorithm_results import (
    Job,
    Run,
    append_run,
    curves,
    estimate,
    improvement,
    interquartile_mean,
    overcome,
    reached,
    read_runs,
    succeeded,
)
from algorithms import Options
from rliable.metrics import aggregate_iqm, probability_of_improvement

from agents import Config
from agents.trainers.data import load_corpus
from agents.training.validation import Record
from llmar_env.metrics import Scores

WHERE = {"cpu": "abacus", "cores": 2, "workers": 1, "versions": {"torch": "2"}}
WHERE |= {"commit": "c0ffee", "date": "2026-01-02"}
JOB = Job("reinforce", "echo", "texts", 0, 10.0, {"n_steps": 1})


def fake(alignment, *, algorithm="reinforce", task="echo", seed=0, rate=1000):
    """A run of 10 s with validations at equal distances, against a constant answer of 0.1."""
    seconds = np.linspace(0, 10, len(alignment)).tolist()
    curve = {"seconds": seconds, "steps": [int(rate * one) for one in seconds]}
    curve |= {"alignment": alignment, "p_at_1": alignment}
    constant = {"alignment": 0.1, "p_at_1": 0.0}
    trained = {"alignment": alignment[-1], "p_at_1": alignment[-1] / 2}
    scores = {"constant": constant, "trained": trained}
    return Run(Job(algorithm, task, "texts", seed, 10.0), WHERE, curve, scores, scores)


# ---------------------------------------------------------------------------- statistics


def test_the_mean_of_the_middle_half_is_that_of_rliable():
    # A quarter of 5 is 1 run, cut off at either end.
    scores = np.array([[6.0, 0], [0, 0], [2, 3], [100, 0], [1, 0]])
    np.testing.assert_allclose(interquartile_mean(scores), [3.0, 0.0])
    scores = np.random.default_rng(0).normal(size=(8, 4))
    expected = [aggregate_iqm(column[:, None]) for column in scores.T]
    np.testing.assert_allclose(interquartile_mean(scores), expected)


def test_the_interval_of_two_runs_is_the_runs():
    # Half of all resamples hold one of the two alone, far more than 2.5 % at either end.
    found = estimate(np.array([[0.2, 1.0], [0.6, 1.0]]))
    np.testing.assert_allclose([found.low, found.value, found.high], [[0.2, 1], [0.4, 1], [0.6, 1]])
    assert str(found) == "1.000 [1.000, 1.000]"


def test_intervals_are_repeatable_and_leave_the_global_generator_alone():
    scores = np.random.default_rng(1).normal(size=(5, 3))
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - what rliable draws from
    first = estimate(scores)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    np.random.random()  # noqa: NPY002
    second = estimate(scores)
    np.testing.assert_array_equal(first.low, second.low)
    assert (scores.min(axis=0) <= first.low).all()
    assert (first.low < first.value).all()
    assert (first.value < first.high).all()


def test_improvement_counts_pairs_and_half_of_ties():
    # 1 > 0, 1 < 3, 3 > 0, 3 = 3
    found = improvement(np.array([1.0, 3.0]), np.array([0.0, 3.0]))
    assert found.value.tolist() == [2.5 / 4]
    ours, theirs = np.random.default_rng(2).integers(5, size=(2, 6)).astype(float)
    expected = probability_of_improvement(ours[:, None], theirs[:, None])
    np.testing.assert_allclose(improvement(ours, theirs).value, expected)


def test_curves_are_linear_between_validations_and_end_with_the_shortest_run():
    runs = [fake([0.0, 0.2, 0.4]), fake([0.2, 0.4, 0.8], rate=500)]
    np.testing.assert_allclose(
        curves(runs, "seconds", np.array([0.0, 2.5, 10.0])), [[0.0, 0.1, 0.4], [0.2, 0.3, 0.8]]
    )
    # Over steps: from 2,500, the second run's first after its beginning, to 5,000, its end.
    found = curves(runs, "steps", np.array([2499.0, 2500.0, 5000.0, 5001.0]))
    np.testing.assert_allclose(found, [[np.nan, 0.1, 0.2, np.nan], [np.nan, 0.4, 0.8, np.nan]])


@pytest.mark.parametrize(
    ("alignment", "first", "since"),
    [
        ([0.0, 0.6, 0.7, 0.8, 0.9], 2.5, 2.5),
        ([0.2, 0.3, 0.5, 0.4, 0.4], 5.0, 0.0),
        ([0.2, 0.6, 0.0, 0.2, 0.4], 2.5, 7.5),  # fell back once
        ([0.0, 0.6, 0.7, 0.8, 0.1], 2.5, math.inf),  # and in the end
        ([0.0, 0.0, 0.0, 0.0, 0.0], math.inf, math.inf),
    ],
)
def test_levels_are_reached_once_and_overcome_for_good(alignment, first, since):
    run = fake(alignment)
    assert (reached(run, "seconds", 0.5), overcome(run, "seconds")) == (first, since)
    assert (reached(run, "steps", 0.5), overcome(run, "steps")) == (1000 * first, 1000 * since)


# ---------------------------------------------------------------------------- checks


def test_every_run_has_to_beat_the_constant_answer():
    good, bad = fake([0.0, 0.2, 0.3]), fake([0.0, 0.2, 0.1], algorithm="ars")
    assert algorithm_page.check_constant({"reinforce": [good]}, 10.0).passed
    check = algorithm_page.check_constant({"reinforce": [good], "ars": [good, bad]}, 10.0)
    assert not check.passed
    assert check.facts == ["ars: 1 of 2 runs are not above it after 10 s"]
    failed = Run(JOB, WHERE, error="ValueError: no")
    assert not algorithm_page.check_constant({"reinforce": [good, failed]}, 10.0).passed


def test_the_lead_is_that_of_the_end_and_its_exceptions_are_told():
    runs = {"reinforce": [fake([0.0, 0.2, 0.9])], "ppo": [fake([0.0, 0.4, 0.8], algorithm="ppo")]}
    check = algorithm_page.check_lead({"echo": runs}, 10.0, "others")
    assert check.passed
    # The lines meet at 0.2 + 0.14 (t - 5) = 0.4 + 0.08 (t - 5), t = 8.33; points lie 1/6 s apart.
    assert check.facts[1:] == [
        "Echo, from 0.166667 to 8.33333 s: ppo ahead by up to 0.2000",
        "Echo, from 8.5 to 10 s: ahead",
    ]
    swapped = {"reinforce": runs["ppo"], "ppo": runs["reinforce"]}
    assert not algorithm_page.check_lead({"echo": swapped, "de-en": runs}, 10.0, "others").passed


def test_other_algorithms_and_other_baselines_are_told_apart():
    runs = {name: [fake([0.0])] for name in ("reinforce", "reinforce-mean", "ppo", "ppo-plain")}
    others = [list(algorithm_page._beside_ours(runs, baselines)) for baselines in (False, True)]
    assert others == [["reinforce", "ppo", "ppo-plain"], ["reinforce", "reinforce-mean"]]


def test_ppo_is_compared_whenever_steps_have_doubled():
    ppo = [fake([0.0, 0.25, 0.5, 0.75, 1.0], algorithm="ppo")]  # steps 0, 2500, ..., 10000
    plain = [fake([0.0, 0.3, 0.4, 0.5, 0.6], algorithm="ppo-plain", rate=900)]
    check = algorithm_page.check_plain({"echo": {"ppo": ppo, "ppo-plain": plain}})
    assert [fact.partition(":")[0] for fact in check.facts] == [
        f"Echo, at {steps} steps" for steps in ("4,096", "8,192", "9,000")
    ]
    assert check.passed
    plain = [fake([0.0, 0.45, 0.45, 0.5, 0.6], algorithm="ppo-plain", rate=900)]
    assert not algorithm_page.check_plain({"echo": {"ppo": ppo, "ppo-plain": plain}}).passed


def test_ppo_is_compared_at_the_most_steps_that_all_have_made():
    ppo = [fake([0.0, 0.5, 0.9], algorithm="ppo")]
    plain = [fake([0.0, 0.1, 0.6], algorithm="ppo-plain", rate=500)]
    check = algorithm_page.check_plain({"echo": {"ppo": ppo, "ppo-plain": plain}})
    assert not check.passed
    assert check.facts == [
        "Echo, at 5,000 steps: 0.500 [0.500, 0.500] against 0.600 [0.600, 0.600]"
    ]
    plain = [fake([0.0, 0.1, 0.5], algorithm="ppo-plain", rate=500)]
    assert algorithm_page.check_plain({"echo": {"ppo": ppo, "ppo-plain": plain}}).passed


# ---------------------------------------------------------------------------- what is run


def test_runs_survive_their_file(tmp_path):
    file = tmp_path / "new" / "runs.jsonl"
    runs = [fake([0.0, 0.5]), Run(JOB, WHERE, error="ValueError: no")]
    assert read_runs(file) == []
    for run in runs:
        append_run(file, run)
    assert read_runs(file) == runs
    file.write_text(file.read_text() + "{}\n")
    with pytest.raises(ValueError, match=r"runs\.jsonl, line 3 is not a run: 'job'"):
        read_runs(file)


def test_done_jobs_are_skipped_and_failed_ones_tried_again():
    run, failed = Run(JOB, WHERE), Run(replace(JOB, seed=1), WHERE, error="ValueError: no")
    others = [replace(JOB, **one) for one in ({"seconds": 20.0}, {"settings": {}}, {"data": "x"})]
    jobs = [JOB, failed.job, *others]
    assert algorithms.pending(jobs, [run, failed]) == [failed.job, *others]
    again = replace(failed, error=None)
    assert algorithms.pending(jobs, [failed, again, run]) == others


def test_a_success_outlives_failures_before_and_after():
    good, failed = Run(JOB, WHERE), Run(JOB, WHERE, error="ValueError: no")
    assert succeeded([failed, good, failed]) == ([good], [])
    assert succeeded([failed, failed]) == ([], [failed])


def test_seeds_are_outermost():
    jobs = algorithms.plan(Options(algos=("sac", "ppo"), seeds=2))
    order = itertools.product((0, 1), ("echo", "de-en"), ("sac", "ppo"))
    assert [(job.seed, job.task, job.algorithm) for job in jobs] == list(order)
    assert json.loads(json.dumps(jobs[0].settings)) == jobs[0].settings
    assert jobs[0].settings["settings"]["replay_buffer_class"] == "GroupedReplayBuffer"


def test_the_page_shows_current_settings_alone():
    options = Options(data=Path("texts"), seconds=10.0)
    run = Run(replace(JOB, settings=algorithms.settings_of("reinforce"), seed=7), WHERE)
    gone = replace(run, job=replace(run.job, algorithm="gone"))
    assert algorithms.current([Run(JOB, WHERE), run, gone], options) == [run]
    assert algorithms.current([run], replace(options, seconds=20.0)) == []
    assert algorithms.current([run], replace(options, data=Path("others"))) == []


@pytest.mark.parametrize("task", ["echo", "de-en"])
def test_the_commands_make_the_configurations_that_ran(task):
    options = Options(seconds=7.0)
    found = algorithms.commands(options)
    for name, own in algorithms.ROWS.items():
        if name == "ppo-plain":
            continue
        line = found.rows[task, name]
        for variable, value in found.shared.items():
            line = line.replace(f"${variable}", value)
        program, script, *arguments = shlex.split(line.replace("$DATA", str(options.data)))
        assert (program, script) == ("python", "train.py")
        config = algorithms.run_config(options.data, task, 7.0, own)
        assert tyro.cli(Config, args=arguments) == config
    line = found.rows[task, "ppo-plain"].replace("$DATA", str(options.data))
    program, script, *arguments = shlex.split(line)
    assert (program, script) == ("python", "benchmarks/algorithms.py")
    [job] = algorithms.plan(tyro.cli(Options, args=arguments))
    settings = algorithms.settings_of("ppo-plain")
    assert job == Job("ppo-plain", task, options.data.name, 0, options.seconds, settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algos": ("dqn",)}, r"no algorithm 'dqn'; there are reinforce, .*ppo-plain"),
        ({"seeds": 0}, "seeds must be above 0, found 0"),
    ],
)
def test_options_that_no_run_could_use_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)


# ---------------------------------------------------------------------------- end to end


@pytest.mark.slow
def test_a_page_of_fake_runs(tmp_path):
    commands = algorithms.commands(Options(seconds=10.0))
    runs = [
        fake([0.0, base + 0.01 * seed, 2 * base], algorithm=name, task=task, seed=seed)
        for task in ("echo", "de-en")
        for name, base in {"reinforce": 0.4, "ppo": 0.3, "ppo-plain": 0.2, "sac": 0.02}.items()
        for seed in range(3)
    ]
    runs[-1].curve["seconds"][-1] = 11.0
    runs.append(Run(Job("ars", "de-en", "texts", 0, 10.0), WHERE, error="ValueError: no such luck"))
    page = tmp_path / "page.md"
    algorithm_page.write_page(page, runs, commands)
    text = page.read_text("utf-8")
    assert "| **reinforce** | 3 | 0.800 [0.800, 0.800] | 0.400 [0.400, 0.400] | 1,000 | " in text
    # PPO's: 0.3 at 5 s, 0.6 at 10 s.
    assert "| 10.0 / 10,000 | 5.0 / 5,000 | 1.000 [1.000, 1.000] | `python train.py $ECHO" in text
    order = [text.index(f"| {name} |") for name in ("**reinforce**", "ppo", "ppo-plain", "sac")]
    assert order == sorted(order)
    assert "**FAIL**: Every algorithm beats the constant answer on echo" in text
    assert "**PASS**: REINFORCE with leave-one-out is ahead" in text
    assert "**PASS**: PPO is at least as good as stock PPO" in text
    assert "- ars on de-en, seed 0: ValueError: no such luck" in text
    assert "abacus, 2 cores" in text
    assert "the longest runs were sac's with 11.0 s, reinforce's with 10.0 s," in text
    for task in ("echo", "de-en"):
        assert f"(page/{task}.png)" in text
        assert (tmp_path / "page" / f"{task}.png").stat().st_size > 10_000


def test_columns_of_a_curve_follow_the_steps():
    scores = Scores(0.12345, 0.5, 0.6, 0.7)
    records = [Record(2.0, 20, 2, scores), Record(0.0, 0, 0, scores), Record(1.0, 10, 1, scores)]
    assert algorithms.curve_of(records) == {
        "seconds": [0.0, 1.0, 2.0],
        "steps": [0, 10, 20],
        "alignment": [0.1235] * 3,
        "p_at_1": [0.5] * 3,
    }


@pytest.mark.parametrize(("task", "column"), [("echo", 1), ("de-en", 0)])
def test_english_is_echoed_and_german_translated(sentences, task, column):
    corpus = load_corpus(algorithms.run_config(sentences, task, 1.0))
    lines = (sentences / "test.tsv").read_text("utf-8").splitlines()[1:]
    rows = corpus.rows("test")
    for texts, place in ((corpus.sources, column), (corpus.targets, 1)):
        assert list(texts[rows.start : rows.stop]) == [line.split("\t")[place] for line in lines]
    assert corpus.shared_space == (task == "echo")


@pytest.mark.slow
def test_the_benchmark_runs_once_and_resumes(sentences, tmp_path, capsys):
    options = Options(
        data=sentences,
        algos=("reinforce", "ppo-plain"),
        tasks=("echo",),
        seeds=1,
        seconds=1.0,
        results=tmp_path / "runs.jsonl",
        workers=1,
        page=tmp_path / "page.md",
    )
    algorithms.main(options)
    lines = options.results.read_text("utf-8")
    ours, plain = read_runs(options.results)
    assert ours.error is None
    assert plain.error is None
    assert (ours.job.algorithm, plain.job.algorithm) == ("reinforce", "ppo-plain")
    assert ours.curve["seconds"][-1] >= 1.0
    # Steps that have doubled are scored too: those of the first batch, 384 x 16, among them.
    assert {0, 6144, 12288} <= set(ours.curve["steps"])
    assert ours.curve["steps"] == sorted(ours.curve["steps"])
    # The weights that were best on the validation texts are those that are scored.
    assert round(ours.valid["trained"]["alignment"], 4) in ours.curve["alignment"]
    assert "| **reinforce** | 1 |" in options.page.read_text("utf-8")
    algorithms.main(options)
    assert options.results.read_text("utf-8") == lines
    with pytest.raises(ValueError, match="holds no run of"):
        algorithms.main(replace(options, seconds=2.0, report_only=True))
    assert (
        "2 runs with other data, seconds or settings are not on the page" in capsys.readouterr().out
    )


def test_each_worker_needs_a_core(sentences):
    options = Options(data=sentences, workers=10_000)
    with pytest.raises(ValueError, match="10000 workers need a core each, but only"):
        next(algorithms.run_all(algorithms.plan(options), options))


def test_what_goes_wrong_is_kept_as_the_error_of_the_run(corpus, sentences):
    job = Job("reinforce", "echo", "texts", 0, 1.0)
    without = replace(corpus, splits={"train": range(24)})
    run = algorithms.run_job(job, without, sentences, WHERE)
    assert run.error.startswith("ValueError: no split 'valid'")
    assert "no split 'valid'" in str(run)
