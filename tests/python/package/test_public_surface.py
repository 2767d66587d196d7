"""The public surface equals the list in `public_surface.json`.

The list holds names, signatures, options, exit codes and report fields. A removed or renamed item is a
breaking change. For an addition, write the list again in the same commit:
`python tests/python/package/test_public_surface.py --write`.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import sparkify_lake
from sparkify_lake import _engine, cli, errors, report
from sparkify_lake.settings.files import CREDENTIAL_KEYS
from sparkify_lake.settings.options import CREDENTIALS, OPTIONS, Call, names_for

LIST = Path(__file__).with_name("public_surface.json")
CALLS: tuple[Call, ...] = ("run", "plan", "build", "doctor", "check", "recover", "status", "open_lake")
COMMANDS = (
    (),
    ("config",),
    ("sample",),
    ("doctor",),
    ("check",),
    ("recover",),
    ("status",),
    ("ddl",),
    ("migrate",),
    ("init",),
)
# Modules that are imported by name, with the names that are public there.
MODULES = {
    "sparkify_lake.airflow_provider": ["get_provider_info"],
    "sparkify_lake.cli": ["entry", "main"],
    "sparkify_lake.etl": ["create_spark_session", "main", "process_log_data", "process_song_data"],
    "sparkify_lake.executors": ["Executor", "Kernel", "executor_of", "kernel_with"],
    "sparkify_lake.executors.local": ["LocalExecutor"],
    "sparkify_lake.executors.ray": ["RayExecutor"],
    "sparkify_lake.executors.spark": ["SparkExecutor"],
    "sparkify_lake.report": ["RecordCounts", "RunReport", "SampleReport", "TableReport", "schema"],
    "sparkify_lake.secret": ["MASK", "Secret"],
    "sparkify_lake.session": ["SparklessContext", "SparklessSession", "activate", "deactivate"],
}


def surface() -> dict[str, Any]:
    """Describes everything that users can depend on, as plain data."""
    public = {name: getattr(sparkify_lake, name) for name in sparkify_lake.__all__ if name != "__version__"}
    return {
        "names": {"__version__": "text"} | {name: described(value) for name, value in public.items()},
        "modules": {
            module: {name: described(getattr(import_module(module), name)) for name in names}
            for module, names in MODULES.items()
        },
        "airflow": airflow(),
        "errors": {
            name: {
                "exit_code": value.exit_code,
                "retryable": getattr(value, "retryable", None),
                "parents": [parent.__name__ for parent in value.__mro__[1:-1]],
            }
            for name, value in sorted(vars(errors).items())
            if isinstance(value, type) and hasattr(value, "exit_code")
        },
        "exit_codes": sorted({*map(int, re.findall(r"\d+", program("--help").rpartition("Exit codes")[2]))}),
        "options": {
            option.name: {
                "flag": option.flag,
                "environment": option.environment if "environment" in option.sources else None,
                "file_keys": [option.key, *option.older_keys] if "file" in option.sources else [],
                "kind": option.kind,
                "choices": list(option.choices),
                "default": _engine.defaults().get(option.name),
            }
            for option in OPTIONS
        },
        "credentials": {name: list(CREDENTIAL_KEYS[name]) for name in CREDENTIALS},
        "keywords": {call: sorted(names_for(call)) for call in CALLS},
        "sample_sizes": {
            name: _engine.defaults()[name] for name in ("songs", "events", "days", "users", "seed")
        },
        "program": {" ".join(words) or "run": flags_of(program(*words, "--help")) for words in COMMANDS},
        "results": sorted({path for value in public.values() for path in fields_of(value)}),
        "report_schema": sorted({*properties(report.schema(), report.schema())}),
    }


def described(value: object) -> Any:
    """Describes a function by its parameters, a class by these and its public attributes."""
    if isinstance(value, type):
        attributes = sorted(name for name in dir(value) if not name.startswith("_"))
        # A lake is made by `open_lake`, never by a user.
        taken = {} if value is sparkify_lake.Lake else {"parameters": parameters(value)}
        return {**taken, "attributes": attributes}
    return parameters(value) if inspect.isfunction(value) else str(value)


def parameters(value: Any) -> list[str]:
    """Lists what a call takes, without the annotations."""
    found = inspect.signature(value).parameters.values()
    return [str(one.replace(annotation=inspect.Parameter.empty)) for one in found]


def fields_of(result: object, path: str = "") -> Iterator[str]:
    """Lists the fields that a result and the results inside it have, as `RunReport.tables.rows`."""
    if not isinstance(result, type) or not dataclasses.is_dataclass(result):
        return
    for field in dataclasses.fields(result):
        here = f"{path or result.__name__}.{field.name}"
        yield here
        for word in re.findall(r"\w+", str(field.type)):
            if word not in sparkify_lake.__all__ and (inner := of_ours(word)) is not None:
                yield from fields_of(inner, here)


def of_ours(name: str) -> object:
    """Finds a name in the modules of the package that are loaded."""
    modules = [module for module in sys.modules if module.startswith("sparkify_lake.")]
    return next(filter(None, (vars(sys.modules[module]).get(name) for module in modules)), None)


def airflow() -> dict[str, Any]:
    """Reads what the module for Airflow offers; Airflow itself need not be installed."""
    tree = ast.parse((Path(sparkify_lake.__file__).parent / "airflow.py").read_text())
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = taken(node)
        elif isinstance(node, ast.ClassDef):
            members = [member for member in node.body if isinstance(member, ast.FunctionDef)]
            found[node.name] = {member.name: taken(member) for member in members if member.name in METHODS}
            found[node.name] |= assigned(node.body, "template_fields")
    return {name: found[name] for name in assigned(tree.body, "__all__")["__all__"]}


def assigned(body: Sequence[ast.stmt], name: str) -> dict[str, Any]:
    """Returns the literal that a name is set to."""
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            return {name: ast.literal_eval(node.value)}
    return {}


METHODS = ("__init__", "execute", "on_kill", "poke")


def taken(function: ast.FunctionDef) -> list[str]:
    """Lists a function's parameters."""
    arguments = function.args
    return [one.arg for one in (*arguments.args, *arguments.kwonlyargs) if one.arg != "self"]


