import io
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from conftest import flat_config
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

import train
from agents import LLMAR, Answer
from agents.__main__ import cli
from agents.commands.terminal import print_text, report_errors
from llmar_env.text.embedders.cache import EmbeddingCache, Shard, text_digests

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def llmar(words):
    """A writer of the 45 sentences, half trained, so that some are right and some wrong."""
    settings = {"device": "cpu", "progress": False, "hidden_dim": 24, "max_new_tokens": 10}
    settings |= {"num_texts": 4, "group_size": 4, "dropout": 0.0}
    llmar = LLMAR(
        flat_config(env="LLMAR/Generate-v0", **settings, warm_epochs=60, total_steps=1, seed=1)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        llmar.train(words)
    return llmar


@pytest.fixture(scope="module")
def model(llmar, tmp_path_factory):
    """The folder of a run, as an argument."""
    folder = tmp_path_factory.mktemp("run")
    llmar.save(folder / "model")
    return f"--model={folder}"


@pytest.fixture(scope="module")
def aligning(words, tmp_path_factory):
    """The folder of a model that answers with vectors, as an argument, and the model."""
    settings = {"device": "cpu", "progress": False, "supervised": False}
    llmar = LLMAR(flat_config(**settings, hidden_dim=8, num_texts=8, group_size=4, total_steps=64))
    llmar.train(words)
    folder = tmp_path_factory.mktemp("aligning")
    llmar.save(folder)
    return f"--model={folder}", llmar


@pytest.fixture(scope="module")
def sources(words):
    return list(words.sources[30:42])


@pytest.fixture
def file(sources, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(sources) + "\n", "utf-8")
    return f"--file={path}"


def say(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def run(capsys, *arguments):
    """Lines of standard output, and of standard error."""
    capsys.readouterr()
    cli([*arguments, "--device", "cpu"])
    found = capsys.readouterr()
    return found.out.splitlines(), found.err.splitlines()


def refused(*arguments):
    with pytest.raises(SystemExit) as caught:
        cli([*arguments, "--device", "cpu"])
    message = caught.value.code
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


# ---------------------------------------------------------------------------- generate


def test_generate_writes_about_a_text(capsys, model, llmar, sources):
    out, _ = run(capsys, "generate", model, "--text", sources[0])
    assert out == [llmar.generate(sources[0])]


def test_generate_writes_a_line_for_each_line_of_a_file(capsys, model, llmar, sources, file):
    assert run(capsys, "generate", model, file)[0] == llmar.generate(sources)


def test_generate_reads_standard_input(capsys, monkeypatch, model, llmar, sources):
    say(monkeypatch, "\n".join(sources).encode())
    assert run(capsys, "generate", model)[0] == llmar.generate(sources)


def test_windows_files_give_the_same(capsys, monkeypatch, model, llmar, sources):
    say(monkeypatch, b"\xef\xbb\xbf" + "\r\n".join(sources).encode() + b"\r\n")
    assert run(capsys, "generate", model)[0] == llmar.generate(sources)


def test_jsonl_has_source_and_text(capsys, model, llmar, sources, file):
    out, _ = run(capsys, "generate", model, file, "--jsonl")
    found = [json.loads(line) for line in out]
    for line, source, answer in zip(found, sources, llmar.answer(sources), strict=True):
        assert list(line) == ["source", "text", "confidence", "unknown"]
        assert (line["source"], line["text"]) == (source, answer.text)
        assert line["confidence"] == pytest.approx(answer.confidence, abs=1e-4)
        assert line["unknown"] == []
    assert any("ä" in line for line in out)  # as it is, not escaped


def test_options_of_beam_search(capsys, model, llmar, sources):
    out, _ = run(
        capsys, "generate", model, "--text", sources[0],
        "--method", "beam", "--beam-size", "2", "--length-power", "0",
    )  # fmt: skip
    assert out == [llmar.generate(sources[0], method="beam", beam_size=2, length_power=0.0)]
    for option in ("--beam-size", "--length-power"):
        message = refused("generate", model, "--text", "x", option, "1")
        assert option in message
        assert "is for --method beam" in message


def test_unknown_words_are_said_beside_the_text(capsys, model):
    out, err = run(capsys, "generate", model, "--text", "Ein großer Wal springt.")
    assert len(out) == 1
    assert any(re.match(r"unknown: .*wal", line) for line in err)


def test_blank_lines_stay_blank_and_in_their_places(capsys, monkeypatch, model, llmar, sources):
    say(monkeypatch, f"\n{sources[0]}\n \n\n{sources[1]}\n\n".encode())
    first, second = llmar.generate(sources[:2])
    for size in ("1", "2", "512"):
        sys.stdin.seek(0)
        out, _ = run(capsys, "generate", model, "--batch-size", size)
        assert out == ["", first, "", "", second, ""]


def test_an_empty_input_gives_an_empty_output(capsys, monkeypatch, model):
    say(monkeypatch, b"")
    assert run(capsys, "generate", model) == ([], [])


@pytest.mark.parametrize("method", ["csls", "best_of", "beam"])
def test_the_method_is_the_one_asked_for(capsys, model, llmar, sources, file, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = llmar.generate(sources, method=method)
    assert run(capsys, "generate", model, file, "--method", method)[0] == expected


def test_a_text_of_several_lines_is_written_on_one(capsys, monkeypatch, model, sources):
    several = Answer("two\nlines", None)
    monkeypatch.setattr(LLMAR, "answer", lambda self, texts, **_: [several] * len(texts))
    assert run(capsys, "generate", model, "--text", sources[0])[0] == ["two lines"]
    (line,) = run(capsys, "generate", model, "--text", sources[0], "--jsonl")[0]
    assert json.loads(line)["text"] == "two\nlines"


def test_texts_that_are_cut_are_a_note(capsys, model, llmar, sources, tmp_path):
    folder = tmp_path / "short"
    llmar.save(folder)
    manifest = json.loads((folder / "model.json").read_text())
    manifest["config"]["max_length"] = 2
    (folder / "model.json").write_text(json.dumps(manifest))
    out, err = run(capsys, "generate", f"--model={folder}", "--text", sources[0])
    assert len(out) == 1
    assert "note: 1 of 1 texts are longer than max_length=2 vectors and were cut" in err


def test_the_command_runs_by_its_name(model, llmar, sources):
    command = [sys.executable, "-m", "agents", "generate", model, "--device", "cpu"]
    outcome = subprocess.run(
        command,
        input=sources[0] + "\n",
        cwd=REPOSITORY,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines() == [llmar.generate(sources[0])]


# ---------------------------------------------------------------------------- refine


def test_refine_writes_lines_and_counts(capsys, model, llmar, sources, file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refined = llmar.refine(sources, 0.9, 2)
    out, err = run(capsys, "refine", model, file, "--threshold", "0.9", "--max-rounds", "2")
    assert out == [text.text for text in refined]
    assert err[-1] == f"{sum(text.reached for text in refined)} of 12 texts have reached 0.9"


def test_refine_as_jsonl_has_the_scores_of_each_round(capsys, model, llmar, sources, file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refined = llmar.refine(sources, 0.97, 3)
    arguments = ("--threshold", "0.97", "--max-rounds", "3", "--jsonl")
    out, _ = run(capsys, "refine", model, file, *arguments)
    for line, source, text in zip(out, sources, refined, strict=True):
        found = json.loads(line)
        fields = ["source", "text", "scores", "reached", "confidence", "unknown"]
        assert list(found) == fields
        assert (found["source"], found["text"]) == (source, text.text)
        assert found["scores"] == pytest.approx(text.scores)
        assert found["reached"] == text.reached


# ---------------------------------------------------------------------------- evaluate


@pytest.fixture
def data(words, tmp_path):
    """The 12 sentences that nobody trained on, as a TSV file, and their targets."""
    sources, targets = words.sources[33:], words.targets[33:]
    lines = [f"{s}\t{t}" for s, t in zip(sources, targets, strict=True)]
    path = tmp_path / "test.tsv"
    path.write_text("\n".join(["de\ten", *lines]) + "\n", "utf-8")
    return ["--data", str(path), "--source-column", "de", "--target-column", "en"]


def test_evaluate_has_sacrebleus_numbers_of_the_lines_generated(
    capsys, monkeypatch, model, words, data
):
    sources, targets = words.sources[33:], list(words.targets[33:])
    say(monkeypatch, "\n".join(sources).encode())
    written, _ = run(capsys, "generate", model)
    (line,), _ = run(capsys, "evaluate", model, *data, "--jsonl")
    found = json.loads(line)
    assert found["texts"] == 12
    bleu, chrf = BLEU(), CHRF()
    assert found["bleu_13a"] == pytest.approx(bleu.corpus_score(written, [targets]).score)
    assert found["chrf"] == pytest.approx(chrf.corpus_score(written, [targets]).score)
    assert found["signatures"]["bleu_13a"] == str(bleu.get_signature())
    assert found["signatures"]["chrf"] == str(chrf.get_signature())
    names = {"bleu_13a", "bleu_tok", "chrf", "rouge_l", "alignment", "p_at_1"}
    also = {"texts", "signatures", "with_unknown_words", "reliability", "intervals"}
    assert set(found) == {*also, *names}
    right = [one == target for one, target in zip(written, targets, strict=True)]
    assert found["reliability"]["right"] == pytest.approx(np.mean(right))
    assert found["reliability"]["answers"] == 12


def test_evaluate_prints_a_table_and_the_signatures(capsys, model, data):
    (line,), _ = run(capsys, "evaluate", model, *data, "--jsonl", "--batch-size", "5")
    scores = json.loads(line)
    out = "\n".join(run(capsys, "evaluate", model, *data, "--batch-size", "5")[0])
    for column in ("BLEU 13a", "BLEU tok", "chrF", "ROUGE-L", "alignment", "P@1"):
        assert column in out
    assert f"{scores['bleu_tok']:.2f}" in out
    assert f"{scores['alignment']:.3f}" in out
    error = scores["reliability"]["calibration_error"]
    assert f"expected calibration error {error:.3f}" in " ".join(out.split())
    for signature in scores["signatures"].values():
        assert signature in out


def test_evaluate_scores_vectors_too(capsys, aligning, words, data):
    argument, llmar = aligning
    (line,), _ = run(capsys, "evaluate", argument, *data, "--jsonl")
    found = json.loads(line)
    sources, targets = words.sources[33:], words.targets[33:]
    answers = llmar.generate(sources)
    each = [llmar.score(text, answer) for text, answer in zip(targets, answers, strict=True)]
    assert found["alignment"] == pytest.approx(np.mean(each), abs=1e-5)
    also = {"texts", "signatures", "with_unknown_words", "reliability", "intervals"}
    assert set(found) == {*also, "alignment", "p_at_1", "p_at_10", "mrr"}
    assert found["reliability"]["right"] == pytest.approx(found["p_at_1"])
    assert found["signatures"] == {}


def test_evaluate_has_intervals_and_differences(capsys, model, words, data, tmp_path):
    """A file of the right answers is ahead of one of others by what their scores differ."""
    targets = words.targets[33:]
    best, worse = tmp_path / "best.txt", tmp_path / "worse.txt"
    best.write_text("\n".join(targets) + "\n", "utf-8")
    worse.write_text("\n".join([*targets[:6], *["The dog"] * 6]) + "\n", "utf-8")
    options = [model, *data, "--answers", str(best), "--against", str(worse)]
    (line,), _ = run(capsys, "evaluate", *options, "--jsonl")
    found = json.loads(line)
    assert found["bleu_tok"] == pytest.approx(100)
    assert found["intervals"]["bleu_tok"]["low"] == pytest.approx(100)
    assert "reliability" not in found  # nobody said how sure the lines of a file are
    against = found["against"]
    assert against["name"] == str(worse)
    for name in ("bleu_13a", "bleu_tok", "chrf", "rouge_l", "alignment", "p_at_1"):
        one = against["intervals"][name]
        assert one["low"] <= one["value"] <= one["high"]
        assert one["value"] == pytest.approx(against[name], abs=1e-6)
        difference = against["difference"][name]
        assert difference["mean"] == pytest.approx(found[name] - against[name], abs=1e-6)
    assert against["difference"]["chrf"]["low"] > 0
    out = "\n".join(run(capsys, "evaluate", *options)[0])
    assert f"{against['difference']['chrf']['mean']:+.2f}" in out
    # The model itself against the file.
    (line,), _ = run(capsys, "evaluate", model, *data, "--against", str(worse), "--jsonl")
    assert json.loads(line)["against"]["bleu_tok"] == pytest.approx(against["bleu_tok"])


def test_evaluate_compares_two_models(capsys, model, aligning, data):
    folder = model.removeprefix("--model=")
    (line,), _ = run(capsys, "evaluate", model, *data, "--against", folder, "--jsonl")
    difference = json.loads(line)["against"]["difference"]
    assert difference["bleu_tok"] == {"mean": 0, "low": 0, "high": 0}
    argument, _ = aligning
    same = argument.removeprefix("--model=")
    (line,), _ = run(capsys, "evaluate", argument, *data, "--against", same, "--jsonl")
    found = json.loads(line)
    assert found["against"]["difference"]["alignment"]["mean"] == 0
    assert found["intervals"]["alignment"]["value"] == pytest.approx(found["alignment"], abs=1e-6)


def test_answers_that_do_not_fit(capsys, model, aligning, data, tmp_path):
    few = tmp_path / "few.txt"
    few.write_text("A dog\n", "utf-8")
    options = [*data, "--answers", str(few)]
    assert "has 1 answers for 12 texts" in refused("evaluate", model, *options)
    nul = tmp_path / "nul.txt"
    nul.write_bytes(b"A dog\n" * 11 + b"A\0dog\n")
    answers = ["--answers", str(nul)]
    assert "line 12 has a NUL character" in refused("evaluate", model, *data, *answers)
    answers = ["--answers", str(tmp_path)]
    assert "--answers must be a file" in refused("evaluate", model, *data, *answers)
    assert "--method decodes answers" in refused("evaluate", model, *options, "--method", "beam")
    argument, _ = aligning
    assert "answers with vectors" in refused("evaluate", argument, *options)


# ---------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "Ein Hund", "--file", "texts.txt"], "give --text or --file, not both"),
        (["--text", " "], "--text is blank"),
        (["--text", "Ein Hund", "--batch-size", "0"], "--batch-size must be at least 1, found 0"),
        (["--file", "nowhere.txt"], "nowhere.txt"),
        (["--text", "Ein Hund", "--device", "cuda:9"], "no device 'cuda:9' on this machine"),
    ],
)
def test_mistakes_end_in_one_line(model, arguments, message):
    device = [] if "--device" in arguments else ["--device", "cpu"]
    with pytest.raises(SystemExit) as caught:
        cli(["generate", model, *arguments, *device])
    assert caught.value.code.startswith("error: ")
    assert message in caught.value.code
    assert "\n" not in caught.value.code


def test_a_threshold_that_no_text_could_reach(model):
    message = refused("refine", model, "--text", "Ein Hund", "--threshold", "1.5")
    assert "threshold must lie in (0, 1], found 1.5" in message


def test_a_folder_without_a_model(tmp_path):
    message = refused("generate", f"--model={tmp_path}", "--text", "Ein Hund")
    assert message.endswith(
        f"{tmp_path} contains no model: it is empty; a training that is cut off leaves none"
    )
    (tmp_path / "notes.txt").write_text("")
    message = refused("generate", f"--model={tmp_path}", "--text", "Ein Hund")
    assert message.endswith(f"{tmp_path} contains no model: there is no model.json in it")


@pytest.mark.parametrize("command", ["generate", "refine"])
def test_a_model_that_answers_with_vectors_writes_nothing(command, aligning):
    message = refused(command, aligning[0], "--text", "Ein Hund")
    assert "answers with vectors and cannot write texts" in message
    assert "LLMAR/Generate-v0" in message


def test_bytes_that_are_no_text_are_named_by_their_line(monkeypatch, model):
    say(monkeypatch, b"Ein Hund\nEin \xff\n")
    assert refused("generate", model).endswith(
        "standard input, line 2 is not UTF-8: invalid start byte"
    )


def test_columns_that_are_not_there(model, data):
    message = refused("evaluate", model, *data[:2])
    assert "'source'" in message
    assert "'de'" in message


def test_a_target_column_that_is_empty_is_named_by_its_line(model, tmp_path):
    path = tmp_path / "test.tsv"
    path.write_text("source\ttarget\nEin Hund\tA dog\nEin Ball\t\n", "utf-8")
    assert "line 3" in refused("evaluate", model, "--data", str(path))


# ---------------------------------------------------------------------------- encodings


def process(*arguments, data=b"", **variables):
    """A command in a process of its own, with bytes in and out."""
    command = [sys.executable, "-m", "agents", *arguments, "--device", "cpu"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUTF8"}
    outcome = subprocess.run(
        command,
        input=data,
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
        env=environment | variables,
    )
    assert b"Traceback" not in outcome.stderr
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("locale", [{"LC_ALL": "POSIX"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_texts_are_utf_8_whatever_the_locale(model, llmar, locale):
    text = "Ein kleiner Vogel schläft, Anna!"
    expected = llmar.generate(text)
    outcome = process("generate", model, b"--text=" + text.encode(), **locale)
    assert outcome.stdout.decode().splitlines() == [expected]
    outcome = process("generate", model, "--jsonl", data=text.encode(), **locale)
    found = json.loads(outcome.stdout)
    assert (found["source"], found["text"]) == (text, expected)


def test_an_argument_that_is_not_utf_8_is_named_by_its_byte(model):
    outcome = process("generate", model, b"--text=Ein \xe4lter Hund")
    (line,) = outcome.stderr.decode().splitlines()
    assert line == "error: --text: byte 0xE4 at byte offset 4 (from 0) is not UTF-8"


def test_a_lone_surrogate_in_an_argument_is_one_line(model):
    assert "--text: " in refused("generate", model, "--text", "Ein \ud800 Hund")


def test_a_file_name_that_is_not_utf_8_is_quoted_in_its_message(model):
    outcome = process("generate", model, b"--file=n\xe4chste.txt")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith(b"error: no file n")
    assert outcome.returncode == 1


@pytest.mark.slow
def test_an_encoding_of_the_output_that_lacks_a_character(model, tmp_path, words):
    path = tmp_path / "pairs.tsv"
    path.write_text("source\ttarget\nEin Hund 狗\tA dog 狗\n", "utf-8")
    to_cp1252 = {"PYTHONIOENCODING": "cp1252"}
    outcome = process("evaluate", model, "--data", str(path), **to_cp1252)
    assert outcome.returncode == 0, outcome.stderr
    outcome = process("generate", model, "--jsonl", data="狗 Hund".encode(), **to_cp1252)
    assert json.loads(outcome.stdout)["source"] == "狗 Hund"


def test_a_written_text_that_the_output_cannot_hold_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "cp1252"))
    print_text("ä dog")
    with pytest.raises(ValueError, match=r"cp1252, which has no U\+72D7 .*PYTHONIOENCODING=utf-8"):
        print_text("a 狗")


# ---------------------------------------------------------------------------- files


@pytest.mark.parametrize("command", ["generate", "refine", "evaluate"])
def test_every_command_reads_files_by_the_same_options(
    capsys, monkeypatch, model, llmar, tmp_path, command
):
    """A CSV of other columns with a bad row, from a file of any name and from standard input."""
    text = "de,en\nEin kleiner Hund lacht,A small dog laughs\n,A dog\nEin roter Ball lacht,Red\n"
    path = tmp_path / "texts.data"
    path.write_text(text, "utf-8")
    options = ["--source-column", "de", "--format", "csv", "--jsonl"]
    options += ["--target-column", "en"] if command == "evaluate" else []
    flag = "--data" if command == "evaluate" else "--file"
    found = []
    for name in (str(path), "-"):
        say(monkeypatch, text.encode())
        assert "line 3" in refused(command, model, flag, name, *options)
        say(monkeypatch, text.encode())
        out, err = run(capsys, command, model, flag, name, *options, "--on-bad-row", "skip")
        assert "skipped 1 bad row" in "\n".join(err)
        found.append([json.loads(line) for line in out])
    lines, others = found
    assert lines == others
    if command == "evaluate":
        assert lines[0]["texts"] == 2
    else:
        assert [line["source"] for line in lines] == [
            "Ein kleiner Hund lacht",
            "Ein roter Ball lacht",
        ]


def test_train_reads_standard_input_too(capsys, monkeypatch, tmp_path, words):
    pairs = zip(words.sources, words.targets, strict=True)
    text = "source\ttarget\n" + "".join(f"{s}\t{t}\n" for s, t in pairs)
    arguments = ["train", "--runs", str(tmp_path), "--no-supervised", "--total-steps", "64"]
    arguments += ["--dim", "8", "--hidden-dim", "8", "--num-texts", "8", "--group-size", "4"]
    say(monkeypatch, text.encode())
    assert "name the format of standard input" in refused(*arguments, "--data", "-")
    say(monkeypatch, text.encode())
    run(capsys, *arguments, "--data", "-", "--format", "tsv", "--no-progress")
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("stdin-reinforce")
    assert json.loads((folder / "results.json").read_text("utf-8"))["config"]["data"] == "-"


def test_mistakes_in_the_texts_come_before_the_folder_of_the_run(tmp_path):
    path = tmp_path / "texts.tsv"
    path.write_text("source\ttarget\nEin Hund\tA dog\nEin Ball\t\n", "utf-8")
    runs = tmp_path / "runs"
    assert "line 3" in refused("train", "--data", str(path), "--runs", str(runs))
    assert not runs.exists()


def test_blank_lines_have_all_fields_of_an_answer(capsys, monkeypatch, model, sources):
    say(monkeypatch, f"\n{sources[0]}\n".encode())
    blank, written = map(json.loads, run(capsys, "refine", model, "--jsonl")[0])
    empty = {"source": "", "text": "", "scores": [], "reached": False}
    assert blank == empty | {"confidence": None, "unknown": []}
    assert blank.keys() == written.keys()


def test_one_target_for_all_is_a_note(capsys, model, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("source\ttarget\nEin Hund\tA dog\nEin Ball\tA dog\n", "utf-8")
    _, err = run(capsys, "evaluate", model, "--data", str(path))
    assert any(line.startswith("note: the 2 targets of") for line in err)


@pytest.mark.parametrize("command", ["generate", "refine"])
def test_lines_that_are_not_utf_8_can_be_skipped(capsys, monkeypatch, model, sources, command):
    say(monkeypatch, sources[0].encode() + b"\nEin \xff\n" + sources[1].encode())
    out, err = run(capsys, command, model, "--on-bad-row", "skip")
    [note] = [line for line in err if "were read as blank" in line]
    assert note.startswith("note: standard input: 1 lines that are not UTF-8")
    assert [bool(line) for line in out] == [True, False, True]


# ---------------------------------------------------------------------------- train


def test_train_is_train_py(capsys, monkeypatch):
    taken = []
    monkeypatch.setattr("agents.commands.train.main", taken.append)
    arguments = ["--algo", "sac", "--seed", "3", "--set", "batch_size=64", "--no-progress"]
    cli(["train", *arguments])
    train.cli(arguments)
    first, second = taken
    assert first == second
    assert (first.algorithm.algo, first.run.seed, first.run.progress) == ("sac", 3, False)
    assert first.algorithm.settings == (("batch_size", 64),)


def test_what_train_leaves_can_be_evaluated(capsys, tmp_path, data):
    arguments = ["--no-supervised", "--no-progress", "--total-steps", "256", "--hidden-dim", "8"]
    arguments += ["--num-texts", "8", "--group-size", "4", "--dim", "16", "--name", "short"]
    arguments += ["--valid", data[1], "--runs", str(tmp_path)]
    out, _ = run(capsys, "train", *data, *arguments)
    assert "Scores on valid" in "\n".join(out)
    (line,), _ = run(capsys, "evaluate", f"--model={tmp_path / 'short'}", *data, "--jsonl")
    assert json.loads(line)["texts"] == 12


# ---------------------------------------------------------------------------- help


def help_of(capsys, *arguments, **options):
    with pytest.raises(SystemExit) as caught:
        cli([*arguments, "--help"], **options)
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_explains_every_command(capsys):
    for command in ("generate", "refine", "evaluate"):
        text = help_of(capsys, command)
        for option in ("--model", "--device", "--method", "--batch-size", "--jsonl"):
            assert option in text


def test_help_has_one_line_for_each_command(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.strip("│ ") for line in help_of(capsys).splitlines()]
    commands = [line.split(maxsplit=2)[1:] for line in lines if line.startswith("•")]
    assert [name for name, _ in commands] == [
        "train",
        "generate",
        "refine",
        "evaluate",
        "search",
        "fit-alignment",
        "rerank",
        "cache",
    ]
    assert all(text.endswith(".") for _, text in commands)
    first = lines.index("(required)") + 1
    assert all(line.startswith("•") for line in lines[first : first + 8])
    assert not re.search(r"\w", lines[first + 8])  # no line goes on below


def test_help_names_the_program_as_it_was_called(capsys):
    assert help_of(capsys).startswith(
        "usage: llmar [-h] {train,generate,refine,evaluate,search,fit-alignment,rerank,cache}"
    )
    assert help_of(capsys, "train").startswith("usage: llmar train ")
    for command, name in ((["-m", "agents"], "python -m agents"), (["train.py"], "train.py")):
        outcome = subprocess.run(
            [sys.executable, *command, "--help"],
            cwd=REPOSITORY,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert outcome.stdout.startswith(f"usage: {name} [-h]")


# ---------------------------------------------------------------------------- errors


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError, gymnasium.error.UnregisteredEnv])
def test_errors_that_a_user_can_correct_are_one_line(error):
    with pytest.raises(SystemExit) as caught, report_errors():
        raise error("no such thing")
    assert caught.value.code == "error: no such thing"


def test_other_errors_keep_their_traceback():
    with pytest.raises(RuntimeError, match="a bug"), report_errors():
        raise RuntimeError("a bug")


def test_an_interruption_is_a_word():
    with pytest.raises(SystemExit, match="interrupted"), report_errors():
        raise KeyboardInterrupt


def test_a_reader_that_has_read_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    outcome = subprocess.run(
        [sys.executable, "train.py", "--help"],
        cwd=REPOSITORY,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (outcome.returncode, outcome.stderr) == (0, b"")


def test_the_cache_is_shown_and_cleared(tmp_path, monkeypatch, capsys):
    shard = Shard(
        text_digests(["one", "two"]),
        np.array([0, 1, 3]),
        np.eye(3, dtype=np.float32),
        np.zeros(2, np.bool_),
    )
    EmbeddingCache(tmp_path).write("0" * 24, {"spec": "st:some/model"}, shard)
    cli(["cache", "--cache", str(tmp_path)])
    printed = capsys.readouterr().out
    [row] = [line for line in printed.splitlines() if "st:some/model" in line]
    assert re.findall(r"\d+", row.replace("st:some/model", ""))[0] == "2"
    monkeypatch.setenv("LLMAR_CACHE", str(tmp_path))
    cli(["cache", "--clear"])
    assert "freed" in capsys.readouterr().out
    assert EmbeddingCache(tmp_path).models() == []
    monkeypatch.setenv("LLMAR_CACHE", "none")
    for arguments in (["cache"], ["cache", "--cache", "none"]):
        with pytest.raises(SystemExit, match=r"error: .*none"):
            cli(arguments)


# ---------------------------------------------------------------------------- drafts


def test_refine_corrects_drafts_of_a_file(capsys, model, llmar, sources, tmp_path):
    texts, drafts = tmp_path / "texts.txt", tmp_path / "drafts.txt"
    texts.write_text("\n".join([*sources[:2], "", sources[2]]) + "\n", "utf-8")
    drafts.write_text("A dog\n\nskipped\nA red ball\n", "utf-8")
    options = ["--file", str(texts), "--drafts", str(drafts), "--jsonl", "--max-rounds", "2"]
    found = [json.loads(line) for line in run(capsys, "refine", model, *options)[0]]
    expected = llmar.refine(sources[:3], max_rounds=2, draft=["A dog", "", "A red ball"])
    written = [one for one in found if one["source"]]
    assert [one["text"] for one in written] == [one.text for one in expected]
    assert [one["scores"] for one in written] == [
        pytest.approx(one.scores, abs=1e-4) for one in expected
    ]


@pytest.mark.parametrize(("lines", "which"), [(1, "fewer"), (3, "more")])
def test_drafts_that_are_not_as_many_as_the_texts(model, sources, tmp_path, lines, which):
    texts, drafts = tmp_path / "texts.txt", tmp_path / "drafts.txt"
    texts.write_text("\n".join(sources[:2]) + "\n", "utf-8")
    drafts.write_text("A dog\n" * lines, "utf-8")
    options = ["--file", str(texts), "--drafts", str(drafts)]
    assert f"has {which} drafts than texts" in refused("refine", model, *options)
    assert "--method decodes drafts" in refused("refine", model, *options, "--method", "beam")


def drafts_file(folder, sources):
    path = folder / "drafts.tsv"
    rows = [(text, draft) for text in sources for draft in ("A red ball", "An old tree laughs")]
    path.write_text("\n".join(["source\tdraft", *map("\t".join, rows)]) + "\n", "utf-8")
    return path


def test_rerank_by_a_writer(capsys, model, llmar, sources, tmp_path):
    path = drafts_file(tmp_path, sources[:3])
    options = ["--drafts", str(path), "--max-rounds", "1"]
    found = [json.loads(line) for line in run(capsys, "rerank", model, *options, "--jsonl")[0]]
    assert [one["source"] for one in found] == sources[:3]
    texts = [text for text in sources[:3] for _ in range(2)]
    refined = llmar.refine(texts, max_rounds=1, draft=["A red ball", "An old tree laughs"] * 3)
    for place, one in enumerate(found):
        scores = [draft["score"] for draft in one["drafts"]]
        assert scores == sorted(scores, reverse=True)
        pair = refined[2 * place : 2 * place + 2]
        assert {draft["text"] for draft in one["drafts"]} == {each.text for each in pair}
        best = max(pair, key=lambda each: each.scores[-1])
        assert one["drafts"][0]["score"] == pytest.approx(best.scores[-1], abs=1e-4)
    plain, _ = run(capsys, "rerank", model, *options)
    assert plain == [one["drafts"][0]["text"] for one in found]


def test_lists_of_drafts(capsys, model, sources, tmp_path):
    path = tmp_path / "drafts.jsonl"
    lines = [{"source": sources[0], "drafts": ["A dog", "A ball"]}, {"source": "Ein", "drafts": []}]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")
    out, _ = run(capsys, "rerank", model, "--drafts", str(path))
    assert out[0] in ("A dog", "A ball")
    assert out[1] == ""
    path.write_text('{"source": "x", "drafts": ["a"]}\n{"source": "x", "drafts": "a"}\n')
    assert "line 2 must be" in refused("rerank", model, "--drafts", str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--drafts or --drafter must be given"),
        (["--drafts", "a.tsv", "--drafter", "hf:x"], "and not both"),
        (["--drafts", "nowhere.tsv"], "nowhere.tsv"),
        (["--drafts", "a.tsv", "--text", "x"], "has the texts too"),
        (["--drafter", "gpt2", "--text", "x"], "a drafter is hf:PATH_OR_NAME"),
        (["--drafter", "hf:x", "--text", "x", "--prompt", "Translate"], "--prompt needs {text}"),
    ],
)
def test_mistakes_of_rerank(model, options, message):
    assert message in refused("rerank", model, *options)
