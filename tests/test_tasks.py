"""Tasks by name: their data, their scores, and their options."""

import json

import gymnasium as gym
import numpy as np
import pytest
from conftest import flat_config
from hypothesis import given
from hypothesis import strategies as st

from agents import LLMAR
from agents.__main__ import cli
from agents.config import in_environment_of_task
from agents.inference.tasks import linear_answers
from llmar_env.metrics import (
    candidate_measures,
    candidate_ranks,
    rouge_measures,
    score_answers,
    split_words,
)
from llmar_env.tasks import TASKS, find_task
from llmar_env.tasks.task import first_sentence
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedded import EmbeddedTexts
from llmar_env.text.phrasebook import Phrasebook, parse
from llmar_env.text.phrasebook.passages import PASSAGES, passages

QUICK = {"progress": False, "supervised": False, "device": "cpu"}


@pytest.fixture(scope="module", params=sorted(PASSAGES))
def kind(request):
    return request.param


class TestPassages:
    def test_splits_share_nothing_that_is_asked(self, kind):
        drawn = {split: passages(kind, 300, split=split) for split in ("train", "valid", "test")}
        keys = {split: {one.key for one in found} for split, found in drawn.items()}
        assert [len(found) for found in keys.values()] == [300] * 3
        assert not keys["train"] & keys["test"]
        assert not keys["train"] & keys["valid"]
        assert not keys["valid"] & keys["test"]
        assert passages(kind, 50) == passages(kind, 300)[:50]
        assert passages(kind, 50, seed=1) != passages(kind, 50)

    @pytest.mark.parametrize("language", ["en", "fr"])
    def test_sentences_are_the_grammars(self, kind, language):
        texts, answers = Phrasebook.from_name(f"phrasebook:{language}/{kind}").sentences("test", 3)
        for text in [*texts, *answers]:
            for sentence in text.replace("? ", "?|").replace(". ", ".|").split("|"):
                parse(sentence, language)

    def test_the_summary_tells_what_two_sentences_tell(self):
        for one in passages("summaries", 200):
            about = [s.main for s in one.sentences if s.main.noun == one.answer.main.noun]
            assert len(about) == 2
            [act] = [clause for clause in about if clause.object]
            [state] = [clause for clause in about if clause.verb == "be"]
            assert one.answer.main == act._replace(place=state.place)
            assert one.answer not in one.sentences

    def test_the_reply_is_what_is_asked_for(self):
        for one in passages("replies", 200):
            *told, question = one.sentences
            reply = one.answer.main.object
            if question.kind == "who":
                [found] = [s.main.noun for s in told if s.main.object == question.main.object]
            else:
                [found] = [s.main.object for s in told if s.main.noun == question.main.noun]
            assert found == reply

    def test_neither_a_sentence_nor_the_text_itself_answers(self, kind):
        corpus = Corpus.load(f"phrasebook:en/{kind}")
        rows = corpus.rows("test")
        targets = corpus.target.means[rows.start : rows.stop]
        first = [first_sentence(corpus.sources[row]) for row in rows]
        lead = score_answers(corpus.source_embedder.embed(first).means, targets)
        assert lead.p_at_1 < 0.5
        if kind == "replies":
            own = score_answers(corpus.source.means[rows.start : rows.stop], targets)
            assert own.p_at_1 < 0.5

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("poems", 1), "no passages 'poems'; the phrasebook has summaries, replies"),
            (("replies", 0), "size must lie in 1 to 100,000, found 0"),
        ],
    )
    def test_mistakes(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            passages(*arguments)
        with pytest.raises(ValueError, match="no split 'dev'"):
            passages("replies", 1, split="dev")


class TestMetrics:
    def test_candidates_by_hand(self):
        # Two other targets, so that all are candidates whatever is drawn.
        targets = np.array([[1, 0], [0, 1], [-1, 0], [1, 0]], np.float32)
        strings = ["a", "b", "c", "a"]
        answers = np.array([[1, 0.1], [1, 0.5], [-1, 0], [-1, -0.1]], np.float32)
        assert candidate_ranks(answers, targets, strings).tolist() == [1, 2, 1, 3]
        found = candidate_measures(answers, targets, strings)
        assert found["recall_at_1_of_100"].resampled(1, 0)[0] == 0.5
        assert found["mrr_of_100"].resampled(1, 0)[0] == pytest.approx((1 + 1 / 2 + 1 + 1 / 3) / 4)

    @given(st.integers(0, 2**32))
    def test_chance_is_one_in_the_candidates(self, seed):
        rng = np.random.default_rng(seed)
        targets, answers = rng.normal(size=(2, 300, 4)).astype(np.float32)
        ranks = candidate_ranks(answers, targets, list(map(str, range(300))), 10, seed)
        assert set(ranks) <= set(range(1, 11))
        # A mean of 300 ranks from 1 to 10, whose deviation is 2.87 / sqrt(300).
        assert abs(ranks.mean() - 5.5) < 5 * 2.87 / np.sqrt(300)

    def test_few_and_all_candidates_agree(self):
        rng = np.random.default_rng(0)
        targets, answers = rng.normal(size=(2, 50, 4)).astype(np.float32)
        every = candidate_ranks(answers, targets, list(map(str, range(50))), 50)
        cosines = (answers / np.linalg.norm(answers, axis=1, keepdims=True)) @ (
            targets / np.linalg.norm(targets, axis=1, keepdims=True)
        ).T
        expected = 1 + (cosines > np.diag(cosines)[:, None]).sum(axis=1)
        assert every.tolist() == expected.tolist()

    def test_rouge_by_hand(self):
        found = rouge_measures(["the dog runs"], ["A dog runs home."])
        scores = {name: one.resampled(1, 0)[0] for name, one in found.items()}
        # Of 3 and 4 words 2 are shared, and of 2 and 3 pairs one.
        assert scores["rouge_1"] == pytest.approx(2 * 2 / 7)
        assert scores["rouge_2"] == pytest.approx(2 * 1 / 5)
        assert scores["rouge_l"] == pytest.approx(2 * 2 / 7)

    def test_rouge_has_words_beyond_a_to_z(self):
        [one] = rouge_measures(["Der Bär schläft."], ["der Bär schläft"])["rouge_2"].values
        assert one[0] == 1
        assert split_words("我爱你") == ["我", "爱", "你"]
        [one] = rouge_measures(["我爱你。"], ["我爱他"])["rouge_1"].values
        assert one[0] == pytest.approx(2 / 3)

    @pytest.mark.parametrize(
        ("text", "first"),
        [
            ("Peter is here. He sleeps.", "Peter is here."),
            ("你好！我很好。", "你好！"),
            ("no mark", "no mark"),
            ("It costs 3.50 here. Yes.", "It costs 3.50 here."),
        ],
    )
    def test_first_sentence(self, text, first):
        assert first_sentence(text) == first

    def test_ridge_is_scikit_learns(self):
        from sklearn.linear_model import Ridge

        corpus = Corpus.load("phrasebook:de-en")
        train, valid = corpus.rows("train"), corpus.rows("valid")
        x, y = corpus.source.means, corpus.target.unit_means
        inputs = x[train.start : train.stop]
        spread = ((inputs - inputs.mean(axis=0)) ** 2).sum() / x.shape[1]
        answers = [
            Ridge(penalty * spread)
            .fit(inputs.astype(float), y[train.start : train.stop])
            .predict(x[valid.start : valid.stop])
            for penalty in 10.0 ** np.arange(-5, 3)
        ]
        wanted = y[valid.start : valid.stop]
        best = max(answers, key=lambda one: score_answers(one, wanted.astype(float)).alignment)
        assert linear_answers(corpus, "valid") == pytest.approx(best, abs=1e-4)

    @staticmethod
    def _corpus(source, target):
        stores = [EmbeddedTexts.from_vectors(one[:, None]) for one in (source, target)]
        return Corpus(*stores, {"train": range(7), "valid": range(7, 10)})

    def test_ridge_does_not_depend_on_the_scale_of_the_texts(self):
        source, target = np.random.default_rng(0).standard_normal((2, 10, 4)).astype(np.float32)
        answers = [linear_answers(self._corpus(s * source, target), "valid") for s in (1, 1e-9)]
        assert answers[1] == pytest.approx(answers[0], abs=1e-4)

    def test_ridge_answers_the_mean_where_the_texts_are_all_alike(self):
        source, target = np.random.default_rng(0).standard_normal((2, 10, 4)).astype(np.float32)
        source[:7] = source[0]
        corpus = self._corpus(source, target)
        mean = corpus.target.unit_means[:7].mean(axis=0)
        assert linear_answers(corpus, "valid") == pytest.approx(np.tile(mean, (3, 1)), abs=1e-6)


class TestTasks:
    def test_every_module_is_a_task(self):
        assert set(TASKS) == {"echo", "translation", "summarization", "dialogue", "retrieval"}
        for name, task in TASKS.items():
            assert find_task(name) is task
            assert task.name == name
            assert task.data in ("phrasebook:en", "phrasebook:de-en") or "/" in task.data
        with pytest.raises(ValueError, match=r"no task 'poetry'; there are .*echo"):
            find_task("poetry")

    @pytest.mark.parametrize("name", ["Echo", "Translate", "Summarize", "Reply"])
    def test_environments(self, name):
        dense, sparse = (
            gym.make_vec(f"LLMAR/{name}{form}-v0", 4) for form in ("-dense", "-sparse")
        )
        plain = gym.make_vec(f"LLMAR/{name}-v0", 4)
        for env in (dense, sparse, plain):
            env.reset(seed=0)
        rows = plain.unwrapped.reset(seed=0)[1]["row"]
        right = plain.unwrapped.mdp.corpus.target.unit_means[rows]
        assert plain.step(right)[1] == pytest.approx(1)
        assert dense.step(right)[1] == pytest.approx(1)
        assert sparse.step(right)[1].tolist() == [1] * 4
        wrong = -right
        assert (plain.step(wrong)[1] < 0.9).all()
        assert sparse.step(wrong)[1].tolist() == [0] * 4

    def test_a_task_sets_data_and_environment(self):
        own = in_environment_of_task(flat_config(task="retrieval"))
        assert (own.task.env, own.texts) == ("LLMAR/Retrieve-v0", "phrasebook:en")
        with pytest.raises(ValueError, match="env does not fit the task retrieval"):
            LLMAR(flat_config(task="retrieval"))
        config = flat_config(task="dialogue")
        assert (config.texts, config.task.env) == ("phrasebook:en/replies", "LLMAR/Align-v0")
        assert flat_config(task="dialogue", data="mine.tsv").texts == "mine.tsv"
        assert flat_config().texts == "phrasebook:de-en"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--task", "poetry"], "--task cannot be used: no task 'poetry'"),
            (
                ["--task", "dialogue", "--env", "LLMAR/Retrieve-v0"],
                "--env does not fit the task dialogue, which has LLMAR/Align-v0 and",
            ),
            (["--task", "retrieval", "--env", "LLMAR/Align-v0"], "--env does not fit the task"),
        ],
    )
    def test_mistakes(self, arguments, message):
        with pytest.raises(SystemExit) as caught:
            cli(["train", *arguments])
        assert message in caught.value.code

    def test_training_reports_the_task(self, tmp_path, capsys):
        options = ["--total-steps", "20000", "--no-supervised", "--no-progress", "--name", "d"]
        cli(["train", "--task", "dialogue", "--runs", str(tmp_path), *options])
        out = capsys.readouterr().out
        assert "R@1 of 100" in out
        assert "dialogue on test, with 95% intervals" in " ".join(out.split())
        found = json.loads((tmp_path / "d" / "task.json").read_text())
        assert (found["task"], found["measure"]) == ("dialogue", "recall_at_1_of_100")
        test = found["test"]
        assert set(test) == {"trained", "linear", "identity", "constant"}
        recall = {who: one["recall_at_1_of_100"]["value"] for who, one in test.items()}
        assert recall["identity"] > recall["constant"] + 0.05
        results = json.loads((tmp_path / "d" / "results.json").read_text())
        for who in ("trained", "identity", "constant"):
            ours = test[who]["alignment"]["value"]
            assert ours == pytest.approx(results["test"][who]["alignment"], abs=1e-5)
        model = ["--model", str(tmp_path / "d"), "--data", "phrasebook:en/replies", "--jsonl"]
        cli(["evaluate", *model])
        scores = json.loads(capsys.readouterr().out)
        expected = test["trained"]["recall_at_1_of_100"]
        assert scores["intervals"]["recall_at_1_of_100"] == pytest.approx(expected, abs=0.01)

    @pytest.mark.slow
    def test_a_written_task(self):
        config = {"task": "summarization", "env": "LLMAR/Generate-v0", "hidden_dim": 32}
        config |= {"warm_epochs": 0.2, "total_steps": 300, "num_texts": 8, "group_size": 2}
        llmar = LLMAR(flat_config(**QUICK, **config))
        llmar.train()
        found = llmar.task_measures("test")
        assert set(found) == {"trained", "lead_1", "constant"}
        assert {"rouge_1", "rouge_2", "rouge_l", "p_at_1", "chrf"} <= set(found["trained"])
        lead = {name: one.resampled(1, 0)[0] for name, one in found["lead_1"].items()}
        assert 0.2 < lead["rouge_1"] < 0.9
        assert lead["p_at_1"] < 0.5

    def test_no_task(self):
        with pytest.raises(ValueError, match="the options name no task"):
            LLMAR(flat_config(**QUICK)).task_measures()
