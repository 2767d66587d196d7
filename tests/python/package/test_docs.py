"""The documentation matches the code: messages, options, and included sections."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sparkify_lake.settings.options import OPTIONS

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def sources() -> str:
    files = [*(ROOT / "src").rglob("*.rs"), *(ROOT / "python").rglob("*.py")]
    assert len(files) > 100
    # A message may be split into two literals or lines.
    return re.sub(r'"\s*"|\\\n\s*', "", "\n".join(file.read_text() for file in files))


def test_messages_in_troubleshooting_exist() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    quoted = [words for cell in cells for words in re.findall(r"`([^`]+)`", cell)]
    quoted = [words for words in quoted if " " in words]  # the others are single names
    text = sources()
    assert len(quoted) > 25
    assert [words for words in quoted if words not in text] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_flags_in_the_documentation_exist(page: Path) -> None:
    known = {option.flag for option in OPTIONS}
    known |= {f"--no-{option.flag[2:]}" for option in OPTIONS if option.kind == "flag"}
    # Flags of the command `sample`, and of other programs.
    known |= {
        "--conf",
        "--help",
        "--no",
        "--runtime-env-json",
        "--songs",
        "--events",
        "--days",
        "--users",
        "--seed",
    }
    text = re.sub(r"<!--.*?-->|--8<--.*", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text))
    assert flags <= known, page.name


def test_the_readme_lists_every_option() -> None:
    text = (ROOT / "README.md").read_text()
    assert [option.flag for option in OPTIONS if f"| `{option.flag}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_included_sections_exist(page: Path) -> None:
    for line in page.read_text().splitlines():
        if "--8" in line or "8<" in line:
            found = re.fullmatch(r'\s*--8<-- "([^":]+)(?::(\w+))?"', line)
            assert found is not None, line
            text = (ROOT / found[1]).read_text()
            assert found[2] is None or f"--8<-- [start:{found[2]}]" in text, line
