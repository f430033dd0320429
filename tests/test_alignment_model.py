"""The learned alignment model: its scores, its fit, and its use as a reward."""

import json
import pickle
import shutil
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from conftest import flat_config
from hypothesis import given
from hypothesis import strategies as st

from agents import LLMAR, NonFiniteLossError
from agents.__main__ import cli
from agents.config import AlignmentConfig
from agents.networks.alignment import AlignmentNetwork
from agents.training.alignment import fit_alignment, score_alignment, score_linear
from llmar_env.alignment.model import AlignmentModel
from llmar_env.alignment.rewards import make_reward
from llmar_env.alignment.text_alignment import TextAlignment
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import WordVectorsConfig
from llmar_env.text.pairs import TextPairs
from llmar_env.text.tensor_files import ModelFileError, write_tensors

SMALL = AlignmentConfig(hidden_dim=64, epochs=8, batch_size=256)


def model(seed=0, members=1, context=3, width=5, dim=4):
    rng = np.random.default_rng(seed)
    shapes = ((members, width, context), (members, width), (members, dim, width), (members, dim))
    return AlignmentModel(*(rng.normal(size=shape).astype(np.float32) for shape in shapes))


@pytest.fixture(scope="module")
def corpus():
    """Three thousand training pairs of the phrasebook, in its vectors."""
    whole = Corpus.load("phrasebook:de-en")
    splits = {"train": range(3000), "valid": whole.rows("valid"), "test": whole.rows("test")}
    return replace(whole, splits=splits)


@pytest.fixture(scope="module")
def fitted(corpus):
    return fit_alignment(corpus, SMALL)


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    found = tmp_path_factory.mktemp("alignment")
    fitted.save(found)
    return found


class TestModel:
    def test_score_by_hand(self):
        # relu((1, -2)) = (1, 0); decoded (2, 0) + (0, 1) = (2, 1); cosine with (1, 0).
        w1, w2 = np.eye(2)[None], 2 * np.eye(2)[None]
        one = AlignmentModel(w1, np.zeros((1, 2)), w2, np.array([[0.0, 1.0]]))
        x = np.array([[1.0, -2.0]])
        assert one.score(x, np.array([[1.0, 0.0]])) == pytest.approx(2 / np.sqrt(5))
        assert one.score(x, np.array([[0.0, 3.0]])) == pytest.approx(1 / np.sqrt(5))
        assert one.score(x, np.zeros((1, 2))) == 0

    @given(st.integers(0, 2**32), st.integers(1, 4))
    def test_an_ensemble_scores_as_its_lowest_member(self, seed, members):
        rng = np.random.default_rng(seed)
        ones = [model(seed + i) for i in range(members)]
        x, answers = rng.normal(size=(6, 3)), rng.normal(size=(6, 4))
        both = AlignmentModel.ensemble(ones)
        assert both.members == members
        lowest = np.min([one.score(x, answers) for one in ones], axis=0)
        assert both.score(x, answers) == pytest.approx(lowest)
        assert np.diag(both.score_all(x, answers)) == pytest.approx(lowest, abs=1e-6)
        assert (np.abs(lowest) <= 1).all()

    def test_torch_computes_the_same_and_has_gradients(self):
        network = AlignmentNetwork(3, 5, 4)
        x, answers = torch.randn(7, 3), torch.randn(7, 4)
        plain = torch.nn.Sequential(network.encoder, torch.nn.ReLU(), network.decoder)
        expected = torch.cosine_similarity(plain(x), answers, dim=1)
        torch.testing.assert_close(network.model.score(x, answers), expected)
        torch.testing.assert_close((network(x) * answers).sum(1) / answers.norm(dim=1), expected)
        expected.sum().backward()
        wanted = network.encoder.weight.grad.clone()
        network.zero_grad()
        network.model.score(x, answers).sum().backward()
        torch.testing.assert_close(network.encoder.weight.grad, wanted)

    def test_saves_and_loads(self, tmp_path):
        one = model(members=2)
        one.save(tmp_path / "m.safetensors")
        again = AlignmentModel.load(tmp_path / "m.safetensors")
        assert repr(again) == repr(one)
        x, answers = np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)
        assert again.score(x, answers).tolist() == one.score(x, answers).tolist()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"w1": np.ones((1, 5, 3, 1), np.float32)}, "an alignment model has w1"),
            ({"b2": np.ones((1, 3), np.float32)}, "an alignment model has w1"),
            ({"b1": np.full((1, 5), np.nan, np.float32)}, "not finite"),
            ({"b1": np.ones((1, 5), np.float64)}, "no alignment model"),
            ({"more": np.ones(1, np.float32)}, "no alignment model"),
        ],
    )
    def test_damaged_files(self, tmp_path, change, message):
        one = model()
        arrays = {name: getattr(one, name) for name in ("w1", "b1", "w2", "b2")}
        write_tensors(arrays | change, tmp_path / "m.safetensors")
        with pytest.raises(ModelFileError, match=message):
            AlignmentModel.load(tmp_path / "m.safetensors")


