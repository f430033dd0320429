"""Progress bars, on pseudo terminals of several widths and in a log, by a fake clock."""

import io
import itertools
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from llmar_env.progress import ProgressBar

termios = pytest.importorskip("termios", reason="needs pseudo terminals")
LONG_NOTE = "bleu_tok 34.56, 123,456 steps/s"


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    """A stream that keeps what is written, with the width of a pseudo terminal."""

    def __init__(self, descriptor):
        super().__init__()
        self.descriptor = descriptor

    def fileno(self):
        return self.descriptor

    def isatty(self):
        return True


@pytest.fixture
def terminal():
    """A function that makes a stream to a pseudo terminal, and a function that reads from it."""
    opened = []

    def make(columns):
        opened.extend(os.openpty())
        termios.tcsetwinsize(opened[-1], (24, columns))
        stream = Terminal(opened[-1])
        return stream, stream.getvalue

    yield make
    for descriptor in opened:
        os.close(descriptor)


def frames(text):
    """What each frame shows."""
    return [frame for frame in text.replace("\n", "").split("\r") if frame]


@pytest.mark.parametrize("columns", [60, 61, 70, 80, 132])
@pytest.mark.parametrize("name", ["training", "cross-entropy", "supervised baseline"])
def test_every_frame_fits_and_nothing_is_cut_off(terminal, columns, name):
    stream, read = terminal(columns)
    clock = Clock()
    note = "" if name == "supervised baseline" else LONG_NOTE
    with ProgressBar(name, 200.0, stream=stream, clock=clock) as bar:
        for step in range(1, 201):
            clock.now += 40.0  # to more than two hours
            bar.update(step, note)
    shown = frames(read())
    assert len(shown) == 202  # the first and the last too
    assert max(map(len, shown)) < columns
    assert all(frame.startswith(name) for frame in shown)
    assert all(frame.rstrip().endswith(note) for frame in shown[1:])
    assert "100%" in shown[-1]
    assert "2:13:20" in shown[-1]


def test_the_bar_is_as_long_as_its_share():
    stream = io.StringIO()
    stream.isatty = lambda: True  # of no size: 80 columns
    clock = Clock()
    bar = ProgressBar("work", 4, stream=stream, clock=clock)
    clock.now += 30
    bar.advance(1)
    assert stream.getvalue().split("\r")[-1] == f"work  25% [{'#' * 14:.<55}] 00:30<01:30"


def test_a_narrow_terminal_loses_the_bar_then_the_note():
    stream, clock = io.StringIO(), Clock()
    bar = ProgressBar("cross-entropy", stream=stream, clock=clock)
    bar.update(0.5, LONG_NOTE)
    clock.now += 60
    whole = f"cross-entropy  50% 01:00<01:00 {LONG_NOTE}"
    assert bar._line(len(whole)) == whole
    assert bar._line(len(whole) - 1) == f"cross-entropy  50% 01:00 {LONG_NOTE}"
    assert bar._line(30) == "cross-entropy  50% 01:00"
    assert bar._line(10) == "cross-entr"


def test_frames_are_drawn_ten_times_a_second_and_cover_longer_ones(terminal):
    stream, read = terminal(100)
    clock = Clock()
    with ProgressBar("work", stream=stream, clock=clock) as bar:
        for step in range(1, 101):
            clock.now += 0.01
            bar.update(step / 100, "x" * (100 - step))
    shown = frames(read())
    assert 10 <= len(shown) <= 13
    for before, after in itertools.pairwise(shown):
        assert len(after) >= len(before.rstrip())


def test_a_log_gets_a_line_every_ten_seconds():
    stream, clock = io.StringIO(), Clock()
    with ProgressBar("training", stream=stream, clock=clock) as bar:
        for step in range(1, 1281):
            clock.now += 1 / 32  # 40 s in all
            bar.update(step / 1280, f"alignment {step / 1280:.2f}")
    text = stream.getvalue()
    assert "\r" not in text
    lines = text.splitlines()
    assert lines[0] == "training  25% 00:10<00:30 alignment 0.25"
    assert len(lines) == 4
    assert text.endswith("\n")


def test_a_rate_is_shown_of_what_is_counted():
    stream, clock = io.StringIO(), Clock()
    bar = ProgressBar("embedding", 9000, unit="texts", stream=stream, clock=clock)
    clock.now += 20
    bar.update(3000, "with a model")
    assert stream.getvalue() == "embedding  33% 00:20<00:40 150 texts/s with a model\n"


def test_work_of_less_than_ten_seconds_leaves_no_line_in_a_log():
    stream, clock = io.StringIO(), Clock()
    with ProgressBar("training", stream=stream, clock=clock) as bar:
        clock.now += 9
        bar.update(1.0)
    assert stream.getvalue() == ""


def test_nothing_is_shown_where_it_is_not_wanted(terminal):
    stream, read = terminal(80)
    clock = Clock()
    with ProgressBar("training", show=False, stream=stream, clock=clock) as bar:
        clock.now += 100
        bar.update(1.0)
    stream.write("end")
    stream.flush()
    assert read() == "end"


TRAINING = """
import sys
from agents import LLMAR, Config
from agents.config import RunConfig
sys.path.insert(0, {tests!r})
from conftest import flat_config
settings = {{"device": "cpu", "hidden_dim": 8, "dim": 8, "seed": 0}}
settings |= {{"num_texts": 4, "group_size": 4, "total_steps": 64, "algo": "reinforce"}}
pairs = [(f"der {{n}} Hund", f"the {{n}} dog") for n in range(30)]
from llmar_env.text.pairs import TextPairs
data = {{"train": TextPairs(*zip(*pairs)), "valid": TextPairs(*zip(*pairs[:4]))}}
LLMAR(flat_config(**settings, env={env!r}, **{more!r})).train(data)
print("end of output")
"""


@pytest.mark.parametrize(
    "env", ["LLMAR/Align-v0", pytest.param("LLMAR/Generate-v0", marks=pytest.mark.slow)]
)
def test_all_bars_of_a_run_are_on_standard_error_and_fit_into_60_columns(terminal, env):
    reader, writer = os.openpty()
    termios.tcsetwinsize(writer, (24, 60))
    writes = env.endswith("Generate-v0")
    more = {"warm_epochs": 1, "max_new_tokens": 6} if writes else {}
    script = TRAINING.format(tests=os.path.dirname(__file__), env=env, more=more)
    command = [sys.executable, "-W", "ignore", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writer) as run:
        os.close(writer)
        shown = b""
        with suppress(OSError):  # how Linux says that the other end is closed
            while piece := os.read(reader, 4096):
                shown += piece
        assert run.stdout.read() == b"end of output\n", shown
    os.close(reader)
    ours = [line for line in frames(shown.decode().replace("\r\n", "\r")) if "%" in line]
    assert max(map(len, ours)) < 60
    first = "cross-entropy" if writes else "supervised baseline"
    for name in (first, "training"):
        assert any(line.startswith(name) for line in ours), shown
