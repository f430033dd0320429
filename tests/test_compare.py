import json
import subprocess
import sys

import compare
import pytest
from checkouts import BenchmarkError, open_side
from compare import Comparison, Options, order, slower

# What a fake benchmark measures is in the file speeds.json of its own tree.
FAKE = """
import json, sys
from pathlib import Path

tree = Path(__file__).parents[1]
with (tree.parent / "log").open("a") as log:
    print(Path.cwd().name, Path(__file__).name, *sys.argv[1:], file=log)
found = json.loads((tree / "speeds.json").read_text())[Path(__file__).stem]
Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps(found))
"""
WORDS = "throughput_words_per_second"


def write_tree(tree, rates, words=None):
    """A checkout whose packages are empty, and whose benchmarks give these rates at once."""
    for package in ("agents", "llmar_env", "benchmarks"):
        (tree / package).mkdir(parents=True, exist_ok=True)
        (tree / package / "__init__.py").touch()
    (tree / "torch.py").write_text("def get_num_threads(): return 3\n")
    for script in ("rates", "translation"):
        (tree / "benchmarks" / f"{script}.py").write_text(FAKE)
    translation = {} if words is None else {WORDS: words, f"{WORDS}_ppo": 1.0}
    speeds = {"rates": rates, "translation": translation}
    (tree / "speeds.json").write_text(json.dumps(speeds))


