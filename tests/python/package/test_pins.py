"""The pinned versions: they fit the lists in pyproject.toml, and all installations use them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
# The files, and the lists of pyproject.toml that they pin; as in scripts/pins.sh.
LISTS = {
    "development": ("build", "wheel", "test", "notebook", "spark", "ray", "docs"),
    "airflow": ("airflow", "airflow_test"),
}
LINE = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+(?: ; .+)?")


def listed(name: str) -> list[Requirement]:
    """The requirements of the lists that a file pins."""
    script = ROOT / "scripts" / "requirements.py"
    command = [sys.executable, script, *LISTS[name]]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [Requirement(line) for line in text.splitlines()]


def pinned(name: str, python: str) -> dict[str, str]:
    """The versions in a file for a version of Python on Linux."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    found: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate(environment(python)):
            key = canonicalize_name(requirement.name)
            assert key not in found, f"{key} has two versions"
            found[key] = str(requirement.specifier).removeprefix("==")
    return found


def environment(python: str) -> dict[str, str]:
    return {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}


def test_the_lists_are_those_of_the_script() -> None:
    text = (ROOT / "scripts" / "pins.sh").read_text()
    called = {
        name: tuple(lists.split()) for name, lists in re.findall(r"^pin (\w+) (.+)$", text, re.MULTILINE)
    }
    assert called == LISTS
    assert {path.stem for path in (ROOT / "requirements").iterdir()} == set(LISTS)


@pytest.mark.parametrize("name", LISTS)
def test_each_line_is_an_exact_version_without_an_address(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    assert len(lines) > 100
    assert [line for line in lines if LINE.fullmatch(line) is None] == []


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("name", LISTS)
def test_every_package_is_pinned_to_a_version_of_its_range(name: str, python: str) -> None:
    versions = pinned(name, python)
    needed = [one for one in listed(name) if one.marker is None or one.marker.evaluate(environment(python))]
    assert len(needed) > 10
    wrong = {
        str(one): versions.get(canonicalize_name(one.name))
        for one in needed
        if not one.specifier.contains(versions.get(canonicalize_name(one.name), ""))
    }
    assert wrong == {}


def test_the_environment_has_the_pinned_versions() -> None:
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("the tests do not run in the environment of `make`")
    if os.environ.get("PINS") == "/dev/null":
        pytest.skip("PINS=/dev/null installs the newest versions")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = {}
    for name, wanted in pinned("development", python).items():
        try:
            if (found := version(name)) != wanted:
                others[name] = (found, wanted)
        except PackageNotFoundError:
            pass  # a package of an extra that this environment does not have
    assert others == {}


def commands(text: str) -> list[str]:
    """The commands of a script that install packages, each as one line."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [
        line.strip()
        for line in joined.splitlines()
        if "pip install" in line and not line.lstrip().startswith("#")
    ]


def test_everything_is_installed_with_pins() -> None:
    files = [ROOT / "Makefile", *sorted((ROOT / "scripts").glob("*.sh"))]
    found = [(path.name, line) for path in files for line in commands(path.read_text())]
    assert len(found) >= 7
    # The wheel itself has no dependencies to resolve, and uv makes the pins.
    others = [one for one in found if "dist/*.whl" not in one[1] and "uv>=" not in one[1]]
    assert len(others) >= 4
    without = [line for _, line in others if not re.search(r"-c |\$\{pins:\+-c", line)]
    # Engines for `make formats` in versions that fit together, each exact.
    words = [word for line in without for word in shlex.split(line.partition(" install ")[2])]
    assert [word for word in words if not word.startswith("--") and "==$" not in word] == []


def test_dependabot_renews_the_pins() -> None:
    config = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
    folders = [one["directories"] for one in config["updates"] if one["package-ecosystem"] == "pip"]
    assert folders == [["/", "/requirements"]]
