"""The pages say what is so: messages that exist, options that exist, schemas that are true."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from sparkify_lake.cli_arguments import OWN_FLAGS
from sparkify_lake.settings.options import OPTIONS

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = [*PAGES, *sorted(ROOT.glob("*.md"))]


def sources() -> str:
    files = [*(ROOT / "src").rglob("*.rs"), *(ROOT / "python").rglob("*.py")]
    assert len(files) > 100
    # A message that is broken into two literals, or lines, is one message.
    return re.sub(r'"\s*"|\\\n\s*', "", "\n".join(file.read_text() for file in files))


def test_the_messages_of_troubleshooting_exist() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    quoted = [words for cell in cells for words in re.findall(r"`([^`]+)`", cell)]
    quoted = [words for words in quoted if " " in words]  # the others are names
    text = sources()
    assert len(quoted) > 25
    assert [words for words in quoted if words not in text] == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_flags_on_a_page_exist(page: Path) -> None:
    known = {option.flag for option in OPTIONS}
    known |= {f"--no-{option.flag[2:]}" for option in OPTIONS if option.kind == "flag"}
    known |= {f"--{name.replace('_', '-')}" for flags in OWN_FLAGS.values() for name in flags}
    # Of the command `sample`, of cargo and pytest, and of other programs.
    known |= {
        "--conf",
        "--help",
        "--large",
        "--lib",
        "--long",
        "--no",
        "--no-default-features",
        "--runtime-env-json",
        "--songs",
        "--events",
        "--days",
        "--users",
        "--seed",
        "--test",
        "--airflow",
        "--force",
        "--output-dir",
        "--format",
        "--database",
    }
    text = re.sub(r"<!--.*?-->|--8<--.*", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text))
    assert flags <= known, page.name


def test_the_page_of_options_has_every_option() -> None:
    spec = spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None and spec.loader is not None
    hooks = module_from_spec(spec)
    spec.loader.exec_module(hooks)
    text = hooks.on_page_markdown((ROOT / "docs" / "options.md").read_text())
    assert hooks.MARK not in text
    assert [option.flag for option in OPTIONS if f"| `{option.flag}" not in text] == []
    assert hooks.options_table().count("\n| `--") == len(OPTIONS)


def test_links_between_documents_lead_somewhere() -> None:
    links = [
        (document, link)
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text())
        if not link.startswith(("http", "mailto"))
    ]
    assert len(links) > 80
    broken = []
    for document, link in links:
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{document.relative_to(ROOT)}: {link}")
    assert broken == []


def test_the_files_that_answer_questions_exist() -> None:
    """Paths are relative to `src/`, to the root, or to the file before them in the same answer."""
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Where is …?")[2].partition("\n## ")[0]
    named, missing = 0, []
    for answer in re.findall(r"^\|[^|]+\?[^|]*\|(.+)\|$", section, flags=re.MULTILINE):
        folders = [ROOT / "src", ROOT]
        for path in re.findall(r"`([\w./]+(?:\.rs|\.py|\.md|/))`", answer):
            named += 1
            found = [folder / path for folder in folders if (folder / path).exists()]
            missing += [path] if not found else []
            folders += [found[0] if found[0].is_dir() else found[0].parent] if found else []
    assert missing == []
    assert named > 40


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_the_test_line_of_the_readme_is_what_ci_runs() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    line = next(line for line in lines if line.startswith("make test"))
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(line.split("#")[0].strip())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_includes_is_there(page: Path) -> None:
    for line in page.read_text().splitlines():
        if "--8" in line or "8<" in line:
            found = re.fullmatch(r'\s*--8<-- "([^":]+)(?::(\w+))?"', line)
            assert found is not None, line
            text = (ROOT / found[1]).read_text()
            assert found[2] is None or f"--8<-- [start:{found[2]}]" in text, line