def git(tree, *arguments):
    own = ["-c", "user.name=N", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *own, *arguments]
    return subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of two commits, slow and then fast, which the working directory is."""
    tree = tmp_path / "repository"
    tree.mkdir()
    git(tree, "init", "--quiet")
    for name, rate in (("slow", 100.0), ("fast", 200.0)):
        write_tree(tree, {"steps": rate})
        git(tree, "add", "--all")
        git(tree, "commit", "--quiet", "-m", name)
        git(tree, "tag", name)
    monkeypatch.chdir(tree)
    return tree


@pytest.fixture
def folders(tmp_path):
    """Makes the folders "a" and "b" of the rates given, and returns them as arguments."""

    def make(old, new, **words):
        for name, rates in (("a", old), ("b", new)):
            write_tree(tmp_path / name, rates, words.get(name))
        return str(tmp_path / "a"), str(tmp_path / "b")

    return make


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "train.tsv").write_text("source\ttarget\n" + "ja\tyes\n" * 9000)
    return folder


def worktrees(tree):
    return git(tree, "worktree", "list", "--porcelain").count("worktree ")


# ---------------------------------------------------------------------------- pairs and ratios


def test_each_side_is_first_in_turn():
    assert order(3) == [("old", "new"), ("new", "old"), ("old", "new")]


def test_ratios_are_those_of_pairs():
    old = [{"x": 100.0}, {"x": 200.0}, {"x": 50.0}]
    new = [{"x": 90.0}, {"x": 300.0}, {"x": 50.0}]
    # By hand: 0.9, 1.5 and 1; medians 100 and 90, whose own ratio is another.
    assert compare.compare(old, new) == {"x": Comparison(100.0, 90.0, 1.0, 0.9, 1.5)}


def test_an_even_number_of_pairs_has_the_mean_of_the_middle_two():
    old = [{"x": 1.0}] * 4
    new = [{"x": rate} for rate in (4.0, 1.0, 2.0, 9.0)]
    assert compare.compare(old, new) == {"x": Comparison(1.0, 3.0, 3.0, 1.0, 9.0)}


def test_a_quantity_of_one_side_is_listed_as_such():
    found = compare.compare([{"x": 1.0, "gone": 2.0}], [{"x": 1.0, "come": 3.0}])
    assert found == {"x": Comparison(1.0, 1.0, 1.0, 1.0, 1.0), "gone": "old", "come": "new"}


@pytest.mark.parametrize(("ratio", "below"), [(0.969, ["x"]), (0.97, []), (1.2, [])])
def test_a_median_below_the_least_is_a_failure(ratio, below):
    assert slower({"x": Comparison(1.0, 1.0, ratio, 0.1, 2.0), "y": "old"}, 0.97) == below


# ---------------------------------------------------------------------------- whole runs


def test_two_folders_are_run_in_turns_each_on_its_own_benchmarks(folders, tmp_path, capsys):
    old, new = folders({"steps": 100.0}, {"steps": 90.0, "more": 1.0})
    report = tmp_path / "runs" / "report.json"
    assert compare.main(Options(old, new, pairs=3, json=report)) == 1
    ran = [line.split()[:2] for line in (tmp_path / "log").read_text().splitlines()]
    assert ran == [[name, "rates.py"] for name in "abbaab"]
    found = json.loads(report.read_text())
    assert found["quantities"]["steps"] == {
        "old": 100.0,
        "new": 90.0,
        "ratio": 0.9,
        "lowest": 0.9,
        "highest": 0.9,
    }
    assert found["quantities"]["more"] == {"only": "new"}
    assert found["threads"] == {"old": 3, "new": 3}
    assert found["commits"] == {"old": None, "new": None}
    shown = capsys.readouterr()
    assert "below 0.97: steps\n" in shown.out
    assert "only new has more\n" in shown.out
    assert "pair" in shown.err
    assert "pair" not in shown.out


def test_the_least_ratio_can_be_chosen(folders):
    old, new = folders({"steps": 100.0}, {"steps": 90.0})
    assert compare.main(Options(old, new, pairs=1, least=0.9)) == 0


def test_translation_is_warmed_once_a_side(folders, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old, new = folders({}, {}, a=1000.0, b=980.0)
    report = tmp_path / "report.json"
    options = Options(old, new, data.relative_to(tmp_path), ("translation",), 2, json=report)
    assert compare.main(options) == 0
    runs = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    parts = [(run[0], run[run.index("--part") + 1]) for run in runs]
    assert parts == [
        ("a", "warm"),
        ("a", "throughput"),
        ("b", "warm"),
        *[("b", "throughput")] * 2,
        ("a", "throughput"),
    ]
    assert all(run[run.index("--data") + 1] == str(data) for run in runs)
    found = json.loads(report.read_text())["quantities"]
    assert {name: one["ratio"] for name, one in found.items()} == {f"translation_{WORDS}": 0.98}


def test_the_first_texts_are_those_of_rates(data, tmp_path):
    lines = compare.head(data, tmp_path).read_text().splitlines()
    assert lines == ["source\ttarget", *["ja\tyes"] * 8000]


def test_a_side_without_rates_runs_the_one_beside_compare(folders, tmp_path, monkeypatch):
    old, new = folders({"steps": 100.0}, {"steps": 100.0})
    (tmp_path / "a" / "benchmarks" / "rates.py").unlink()
    beside = tmp_path / "c"
    write_tree(beside, {"steps": 400.0})
    monkeypatch.setattr(compare, "_RATES", beside / "benchmarks" / "rates.py")
    report = tmp_path / "report.json"
    assert compare.main(Options(old, new, pairs=1, json=report)) == 1
    assert json.loads(report.read_text())["quantities"]["steps"]["ratio"] == 0.25
    assert (tmp_path / "log").read_text().startswith("a rates.py")  # in the tree of its side


# ---------------------------------------------------------------------------- revisions


def test_revisions_are_checked_out_and_removed(repository, tmp_path):
    report = tmp_path / "report.json"
    assert compare.main(Options("slow", "fast", pairs=1, json=report)) == 0
    found = json.loads(report.read_text())
    assert found["quantities"]["steps"]["ratio"] == 2.0
    commits = git(repository, "rev-parse", "slow", "fast").split()
    assert [found["commits"][name] for name in ("old", "new")] == commits
    assert worktrees(repository) == 1


def test_a_folder_is_taken_as_it_is(repository, tmp_path):
    write_tree(repository, {"steps": 50.0})
    report = tmp_path / "report.json"
    assert compare.main(Options("fast", ".", pairs=1, json=report)) == 1
    found = json.loads(report.read_text())
    assert found["quantities"]["steps"]["ratio"] == 0.25
    head = git(repository, "rev-parse", "HEAD").strip()
    assert found["commits"] == {"old": head, "new": f"{head} with changes"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_worktrees_are_removed_after_an_error(repository, monkeypatch, error):
    seen = []

    def fail(sides, *_):
        seen.append((worktrees(repository), [side.tree for side in sides.values()]))
        raise error

    monkeypatch.setattr(compare, "measure", fail)
    with pytest.raises(error):
        compare.main(Options("slow", "fast"))
    [(count, trees)] = seen
    assert count == 3
    assert not any(tree.exists() for tree in trees)
    assert worktrees(repository) == 1


def test_an_unknown_revision_is_one_line(repository):
    command = [sys.executable, compare.__file__, "slow", "nowhere"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        f"compare.py: new: 'nowhere' is neither a folder nor a revision of {repository}\n"
    )
    assert worktrees(repository) == 1


# ---------------------------------------------------------------------------- what is refused


def test_packages_of_another_checkout_are_refused(folders, tmp_path):
    old, _ = folders({"steps": 1.0}, {"steps": 1.0})
    (tmp_path / "a" / "llmar_env" / "__init__.py").write_text(
        f"__file__ = {str(tmp_path / 'b' / 'llmar_env' / '__init__.py')!r}\n"
    )
    with open_side("old", old, tmp_path) as side, pytest.raises(BenchmarkError) as error:
        side.check_packages()
    assert str(error.value).startswith(f"old ({old}): imports {tmp_path / 'b'}")


def test_a_benchmark_that_fails_is_named_with_its_error(folders, tmp_path):
    old, new = folders({"steps": 1.0}, {"steps": 1.0})
    (tmp_path / "b" / "speeds.json").write_text("{}")
    with pytest.raises(BenchmarkError, match=r"(?s)^new \(.*rates\.py.* ended with 1:.*KeyError"):
        compare.main(Options(old, new, pairs=1))


def test_sides_with_nothing_in_common_are_refused(folders):
    old, new = folders({"steps": 1.0}, {"words": 1.0})
    with pytest.raises(BenchmarkError, match="no quantity in common"):
        compare.main(Options(old, new, pairs=1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": 0}, "--pairs must be at least 1, found 0"),
        ({"parts": ()}, "--parts must name at least one part"),
        ({"parts": ("translation",)}, "translation needs --data"),
    ],
)
def test_options_that_measure_nothing_are_refused(changes, message):
    with pytest.raises(BenchmarkError, match=message):
        compare.main(Options("a", "b", **changes))


def test_data_without_training_texts_are_refused(tmp_path):
    with pytest.raises(BenchmarkError, match=r"no train\.tsv in"):
        compare.main(Options("a", "b", data=tmp_path))
