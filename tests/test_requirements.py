"""The bounds of pyproject.toml, and the constraints that `.ci/run` installs."""

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

# Stable-Baselines3 asks for this; the tests run with a later one.
TORCH = "2.8"


def name_of(requirement):
    """A package's name, in lower case with hyphens."""
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def requirements(extra=None):
    """Requirements of the project, or of an extra with those that it includes, as (name, range)."""
    for one in PROJECT["dependencies"] if extra is None else EXTRAS[extra]:
        if included := re.fullmatch(r"llmar\[(.+)\]", one):
            for other in included[1].split(","):
                yield from requirements(other)
        else:
            name, bounds = re.fullmatch(r"([\w.-]+?)(?:\[.+\])?([<>=!~].*)?", one).groups()
            yield name_of(name), bounds or ""


def lowest(bounds):
    """The lower bound of a range, such as "2.0" of ">=2.0,<3"."""
    found = re.search(r">=([\w.]+)", bounds)
    return found and found[1]


def pinned(file):
    """Versions by name, of a file of `==` pins."""
    lines = (REPOSITORY / file).read_text("utf-8").splitlines()
    pins = [re.fullmatch(r"(\S+)==(\S+)", line) for line in lines if not line.startswith("#")]
    versions = {name_of(pin[1]): pin[2] for pin in pins}
    assert len(versions) == len(pins), f"{file} pins a package twice"
    return versions


# All that the tests import.
DIRECT = [*requirements(), *requirements("test")]


def test_every_requirement_has_a_lower_bound():
    assert len(DIRECT) > 20
    assert [name for name, bounds in DIRECT if lowest(bounds) is None] == []


def test_a_package_has_one_range():
    ranges = {}
    for extra in (None, *EXTRAS):
        for name, bounds in requirements(extra):
            assert ranges.setdefault(name, bounds) == bounds, name


def test_the_lowest_constraints_are_the_lower_bounds():
    expected = {name: lowest(bounds) for name, bounds in DIRECT}
    versions = pinned("constraints-lowest.txt")
    assert expected.pop("torch") == TORCH
    assert versions.pop("torch") == pinned("constraints.txt")["torch"]
    assert versions == expected


@pytest.mark.parametrize("name", sorted({name for name, _ in DIRECT}))
def test_what_was_tested_lies_in_its_range(name):
    (bounds,) = {bounds for one, bounds in DIRECT if one == name}
    version = numbers(pinned("constraints.txt")[name])
    assert numbers(lowest(bounds)) <= version
    if below := re.search(r"<([\d.]+)", bounds):
        assert version < numbers(below[1])


def numbers(version):
    return tuple(int(number) for number in re.findall(r"\d+", version))


def test_the_checks_run_the_suite_with_them():
    checks = (REPOSITORY / ".ci" / "run").read_text("utf-8")
    assert "constraints-lowest.txt" in checks + (REPOSITORY / "Makefile").read_text("utf-8")
