"""The modules of the package import each other in one order only, and each library where it belongs.

The order is the list in the docstring of `sparkify_lake/__init__.py`. Imports inside functions and imports
for type checkers count too.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import sparkify_lake

PACKAGE = Path(sparkify_lake.__file__).parent
NAME = "sparkify_lake"

# Imports that are allowed although they break a rule, with the reason.
ALLOWED: Mapping[tuple[str, str], str] = {
    (
        "executors.worker",
        "_native",
    ): "the function runs on a worker, which has no settings and calls the engine",
    ("settings.aws", "_native"): "the engine finds credentials and settings in the same files of AWS",
}
# Folders whose modules may import each other in circles.
CIRCULAR: Mapping[str, str] = {}
# Where a library may be imported, and whether also when the module itself is imported.
LIBRARIES: Mapping[str, tuple[frozenset[str], bool]] = {
    "polars": (frozenset({"lake", "lake_highlights", "lake_trends", "_native"}), False),
    "pyiceberg": (frozenset({"iceberg.catalog", "iceberg.commits", "iceberg.files"}), True),
    "prometheus_client": (frozenset({"metrics"}), False),
    "rich": (frozenset({"render.progress"}), False),
    "airflow": (frozenset({"airflow", "airflow_lineage"}), True),
    "openlineage": (frozenset({"lineage"}), False),
    "pyspark": (frozenset({"executors.spark", "session"}), True),
    "pyarrow": (frozenset({"executors.spark", "session"}), True),
    "ray": (frozenset({"executors.ray"}), False),
    "pysail": (frozenset({"session.serve"}), False),
    "grpc": (frozenset({"session"}), True),
    "pandas": (frozenset({"session"}), True),
    "argparse": (frozenset({"cli_arguments"}), True),
    "sqlglot": (frozenset({"migrate"}), False),
}
# The environment is read in one place.
ENVIRONMENT = "settings.environment"


@dataclass(frozen=True)
class Import:
    """One import statement: its target, and whether it runs when the module is imported."""

    target: str
    line: int
    is_eager: bool


@dataclass(frozen=True)
class Module:
    """A module with everything that it imports."""

    name: str
    own: tuple[Import, ...]
    libraries: tuple[Import, ...]
    reads_environment: bool

    @property
    def part(self) -> str:
        """The entry of the order to which the module belongs."""
        return self.name.partition(".")[0]


def order_of(package: Path) -> list[str]:
    """Returns the order of the modules and folders, from the docstring of the package."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    listed = text.partition("come before it in this list")[2]
    return [line.split()[0] for line in listed.splitlines() if line.startswith("    ")]


def modules_of(package: Path) -> dict[str, Module]:
    """Parses every module of a package; a stub is the module that it describes."""
    files = {name_of(file, package): file for file in sorted(package.rglob("*.py*")) if file.suffix != ".pyc"}
    return {name: parsed(name, file, files.keys()) for name, file in files.items()}


def name_of(file: Path, package: Path) -> str:
    """Returns the name of a module below the package; a folder's `__init__` is the folder."""
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def parsed(name: str, file: Path, known: Collection[str]) -> Module:
    """Finds everything that a module imports."""
    tree = ast.parse(file.read_text())
    own, libraries = [], []
    for node, is_eager in statements(tree, is_eager=file.suffix == ".py"):
        for target in targets(node, name, file.name == "__init__.py"):
            if target == NAME or target.startswith(f"{NAME}."):
                own.append(Import(module_named(target, known), node.lineno, is_eager))
            else:
                libraries.append(Import(target.partition(".")[0], node.lineno, is_eager))
    reads = any(
        isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") for node in ast.walk(tree)
    )
    return Module(name, tuple(own), tuple(libraries), reads)