class TestFit:
    def test_right_answers_come_first(self, corpus, fitted):
        scores = score_alignment(fitted.model, corpus, "test")
        assert scores.p_at_1 > 0.3  # by chance 0.001
        assert scores.right > scores.wrong + 0.4

    def test_scores_by_hand(self, corpus, fitted):
        rows = corpus.rows("test")
        span = slice(rows.start, rows.stop)
        every = fitted.model.score_all(corpus.source.means[span], corpus.target.means[span])
        own = np.diag(every)
        strings = np.array(corpus.targets[rows.start : rows.stop])
        others = strings[:, None] != strings
        rank = 1 + ((every >= own[:, None]) & others).sum(axis=1)
        found = score_alignment(fitted.model, corpus, "test")
        assert found.p_at_1 == pytest.approx((rank == 1).mean(), abs=0.003)
        assert found.mrr == pytest.approx((1 / rank).mean(), abs=0.003)
        assert found.right == pytest.approx(own.mean(), abs=1e-4)
        before = every[np.arange(len(own)), np.arange(len(own)) - 1]
        assert found.wrong == pytest.approx(before.mean(), abs=1e-4)

    def test_a_model_without_finite_scores_comes_last(self, corpus):
        one = model(context=64, dim=64)
        broken = AlignmentModel(one.w1 * np.nan, one.b1, one.w2, one.b2)
        found = score_alignment(broken, corpus, "valid")
        assert found.p_at_1 == 0

    def test_a_loss_that_is_not_finite_is_told(self, corpus):
        with pytest.raises(NonFiniteLossError, match="in epoch 1"):
            fit_alignment(corpus, AlignmentConfig(temperature=1e-45, hidden_dim=8, epochs=1))

    def test_the_linear_baseline_is_scikit_learns_ridge(self, corpus):
        from sklearn.linear_model import Ridge

        train, test = corpus.rows("train"), corpus.rows("test")
        x, y = corpus.source.means[train.start : train.stop], corpus.target.unit_means
        scores = []
        for penalty in 10.0 ** np.arange(-5, 3):
            centered = x - x.mean(axis=0)
            strength = penalty * (centered**2).sum() / x.shape[1]
            peer = Ridge(strength).fit(x, y[train.start : train.stop])
            answers = peer.predict(corpus.source.means[test.start : test.stop])
            cosines = (answers / np.linalg.norm(answers, axis=1, keepdims=True)) @ y[
                test.start : test.stop
            ].T
            scores.append(np.diag(cosines).mean())
        assert score_linear(corpus, "test").right == pytest.approx(max(scores), abs=0.02)

    def test_the_same_seed_gives_the_same_model(self, corpus, fitted):
        state = torch.get_rng_state()
        again = fit_alignment(corpus, SMALL)
        assert torch.equal(torch.get_rng_state(), state)
        np.testing.assert_array_equal(again.model.w1, fitted.model.w1)

    def test_members_differ(self, corpus):
        found = fit_alignment(corpus, AlignmentConfig(members=2, hidden_dim=8, epochs=1)).model
        assert found.members == 2
        assert not np.allclose(found.w1[0], found.w1[1])


