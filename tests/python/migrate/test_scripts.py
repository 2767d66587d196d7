"""Whole scripts for Spark, in the styles of their authors, and what the migration writes for them.

`expected/` has one file for each script of `scripts/`: the new `lake.cfg`, the new `etl.py` and the report.
After a change, write the files again and review the difference:
`python tests/python/migrate/test_scripts.py --write`.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from sparkify_lake import _engine
from sparkify_lake.migrate.conclusions import migrate
from sparkify_lake.settings.options import OPTIONS
from sparkify_lake.settings.resolve import resolve

HERE = Path(__file__).parent
# The other modules are imported by one of the scripts.
SCRIPTS = sorted(path for path in (HERE / "scripts").glob("*.py") if path.stem != "sql_queries")
EXPECTED = HERE / "expected"


def everything(script: Path) -> str:
    """Returns the new files and the report as one text."""
    result = migrate(script, dry_run=True)
    parts = {**result.files, "report": f"{result}\n"}
    text = "\n".join(f"--- {name}\n{part}" for name, part in parts.items())
    return text.replace(f"{HERE}/", "")


def test_there_are_enough_scripts() -> None:
    assert len(SCRIPTS) >= 18
    assert {path.stem for path in EXPECTED.iterdir()} == {path.stem for path in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_gives_the_expected_files_and_report(script: Path) -> None:
    assert everything(script) == (EXPECTED / f"{script.stem}.txt").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_new_files_are_valid(script: Path) -> None:
    result = migrate(script, dry_run=True)
    tree = ast.parse(result.files["etl.py"])
    exported = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    defined = {name.asname or name.name for node in imports for name in node.names}
    defined |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert exported == sorted(exported) and set(exported) <= defined
    assert max(map(len, result.files["etl.py"].splitlines())) <= 110
    known = {option.key for option in OPTIONS}
    lines = result.files["lake.cfg"].splitlines()
    pairs = dict(line.split(" = ", 1) for line in lines if line and line[0] not in "#[")
    assert pairs == result.settings and pairs.keys() <= known
    names = [name for name in ("TABLE_NAMES", "COLUMN_NAMES") if name in pairs]
    _engine.lake_layout(
        resolve("open_lake", {"output": "lake", **{name.lower(): pairs[name] for name in names}})
    )
    for number, line in enumerate(lines):
        if line and line[0] not in "#[" and not line.startswith("["):
            assert lines[number - 1].startswith("#") or lines[number - 1] == "[LAKE]", f"no comment: {line}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_line_of_the_report_is_a_line_of_the_script(script: Path) -> None:
    result = migrate(script, dry_run=True)
    length = len(script.read_text().splitlines())
    notes = [*result.stays, *result.differs, *result.unclear, *result.secrets]
    assert notes and all(0 <= note.line <= length for note in notes)
    for table in result.tables:
        assert 0 < table.line <= length


if __name__ == "__main__" and "--write" in sys.argv:
    EXPECTED.mkdir(exist_ok=True)
    for one in SCRIPTS:
        (EXPECTED / f"{one.stem}.txt").write_text(everything(one))
