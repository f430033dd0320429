"""Checkouts to compare: folders or revisions, each run with its own packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROBE = """
import json, agents, llmar_env, torch
files = [agents.__file__, llmar_env.__file__]
print(json.dumps({"files": files, "threads": torch.get_num_threads()}))
"""


class BenchmarkError(Exception):
    """Nothing can be measured; the message says why."""


@dataclass(frozen=True)
class Side:
    """A checkout to measure."""

    name: str  # old or new
    given: str  # on the command line
    tree: Path
    commit: str | None  # None if the folder is not in a git repository
    scratch: Path  # for the files that its runs write

    def run(self, arguments: Sequence[str | Path]) -> str:
        """Run Python with this side's packages; returns what it printed.

        Raises:
            BenchmarkError: the process failed.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.tree,
            env=os.environ | {"PYTHONPATH": str(self.tree)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            command = " ".join(str(one) for one in arguments if one != _PROBE)
            raise BenchmarkError(
                f"{self.name} ({self.given}): python {command} ended with {done.returncode}:\n"
                + done.stderr[-2000:]
            )
        return done.stdout

    def check_packages(self) -> int:
        """Reject packages of another checkout; returns torch's number of threads.

        Raises:
            BenchmarkError: `agents` or `llmar_env` is not this side's own.
        """
        found = json.loads(self.run(["-P", "-c", _PROBE]))
        for file in found["files"]:
            if not Path(file).resolve().is_relative_to(self.tree):
                raise BenchmarkError(
                    f"{self.name} ({self.given}): imports {file}, which is not in {self.tree}"
                )
        return int(found["threads"])


def git(*arguments: str, cwd: Path | None = None) -> str | None:
    """The output of a git command, or None if it fails."""
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


@contextmanager
def open_side(name: str, given: str, scratch: Path) -> Iterator[Side]:
    """Open a folder or a revision; the worktree of a revision is removed at the end.

    Raises:
        BenchmarkError: there is no such folder or revision.
    """
    scratch = scratch / name
    scratch.mkdir()
    if Path(given).is_dir():
        tree = Path(given).resolve()
        commit = git("rev-parse", "HEAD", cwd=tree)
        if commit and git("status", "--porcelain", cwd=tree):
            commit += " with changes"
        yield Side(name, given, tree, commit, scratch)
        return
    commit = git("rev-parse", "--verify", "--quiet", f"{given}^{{commit}}")
    if not commit:
        raise BenchmarkError(
            f"{name}: {given!r} is neither a folder nor a revision of {Path.cwd()}"
        )
    tree = (scratch / "tree").resolve()
    try:
        if git("worktree", "add", "--detach", str(tree), commit) is None:
            raise BenchmarkError(f"{name}: git cannot check {given!r} out into {tree}")
        yield Side(name, given, tree, commit, scratch)
    finally:
        git("worktree", "remove", "--force", str(tree))