class TestTexts:
    def test_scores_strings(self, corpus, fitted, folder):
        rows = corpus.rows("test")[:20]
        sources, targets = (
            [side[row] for row in rows] for side in (corpus.sources, corpus.targets)
        )
        found = fitted.score(sources, targets)
        answers = corpus.target.means[rows.start : rows.stop]
        expected = fitted.model.score(corpus.source.means[rows.start : rows.stop], answers)
        assert found == pytest.approx(expected, abs=1e-5)
        assert (found > fitted.score(sources, targets[::-1])).mean() > 0.8
        assert fitted.score(sources[:1], [" "]).tolist() == [0.0]
        loaded = TextAlignment.load(folder)
        assert loaded.score(sources, targets) == pytest.approx(found, abs=1e-6)
        with pytest.raises(ValueError, match="1 texts, but 2 answers"):
            fitted.score(["a"], ["b", "c"])

    def test_no_model(self, tmp_path, folder):
        with pytest.raises(FileNotFoundError, match="no alignment model in"):
            TextAlignment.load(tmp_path)
        shutil.copytree(folder, tmp_path / "other")
        (tmp_path / "other" / "alignment-source.safetensors").unlink()
        with pytest.raises(ModelFileError, match="is missing"):
            TextAlignment.load(tmp_path / "other")

    def test_embedders_of_other_dimensions(self, tmp_path, folder):
        shutil.copytree(folder, tmp_path / "other")
        model().save(tmp_path / "other" / "alignment.safetensors")
        with pytest.raises(ModelFileError, match="vectors of dimension 3 to 4, but the embedders"):
            TextAlignment.load(tmp_path / "other")


class TestReward:
    def test_of_vectors(self, corpus, fitted, folder):
        env = gym.make_vec("LLMAR/Align-v0", 3, data=corpus, reward=f"model:{folder}")
        _, info = env.reset(seed=0)
        rows = info["row"]
        action = np.random.default_rng(0).uniform(-1, 1, (3, 64)).astype(np.float32)
        _, reward, _, _, _ = env.step(action)
        expected = fitted.model.score(corpus.source.means[rows], action)
        assert reward == pytest.approx(expected, abs=1e-5)

    @pytest.mark.parametrize("name", ["Generate", "Refine"])
    def test_of_texts(self, corpus, fitted, folder, name):
        options = {"data": corpus, "reward": f"model:{folder}", "info_texts": True}
        env = gym.make_vec(f"LLMAR/{name}-v0", 4, max_new_tokens=3, **options)
        _, info = env.reset(seed=0)
        sources = info["source"].tolist()
        rng, total = np.random.default_rng(1), np.zeros(4)
        for _ in range(2):
            action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
            _, reward, _, _, info = env.step(action)
            total += reward
        assert total == pytest.approx(fitted.score(sources, info["written"].tolist()), abs=1e-5)

    def test_a_weighted_sum(self, folder):
        reward = make_reward(f"0.5*model:{folder} + 0.5*chrf")
        assert f"model:{folder}" in str(reward)

    def test_travels_to_workers(self, corpus, folder):
        env = gym.make("LLMAR/Align-v0", data=corpus, reward=f"model:{folder}")
        env.reset(seed=0)
        again = pickle.loads(pickle.dumps(env.unwrapped.mdp.reward))
        rows, answers = np.arange(4), np.eye(4, 64, dtype=np.float32)
        np.testing.assert_array_equal(again(answers, rows), env.unwrapped.mdp.reward(answers, rows))

    def test_other_vectors_are_refused(self, folder):
        pairs = TextPairs(["ein Hund"] * 2 + ["ein Ball"], ["a dog"] * 2 + ["a ball"])
        config = WordVectorsConfig(dim=64, vocab_size=300, epochs=1)
        other = Corpus.load({"train": pairs, "valid": pairs}, word_vectors=config)
        with pytest.raises(ValueError, match="was fitted in other vectors than those"):
            gym.make("LLMAR/Align-v0", data=other, reward=f"model:{folder}")

    def test_trains_and_is_reported_beside_the_truth(self, corpus, folder, tmp_path):
        config = flat_config(
            reward=f"model:{folder}", total_steps=60_000, supervised=False, progress=False
        )
        llmar = LLMAR(config)
        outcome = llmar.train(corpus)
        trained, untrained = (outcome.scores["valid"][name] for name in ("trained", "untrained"))
        assert trained.reward > untrained.reward + 0.3
        assert trained.alignment > untrained.alignment + 0.2
        assert all(record.scores.reward is not None for record in outcome.curves["trained"])
        llmar.save(tmp_path / "saved")
        # The reward is not needed to answer.
        manifest = tmp_path / "saved" / "model.json"
        fields = json.loads(manifest.read_text())
        fields["config"]["reward"] = "model:nowhere"
        manifest.write_text(json.dumps(fields))
        assert LLMAR.load(tmp_path / "saved").generate("Der Hund schläft.").shape == (1, 64)


