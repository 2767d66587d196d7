"""Scripts with a part missing or replaced: the migration reports its findings, and never ends with a bug."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkify_lake.errors import DataRefusedError
from sparkify_lake.migrate.conclusions import migrate

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))
# Expressions that replace others: other types, unknown names, other numbers of arguments.
REPLACEMENTS = (
    "None", "''", "'x'", "0", "-1.5", "[]", "{}", "()", "unknown", "unknown.name", "unknown()", "lambda x: x",
    "df", "spark", "col('x')", "col()", "lit()", "df.select()", "df.write", "spark.sql('')", "spark.sql()",
    "df[0]", "f'{unknown}'", "'%s' % 1", "'{}{}'.format(1)", "[x for x in unknown]", "(yield)", "await x",
    "spark.read.json()", "df.join()", "udf()", "os.path.join()", "'/'.join(['a', unknown])", "x if y else z",
)  # fmt: skip
_ROUNDS = 15


def without_each_statement(tree: ast.Module) -> Iterator[str]:
    """Yields the script without each of its statements."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for number in range(len(body)):
            removed = body.pop(number)
            if body:
                yield ast.unparse(tree)
            body.insert(number, removed)


def with_replacements(tree: ast.Module, random: random.Random) -> Iterator[str]:
    """Yields the script with some of its expressions replaced, or arguments left out."""
    text = ast.unparse(tree)
    for _ in range(_ROUNDS):
        changed = ast.parse(text)
        calls = [
            node for node in ast.walk(changed) if isinstance(node, ast.Call) and (node.args or node.keywords)
        ]
        for call in random.sample(calls, k=min(len(calls), random.randint(1, 4))):
            other = ast.parse(random.choice(REPLACEMENTS), mode="eval").body
            place = random.randrange(len(call.args) + 1)
            if place < len(call.args):
                if random.random() < 0.3:
                    del call.args[place]
                else:
                    call.args[place] = other
            elif call.keywords:
                call.keywords[random.randrange(len(call.keywords))].value = other
            else:
                call.args.append(other)
        yield ast.unparse(changed)


def migrated(text: str, folder: Path) -> bool:
    """Migrates a script; returns whether it writes any of the five tables."""
    (folder / "old.py").write_text(text)
    try:
        result = migrate(folder / "old.py", dry_run=True)
    except DataRefusedError:
        return False
    ast.parse(result.files["etl.py"])
    assert "AKIAFAKE" not in f"{result}{result.to_json()}", "keys are never printed"
    return True


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_statement_is_missing(script: Path, tmp_path: Path) -> None:
    results = [migrated(text, tmp_path) for text in without_each_statement(ast.parse(script.read_text()))]
    assert len(results) >= 5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_expression_is_replaced(script: Path, tmp_path: Path) -> None:
    variants = with_replacements(ast.parse(script.read_text()), random.Random(script.stem))
    assert len([migrated(text, tmp_path) for text in variants]) == _ROUNDS