def statements(node: ast.AST, *, is_eager: bool) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    """Lists imports and calls of `import_module`, and whether they run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom | ast.Call):
            yield child, is_eager
        is_lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        )
        yield from statements(child, is_eager=is_eager and not is_lazy)


def targets(node: ast.AST, name: str, is_folder: bool) -> Iterator[str]:
    """Lists the full names that a statement imports; for `from a import b` that is `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            here = [] if name == "__init__" else name.split(".")
            above = here[: len(here) - node.level + (1 if is_folder and here else 0)]
            base = ".".join([NAME, *above, *filter(None, [base])])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def module_named(target: str, known: Collection[str]) -> str:
    """Returns the module of a full name, as `settings.options` of `sparkify_lake.settings.options.Option`."""
    words = target.split(".")[1:]
    while words and ".".join(words) not in known:
        words.pop()
    return ".".join(words) or "__init__"


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Returns the groups of nodes that reach each other."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            for target in edges.get(waiting.pop(), set()) - found:
                found.add(target)
                waiting.append(target)
        return found

    reach = {node: reached(node) for node in edges}
    groups = {
        tuple(sorted(other for other in reach[node] if node in reach.get(other, set())))
        for node in edges
        if node in reach[node]
    }
    return [list(group) for group in sorted(groups)]


def breaches(
    package: Path,
    allowed: Mapping[tuple[str, str], str] = ALLOWED,
    circular: Mapping[str, str] = CIRCULAR,
) -> list[str]:
    """Returns every breach of the rules in a package, and every exception that is not needed."""
    order = order_of(package)
    modules = modules_of(package)
    found = [f"{name} is not in the order" for name in modules if modules[name].part not in order]
    found += [f"{part} is in the order, but does not exist" for part in order if part not in modules]
    place = {part: number for number, part in enumerate(order)}
    used: set[object] = set()
    between: dict[str, set[str]] = {}
    within: dict[str, set[str]] = {}
    for module in modules.values():
        for one in module.own:
            part = one.target.partition(".")[0]
            if (module.name, one.target) in allowed:
                used.add((module.name, one.target))
            elif part == module.part:
                within.setdefault(module.name, set()).add(one.target)
            else:
                between.setdefault(module.part, set()).add(part)
                if place.get(part, -1) > place.get(module.part, -1):
                    found.append(f"{module.name}:{one.line} imports {one.target}, which comes later")
        for one in module.libraries:
            places, may_be_eager = LIBRARIES.get(one.target, (frozenset({module.part}), True))
            if (module.name, one.target) in allowed:
                used.add((module.name, one.target))
            elif not places & {module.name, module.part}:
                found.append(f"{module.name}:{one.line} must not import {one.target}")
            elif one.is_eager and not may_be_eager:
                found.append(f"{module.name}:{one.line} imports {one.target} when it is imported itself")
        if module.reads_environment and module.name != ENVIRONMENT:
            found.append(f"{module.name} reads the environment")
    found += [f"circle between {' and '.join(circle)}" for circle in circles(between)]
    for circle in circles(within):
        folder = circle[0].partition(".")[0]
        used.add(folder)
        if folder not in circular:
            found.append(f"circle inside a folder: {' and '.join(circle)}")
    unused = [repr(one) for one in (*allowed, *circular) if one not in used]
    return found + [f"the exception {one} is not needed" for one in unused]


def test_every_import_follows_the_order() -> None:
    assert breaches(PACKAGE) == []


def test_every_module_is_looked_at() -> None:
    modules = modules_of(PACKAGE)
    assert len(modules) == sum(1 for _ in PACKAGE.rglob("*.py")) + 1, "the modules and the stub"
    assert len(modules) >= 55
    assert sum(len(module.own) for module in modules.values()) > 250
    assert {module.part for module in modules.values()} == set(order_of(PACKAGE))
    lazy = [one for module in modules.values() for one in module.own if not one.is_eager]
    assert len(lazy) > 60, "imports inside functions are found"


# --- a small package with a breach of each kind ---

DOCSTRING = '''"""A package.

A module imports only modules that come before it in this list:

    errors     first
    settings   a folder
    render     another folder
    jobs       a module
    __init__   last
"""
'''
CLEAN = {
    "__init__.py": DOCSTRING + "from sparkify_lake.jobs import run\n",
    "errors.py": "import sys\n",
    "settings/__init__.py": "",
    "settings/options.py": "from sparkify_lake.errors import UsageError\n",
    "settings/environment.py": "import os\nHOME = os.environ\n",
    "settings/files.py": "from . import options\nfrom .options import OPTIONS\n",
    "render/__init__.py": "",
    "render/progress.py": "from sparkify_lake import errors\ndef draw():\n    import rich.progress\n",
    "jobs.py": "def run():\n    from sparkify_lake.render import progress\n",
}


def planted(folder: Path, changes: Mapping[str, str]) -> list[str]:
    """Returns the breaches in the clean package with some files replaced."""
    files = CLEAN | {f"{name}.py": text for name, text in changes.items()}
    for name, text in files.items():
        file = folder / NAME / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return breaches(folder / NAME, {}, {})


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"errors": "from sparkify_lake import jobs\n"}, ["errors:1 imports jobs, which comes later"]),
        (
            {"settings/options": "def f():\n    from sparkify_lake.render.progress import draw\n"},
            ["settings.options:2 imports render.progress, which comes later"],
        ),
        (
            {"settings/files": "if TYPE_CHECKING:\n    import sparkify_lake.render.progress\n"},
            ["settings.files:2 imports render.progress, which comes later"],
        ),
        (
            {"errors": "from importlib import import_module\nimport_module('sparkify_lake.jobs')\n"},
            ["errors:2 imports jobs, which comes later"],
        ),
        ({"errors": "import sparkify_lake\n"}, ["errors:1 imports __init__, which comes later"]),
        (
            {
                "settings/options": "from sparkify_lake.render import progress\n",
                "render/progress": "from ..settings import options\n",
            },
            [
                "settings.options:1 imports render.progress, which comes later",
                "circle between render and settings",
            ],
        ),
        (
            {"settings/options": "def f():\n    from sparkify_lake.settings import files\n"},
            ["circle inside a folder: settings.files and settings.options"],
        ),
        ({"jobs": "def run():\n    import rich\n"}, ["jobs:2 must not import rich"]),
        (
            {"render/progress": "import rich\n"},
            ["render.progress:1 imports rich when it is imported itself"],
        ),
        ({"jobs": "import os\nHOME = os.environ['HOME']\n"}, ["jobs reads the environment"]),
        ({"extra": ""}, ["extra is not in the order"]),
        (
            {"__init__": DOCSTRING.replace("jobs ", "tasks")},
            ["jobs is not in the order", "tasks is in the order, but does not exist"],
        ),
    ],
)
def test_a_planted_breach_is_found(tmp_path: Path, changes: dict[str, str], found: list[str]) -> None:
    breached = planted(tmp_path, changes)
    assert set(found) <= set(breached) and bool(found) == bool(breached), breached


def test_an_exception_that_is_not_needed_is_found(tmp_path: Path) -> None:
    planted(tmp_path, {})
    exceptions = {("errors", "jobs"): "a reason"}
    assert breaches(tmp_path / NAME, exceptions, {"render": "a reason"}) == [
        "the exception ('errors', 'jobs') is not needed",
        "the exception 'render' is not needed",
    ]


@pytest.mark.parametrize("exceptions", [ALLOWED, CIRCULAR], ids=["imports", "circles"])
def test_every_exception_has_a_reason(exceptions: Mapping[object, str]) -> None:
    assert all(len(reason) > 30 for reason in exceptions.values())