def _write_pairs(folder, lines):
    path = folder / "pairs.tsv"
    path.write_text("\n".join(["source\ttarget", *lines]) + "\n")
    return str(path)


class TestCommand:
    def test_fits_reports_and_saves(self, tmp_path, capsys):
        path = _write_pairs(tmp_path, [f"rot {i} Hund\tred {i} dog" for i in range(300)])
        options = ["--epochs", "2", "--dim", "16", "--no-progress", "--out", str(tmp_path / "m")]
        cli(["fit-alignment", "--data", path, *options, "--jsonl"])
        found = json.loads(capsys.readouterr().out)
        assert set(found) == {"valid", "test"}
        assert set(found["test"]) == {"alignment_model", "linear"}
        assert 0 <= found["test"]["alignment_model"]["p_at_1"] <= 1
        assert TextAlignment.load(tmp_path / "m").model.dim == 16
        with pytest.raises(SystemExit, match="already exists"):
            cli(["fit-alignment", "--data", path, *options])

    def test_a_fit_that_diverges_saves_nothing(self, tmp_path):
        options = ["--learning-rate", "1e30", "--epochs", "1", "--no-progress"]
        path = _write_pairs(tmp_path, [f"rot {i} Hund\tred {i} dog" for i in range(300)])
        with pytest.raises(SystemExit, match="lower the learning rate"):
            cli(["fit-alignment", "--data", path, *options, "--out", str(tmp_path / "m")])
        assert not (tmp_path / "m").exists()

    @pytest.mark.parametrize("copies", [1, 8])
    def test_pairs_all_alike_are_scored(self, tmp_path, capsys, copies):
        train = _write_pairs(tmp_path, ["rot Hund\tred dog"] * copies)
        valid = tmp_path / "valid.tsv"
        valid.write_text("source\ttarget\nrot\tred\nHund\tdog\n")
        options = ["--dim", "8", "--epochs", "1", "--no-progress", "--jsonl"]
        where = ["--valid", str(valid), "--out", str(tmp_path / "m")]
        cli(["fit-alignment", "--data", train, *where, *options])
        assert np.isfinite(json.loads(capsys.readouterr().out)["valid"]["linear"]["mrr"])

    def test_a_folder_that_cannot_be_made_is_said_before_the_fit(self, tmp_path):
        (tmp_path / "file").write_text("")
        out = tmp_path / "file" / "model"
        with pytest.raises(SystemExit, match=r"cannot create .*model: Not a directory"):
            cli(["fit-alignment", "--data", "phrasebook:de-en", "--out", str(out)])

    def test_a_missing_model_is_said_before_training(self, tmp_path):
        with pytest.raises(SystemExit, match="no alignment model in"):
            cli(["train", "--reward", f"model:{tmp_path}", "--runs", str(tmp_path / "runs")])
        assert not (tmp_path / "runs").exists()
