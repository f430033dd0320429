"""What the wheel must hold; `.ci/wheel` builds one and uses it."""

import tomllib
from pathlib import Path
from pkgutil import resolve_name

import pytest

import agents.__main__

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
PACKAGES = ("agents", "llmar_env")


def files(package):
    paths = (REPOSITORY / package).rglob("*")
    return [path for path in paths if path.is_file() and "__pycache__" not in path.parts]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_modules_is_a_package(package):
    # setuptools leaves the others out.
    for path in files(package):
        if path.suffix == ".py":
            assert (path.parent / "__init__.py").is_file(), path


@pytest.mark.parametrize("package", PACKAGES)
def test_every_other_file_is_declared(package):
    patterns = PROJECT["tool"]["setuptools"]["package-data"][package]
    declared = {path for pattern in patterns for path in (REPOSITORY / package).glob(pattern)}
    assert declared
    assert {path for path in files(package) if path.suffix != ".py"} == declared


def test_the_console_script_is_the_command_line():
    assert resolve_name(PROJECT["project"]["scripts"]["llmar"]) is agents.__main__.cli


def test_both_packages_are_packed():
    include = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(include) == {f"{package}*" for package in PACKAGES}
