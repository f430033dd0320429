from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, trim_mean

from llmar_env.metrics import (
    Difference,
    PerText,
    interquartile_mean,
    paired_bootstrap,
    paired_bootstraps,
    score_differences,
    score_intervals,
    score_texts,
    text_measures,
    vector_measures,
)


def test_agrees_with_scipy():
    rng = np.random.default_rng(3)
    ours, theirs = rng.random(400), 0.9 * rng.random(400)
    found = paired_bootstrap(ours, theirs)
    peer = bootstrap(
        (ours - theirs,), np.mean, method="percentile", n_resamples=10_000, batch=1000
    ).confidence_interval
    assert found.mean == pytest.approx((ours - theirs).mean())
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=2e-3)


def test_the_interval_is_of_the_pairs():
    # Values that vary much, and differ by nearly the same: the interval is narrow.
    rng = np.random.default_rng(0)
    theirs = 10 * rng.random(200)
    ours = theirs + 0.5 + 0.01 * rng.random(200)
    found = paired_bootstrap(ours, theirs)
    assert 0.5 < found.low < found.mean < found.high < 0.51


def test_covers_as_often_as_its_level():
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(400):
        values = rng.exponential(size=80)
        found = paired_bootstrap(values, np.zeros(80), level=0.8, samples=300, seed=seed)
        covered += found.low <= 1 <= found.high
    assert 0.72 < covered / 400 < 0.86


def test_same_values_and_blocks(monkeypatch):
    values = np.random.default_rng(2).random(50)
    assert paired_bootstrap(values, values) == Difference(0.0, 0.0, 0.0)
    whole = paired_bootstrap(values, 0 * values, seed=5)
    assert paired_bootstrap(values, 0 * values, seed=5) == whole
    monkeypatch.setattr("llmar_env.metrics.intervals._VALUES", 7 * 50)
    in_blocks = paired_bootstrap(values, 0 * values, seed=5)
    assert astuple(in_blocks) == pytest.approx(astuple(whole), abs=1e-12)


def test_several_at_once_are_those_one_by_one():
    values = np.random.default_rng(4).standard_normal((60, 3))
    found = paired_bootstraps(values, samples=500, seed=2)
    for column, one in zip(values.T, found, strict=True):
        alone = paired_bootstrap(column, 0 * column, samples=500, seed=2)
        assert astuple(one) == pytest.approx(astuple(alone), abs=1e-12)


@pytest.mark.parametrize(("ours", "theirs"), [((3,), (4,)), ((0,), (0,)), ((2, 2), (2, 2))])
def test_shapes_are_checked(ours, theirs):
    with pytest.raises(ValueError, match="values \\(n,\\) of the same texts"):
        paired_bootstrap(np.zeros(ours), np.zeros(theirs))


class TestScores:
    def test_scores_are_those_of_the_whole(self):
        from test_metrics import TARGETS, WRITTEN

        from llmar_env.text.embedders import WordVectors, WordVectorsConfig

        config = WordVectorsConfig(dim=8, vocab_size=300, epochs=1)
        embedder = WordVectors(config).fit(TARGETS)
        scores = score_texts(WRITTEN, TARGETS, embedder)
        for name, one in score_intervals(text_measures(WRITTEN, TARGETS, embedder)).items():
            assert one.value == pytest.approx(getattr(scores, name))
            assert one.low <= one.high

    def test_answers_that_are_the_targets_lie_in_their_interval(self):
        targets = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
        for one in score_intervals(vector_measures(targets, targets)).values():
            assert one.low <= one.value <= one.high

    def test_against_sacrebleus_bootstrap(self):
        """Of many texts of few kinds, whose BLEU is nearly normal."""
        from sacrebleu.metrics.chrf import CHRF
        from test_metrics import TARGETS, WRITTEN

        pick = np.random.default_rng(0).integers(len(TARGETS), size=300)
        written, targets = ([texts[i] for i in pick] for texts in (WRITTEN, TARGETS))
        metric = CHRF()
        peer = metric.corpus_score(written, [targets], n_bootstrap=2000)
        counts = np.array(metric._extract_corpus_statistics(written, [targets]), float)
        score = PerText(counts, lambda x: metric._compute_score_from_stats(x.tolist()).score)
        found = score_intervals({"chrf": score}, samples=2000)["chrf"]
        assert found.value == pytest.approx(peer.score)
        assert (found.high - found.low) / 2 == pytest.approx(peer._ci, rel=0.1)

    @given(st.integers(0, 2**32))
    def test_means_have_the_same_interval_as_before(self, seed):
        rng = np.random.default_rng(seed)
        ours, theirs = rng.normal(size=(2, 20))
        options = {"samples": 200, "seed": 3}
        expected = paired_bootstrap(ours, theirs, **options)
        both = {"x": PerText.mean(ours)}, {"x": PerText.mean(theirs)}
        found = score_differences(*both, **options)["x"]
        assert vars(found) == pytest.approx(vars(expected), abs=1e-9)

    def test_other_texts_cannot_be_compared(self):
        with pytest.raises(ValueError, match="expected systems of the same texts"):
            score_differences({"x": PerText.mean(np.ones(2))}, {"x": PerText.mean(np.ones(3))})


class TestInterquartileMean:
    @pytest.mark.parametrize("runs", [1, 2, 3, 4, 5, 8, 11])
    def test_is_scipys_trimmed_mean(self, runs):
        values = np.random.default_rng(runs).normal(size=runs)
        found = interquartile_mean(values)
        assert found.value == pytest.approx(trim_mean(values, 0.25))
        assert found.low <= found.value + 1e-12
        assert found.high >= found.value - 1e-12

    def test_interval_is_rliables(self):
        from rliable.library import get_interval_estimates
        from rliable.metrics import aggregate_iqm

        values = np.random.default_rng(0).random((20, 1))
        _, intervals = get_interval_estimates(
            {"x": values}, lambda one: np.array([aggregate_iqm(one)]), reps=4000
        )
        found = interquartile_mean(values[:, 0], samples=4000)
        assert [found.low, found.high] == pytest.approx(intervals["x"][:, 0], abs=0.02)

    def test_no_run(self):
        with pytest.raises(ValueError, match="at least one run"):
            interquartile_mean([])
