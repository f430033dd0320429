"""Drafts of a language model, and alignment models that rank them."""

import json

import numpy as np
import pytest
import torch
from embedder_models import TEXTS, byte_pairs, word_piece

from agents.__main__ import cli
from agents.config import AlignmentConfig
from agents.inference.drafting import Drafter, rank_drafts
from agents.training.alignment import fit_alignment
from llmar_env.alignment.text_alignment import TextAlignment
from llmar_env.text.corpus import Corpus
from llmar_env.text.embedders import WordVectorsConfig
from llmar_env.text.pairs import TextPairs


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    from transformers import GPT2Config, GPT2LMHeadModel

    folder, tokenizer = tmp_path_factory.mktemp("causal"), byte_pairs()
    torch.manual_seed(0)
    sizes = {"n_embd": 12, "n_layer": 2, "n_head": 2, "n_positions": 64}
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def seq2seq(tmp_path_factory):
    from transformers import BartConfig, BartForConditionalGeneration

    folder, tokenizer = tmp_path_factory.mktemp("seq2seq"), word_piece()
    torch.manual_seed(0)
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16}
    sizes |= {"decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 2}
    ids["forced_eos_token_id"] = None
    config = BartConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes, **ids)
    BartForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def alignment(tmp_path_factory):
    """An alignment model of texts that are their own answers."""
    pairs = TextPairs(TEXTS[:50], TEXTS[:50])
    vectors = WordVectorsConfig(dim=16, vocab_size=300, epochs=20)
    corpus = Corpus.load({"train": pairs, "valid": pairs}, word_vectors=vectors)
    found = fit_alignment(corpus, AlignmentConfig(hidden_dim=64, dropout=0.0))
    folder = tmp_path_factory.mktemp("alignment")
    found.save(folder)
    return folder, found


def test_ranks_are_stable():
    ranked = rank_drafts(["a", "b", "c"], [0.5, 0.75, 0.5])
    assert list(ranked.texts) == ["b", "a", "c"]
    assert list(ranked.scores) == [0.75, 0.5, 0.5]


class TestDrafter:
    @pytest.mark.parametrize("kind", ["causal", "seq2seq"])
    def test_drafts_are_distinct_seeded_and_apart_from_the_generator(self, kind, request):
        folder = request.getfixturevalue(kind)
        drafter = Drafter(f"hf:{folder}", max_new_tokens=6)
        state = torch.get_rng_state()
        drafts = drafter.draft(TEXTS[:3], 5)
        assert torch.equal(torch.get_rng_state(), state)
        assert len(drafts) == 3
        for group in drafts:
            assert 1 <= len(group) <= 5
            assert len(set(group)) == len(group)
            assert all(text.strip() for text in group)
        assert drafter.draft(TEXTS[:3], 5) == drafts
        assert Drafter(f"hf:{folder}", max_new_tokens=6, seed=1).draft(TEXTS[:3], 5) != drafts

    def test_a_causal_model_goes_on_from_the_prompt(self, causal):
        """As its own `generate` does, and without the prompt in the draft."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(causal).eval()
        tokenizer = AutoTokenizer.from_pretrained(causal)
        # So cold that a sample is the likeliest token.
        drafter = Drafter(
            f"hf:{causal}", prompt="Say: {text} =", temperature=1e-4, max_new_tokens=4
        )
        [[draft]] = drafter.draft([TEXTS[0]], 1)
        inputs = tokenizer(f"Say: {TEXTS[0]} =", return_tensors="pt")
        ids = model.generate(**inputs, do_sample=False, max_new_tokens=4, pad_token_id=0)
        new = tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert draft == new.strip()

    @pytest.mark.parametrize("kind", ["causal", "seq2seq"])
    def test_prompts_as_long_as_the_model_reads(self, kind, request):
        folder = request.getfixturevalue(kind)
        [drafts] = Drafter(f"hf:{folder}").draft(["dog"], 1)  # as long as there is place
        assert len(drafts) <= 1
        with pytest.raises(ValueError, match="has 64 places, and a prompt has"):
            Drafter(f"hf:{folder}").draft(["dog " * 70], 1)

    def test_no_model(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no such model"):
            Drafter(f"hf:{tmp_path}").draft(["a"], 1)


class TestByAnAlignmentModel:
    def test_the_right_draft_comes_first(self, alignment, tmp_path, capsys):
        folder, found = alignment
        path = tmp_path / "drafts.jsonl"
        groups = [(TEXTS[i], [TEXTS[i + 20], TEXTS[i], TEXTS[i + 10]]) for i in range(10)]
        lines = [json.dumps({"source": one, "drafts": drafts}) for one, drafts in groups]
        path.write_text("\n".join(lines) + "\n")
        cli(["rerank", "--model", str(folder), "--drafts", str(path), "--jsonl"])
        out = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        right = [one["drafts"][0]["text"] == one["source"] for one in out]
        assert sum(right) >= 8
        for one, (source, drafts) in zip(out, groups, strict=True):
            scores = {draft["text"]: draft["score"] for draft in one["drafts"]}
            expected = found.score([source] * 3, drafts)
            assert [scores[text] for text in drafts] == pytest.approx(expected, abs=1e-5)

    def test_drafts_of_a_language_model(self, alignment, causal, capsys):
        options = ["--text", TEXTS[0], "--drafter", f"hf:{causal}", "--num-drafts", "4", "--jsonl"]
        cli(["rerank", "--model", str(alignment[0]), *options, "--device", "cpu"])
        [line] = capsys.readouterr().out.splitlines()
        scores = [draft["score"] for draft in json.loads(line)["drafts"]]
        assert 1 <= len(scores) <= 4
        assert scores == sorted(scores, reverse=True)

    def test_it_does_not_correct(self, alignment, tmp_path):
        path = tmp_path / "drafts.tsv"
        path.write_text("source\tdraft\na\tb\n")
        options = ["--model", str(alignment[0]), "--drafts", str(path), "--max-rounds", "2"]
        with pytest.raises(SystemExit, match="--max-rounds is for a model that writes"):
            cli(["rerank", *options])

    def test_its_vectors_are_its_own(self, alignment, tmp_path):
        path = tmp_path / "drafts.tsv"
        path.write_text("source\tdraft\na\tb\n")
        options = ["--drafts", str(path), "--source-embedder", "st:nowhere"]
        with pytest.raises(SystemExit, match="--source-embedder is for a model that writes"):
            cli(["rerank", "--model", str(alignment[0]), *options])

    def test_a_score_that_is_not_finite_is_null(self, alignment, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(
            TextAlignment, "score", lambda _, sources, texts: np.array([np.nan, 0.25])
        )
        path = tmp_path / "drafts.tsv"
        path.write_text("source\tdraft\na\tb\na\tc\n")
        cli(["rerank", "--model", str(alignment[0]), "--drafts", str(path), "--jsonl"])
        drafts = json.loads(capsys.readouterr().out)["drafts"]
        assert drafts == [{"text": "c", "score": 0.25}, {"text": "b", "score": None}]

    def test_it_is_no_model_that_answers(self, alignment):
        with pytest.raises(SystemExit, match="it has an alignment model, which is for rerank"):
            cli(["generate", "--model", str(alignment[0]), "--text", "a"])