def program(*words: str) -> str:
    """Returns what the program prints."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        assert cli.main(words) == 0
    return shown.getvalue()


def flags_of(text: str) -> list[str]:
    """Lists the flags of a help text: those that begin a line."""
    return re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE)


def properties(schema: Mapping[str, Any], part: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Lists the keys that a JSON Schema describes, as `tables.rows`."""
    if "$ref" in part:
        yield from properties(schema, schema["$defs"][part["$ref"].rpartition("/")[2]], path)
    for name, inner in part.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        yield here
        yield from properties(schema, inner, here)
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), Mapping):
            yield from properties(schema, part[key], path)
    for inner in (*part.get("anyOf", ()), *part.get("oneOf", ())):
        yield from properties(schema, inner, path)


def test_the_public_surface_is_the_recorded_one() -> None:
    recorded = json.loads(LIST.read_text())
    current = json.loads(json.dumps(surface()))
    assert current.keys() == recorded.keys()
    for part, expected in recorded.items():
        assert current[part] == expected, f"the public {part} differ; see the docstring of this file"


def test_the_list_is_not_empty() -> None:
    recorded = json.loads(LIST.read_text())
    assert {part: len(items) for part, items in recorded.items() if len(items) < MIN_ITEMS[part]} == {}


MIN_ITEMS = {
    "names": 34, "modules": 10, "airflow": 3, "errors": 13, "exit_codes": 13, "options": 40, "credentials": 3,
    "keywords": 8, "sample_sizes": 5, "program": 7, "results": 177, "report_schema": 90,
}  # fmt: skip


def as_lines(described: Mapping[str, Any]) -> str:
    """Returns the list as JSON with one line per item."""
    parts = []
    for part, items in sorted(described.items()):
        if isinstance(items, list):
            lines = [json.dumps(item) for item in items]
            parts.append(f"{json.dumps(part)}: [\n" + ",\n".join(lines) + "\n]")
        else:
            lines = [f"{json.dumps(name)}: {json.dumps(item)}" for name, item in sorted(items.items())]
            parts.append(f"{json.dumps(part)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        LIST.write_text(as_lines(surface()))
    else:
        print(as_lines(surface()), end="")
