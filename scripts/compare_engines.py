r"""Compares two builds of sparkify_lake: the same inputs have to give the same lakes, byte for byte.

``python scripts/compare_engines.py OLD NEW`` takes the Python interpreters of two environments, each with a
build of the package. It generates twenty inputs (``comparison_inputs.py``) and runs both builds on each, in
separate processes, with various options and through several steps: the first run, then incremental runs after
a new day, a changed song, a late event, a deleted file and so on. It needs what the tests need (pyarrow,
hypothesis) and takes a few minutes.

The inputs come from the generator of the tests and from ``sample``, which has to write the same files with
both builds. Before every run both builds make a dry run. After every run the script compares

- all files and folders of the two lakes with their permissions, ``_etl`` included: every byte;
- the exit codes, and the JSON of the run and of the dry run; after the last step also that of ``status`` and
  ``check``.

Both builds take turns at the same paths, so paths are equal, too. What differs between two runs of
one build is replaced before the comparison. That is:

- the name of a run (time and random digits): in the names of files and folders below ``_etl/quarantine`` and
  ``_etl/state``, in commit records in the fields ``run``, ``rejects``, ``name`` and ``quarantine``, in
  reports in all texts. It becomes the number of the step, so a wrong run is a difference;
- ``committed_at`` and ``listed_at`` of commit records, ``started_at`` of reports, ``committed_at`` of the
  status;
- times of modification in the fields ``stamp`` and ``replaces`` and in the values of ``removed`` of commit
  records, and of ``stamps`` in the markers below ``_etl/done``. They become the number of the step that wrote
  the file, so a wrong time is a difference;
- ``sha256`` at the start of a commit record: the checksum of the record's other bytes, which is verified;
- ``seconds`` and ``peak_rss_bytes`` of reports.

``_etl/stage`` is not compared: a run removes it, but only within a time limit, and the next run removes the
rest. The line of an input says after how many runs of each build it was still there.

Messages on stderr are not compared. ``--messages-differ`` also ignores the texts in the fields ``warnings``
and ``rebuilt`` of reports, but not their number or presence.

The last line is ``20 inputs, N steps, M files compared, all equal``. At a difference the script prints the
first path that differs, with the bytes around the first differing byte, and exits 1. ``--self-test`` runs
one build against itself and checks that planted differences are found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comparison_inputs import INPUTS, Input, Step, generated
from comparison_lakes import RECORD, STAGE, DifferenceError, Labels, compare, contents, where

MESSAGES = frozenset({"warnings", "rebuilt"})
"""Fields of reports and dry runs that hold messages."""

EXPECTED = {0, 65, 76}
"""Exit codes: done, data refused, files of another program."""

IN_SHARDS = """
import json, sys
import sparkify_lake
from sparkify_lake.executors.local import LocalExecutor

source, lake, options = sys.argv[1:]
try:
    options = {**json.loads(options), "executor": LocalExecutor(slots=2, threads=1), "quiet": True}
    print(sparkify_lake.run(source, lake, **options).to_json())
except sparkify_lake.SparkifyLakeError as error:
    sys.exit(error.exit_code)
"""


# --- one build --------------------------------------------------------------------------------------------


@dataclass
class Build:
    """One of the two builds.

    Attributes:
        python: The interpreter of its environment.
        lake: Where its lake is while the other build runs.
        labels: Replaces what differs from run to run.
        stages_left: After how many runs ``_etl/stage`` was still there.
    """

    python: Path
    lake: Path
    labels: Labels
    stages_left: int = 0

    def call(self, arguments: Sequence[str], folder: Path) -> tuple[int, str]:
        """Runs Python without any settings of the user; returns the exit code and stdout."""
        names = ("SPARKIFY_", "AWS_", "PYTHON")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        environment |= {"HOME": str(folder), "NO_COLOR": "1"}
        command = [str(self.python), *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in EXPECTED:
            raise DifferenceError(f"{self.python} exits {done.returncode}: {done.stderr}")
        return done.returncode, done.stdout

    def run(self, case: Input, options: Mapping[str, Any], lake: Path, step: int) -> dict[str, str]:
        """Makes a dry run and a run; returns what is compared apart from the lake."""
        folder, source = lake.parent, lake.parent / "input"
        real = ["-m", "sparkify_lake", str(source), str(lake), "--json", "--quiet"]
        real += map(_flag, options.items())
        dry = [*real, "--dry-run"]
        if case.uses_executor:
            real = ["-c", IN_SHARDS, str(source), str(lake), json.dumps(options)]
        dry_code, plan = self.call(dry, folder)
        real_code, report = self.call(real, folder)
        self.labels.learn(lake, step, report)
        self.stages_left += (lake / STAGE).exists()
        return {
            "exit code of the dry run": str(dry_code),
            "dry run": self.labels.printed(plan),
            "exit code": str(real_code),
            "report": self.labels.printed(report),
        }

    def examine(self, lake: Path) -> dict[str, str]:
        """Returns the status of a lake and the result of a check."""
        status = ["-m", "sparkify_lake", "status", str(lake), str(lake.parent / "input"), "--json"]
        check = ["-m", "sparkify_lake", "check", str(lake), "--json"]
        found: dict[str, str] = {}
        for name, arguments in (("status", status), ("check", check)):
            code, text = self.call(arguments, lake.parent)
            found |= {name: self.labels.printed(text), f"exit code of {name}": str(code)}
        return found


def _flag(option: tuple[str, Any]) -> str:
    """Returns an option as a flag.

    >>> _flag(("on_bad_file", "refuse")), _flag(("adopt", True)), _flag(("adopt", False))
    ('--on-bad-file=refuse', '--adopt', '--no-adopt')
    """
    name, value = option[0].replace("_", "-"), option[1]
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name}={value}"


# --- one input --------------------------------------------------------------------------------------------


@dataclass
class Equal:
    """The result for an input: nothing differs."""

    files: int = 0
    codes: list[str] = field(default_factory=list)
    stages_left: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{len(self.codes)} steps, {self.files} files equal, exit codes {' '.join(self.codes)}"
        return f"{text}, {STAGE} left {self.stages_left}" if any(self.stages_left) else text


@dataclass
class Comparison:
    """Compares both builds on an input.

    Attributes:
        old: The interpreter of the first build.
        new: The interpreter of the second build.
        ignored: Fields of reports that are not compared.
        plant: Changes the lake of the second build after each step; only for the self-test.
        other: More options of the second build; only for the self-test.
    """

    old: Path
    new: Path
    ignored: frozenset[str] = frozenset()
    plant: Callable[[Path], None] | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, case: Input, folder: Path) -> Equal:
        """Makes all steps in a new folder.

        Raises:
            DifferenceError: At the first difference.
        """
        folder.mkdir()
        source = case.make(self.old, folder / "input")
        if source.is_sample:
            case.make(self.new, folder / "same")
            compare(contents(folder / "input"), contents(folder / "same"))
            shutil.rmtree(folder / "same")
        old, new = (
            Build(python, folder / name, Labels(self.ignored))
            for name, python in (("old", self.old), ("new", self.new))
        )
        old.lake.mkdir()
        new.lake.mkdir()
        equal = Equal()
        options = dict(case.options)
        for number, step in enumerate(case.steps, 1):
            options |= step.options
            options = {name: value for name, value in options.items() if value is not None}
            source.apply(step.change, [old.lake, new.lake])
            is_last = number == len(case.steps)
            try:
                results = self._step(old, case, options, number, is_last)
                others = self._step(new, case, {**options, **self.other}, number, is_last)
                for name, text in results.items():
                    if text != others[name]:
                        raise DifferenceError(f"{name}: {where(text.encode(), others[name].encode())}")
                if self.plant:
                    self.plant(new.lake)
                equal.files += compare(old.labels.tree(old.lake), new.labels.tree(new.lake))
            except DifferenceError as error:
                raise DifferenceError(f"step {number} ({step.change}): {error}") from error
            equal.codes.append(results["exit code"])
        equal.stages_left = [old.stages_left, new.stages_left]
        return equal

    def _step(
        self, build: Build, case: Input, options: Mapping[str, Any], number: int, is_last: bool
    ) -> dict[str, str]:
        """Runs one build; its lake has the same path as that of the other one meanwhile."""
        lake = build.lake.with_name("lake")
        build.lake.rename(lake)
        try:
            results = build.run(case, options, lake, number)
            return {**results, **build.examine(lake)} if is_last else results
        finally:
            lake.rename(build.lake)


# --- the program ------------------------------------------------------------------------------------------


def flip(pattern: str, offset: int = -3) -> Callable[[Path], None]:
    """Returns a function that flips a bit in the first file of a lake whose path fits."""

    def plant(lake: Path) -> None:
        path = min(path for path in lake.glob(pattern) if path.is_file())
        times = path.stat()
        data = bytearray(path.read_bytes())
        data[offset] ^= 1
        path.write_bytes(data)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    return plant


def edit(name: str, value: str) -> Callable[[Path], None]:
    """Returns a function that changes the first value of a field in the newest commit record."""

    def plant(lake: Path) -> None:
        path = max(lake.glob("_etl/log/*.json"))
        found = RECORD.fullmatch(path.read_bytes())
        if found is None:
            raise ValueError(path)
        pattern, changed = rf'"{name}":("?)\d[^,"]*'.encode(), f'"{name}":\\g<1>{value}'.encode()
        body = re.sub(pattern, changed, found[2], count=1)
        checksum = hashlib.sha256(body).hexdigest().encode()
        path.write_bytes(b'{"sha256":"' + checksum + b'","record":' + body + b"}\n")

    return plant


def self_test(python: Path, folder: Path) -> int:
    """Runs one build against itself, and then with differences that must be found; returns the exit code."""
    case = Input(name="", make=generated(1), options={"max_bad": "100%", "threads": 1}, steps=[Step("first")])
    planted: dict[str, Callable[[Path], None]] = {
        "songplays_table/": flip("songplays_table/**/*.parquet", 40),
        "user_table: drwx": lambda lake: (lake / "user_table").chmod(0o700),
        "_etl/state/RUN-1-": flip("_etl/state/*users*"),
        "_etl/state/more: only in the new": lambda lake: (lake / "_etl" / "state" / "more").touch(),
        "_etl/quarantine/RUN-1/": flip("_etl/quarantine/*/*"),
        "checksum of the commit record": flip("_etl/log/*.json"),
        '"rows":999': edit("rows", "999"),
        '"stamp":"1500000000.': edit("stamp", "1500000000.000000000"),
        '"rejects":"20200101T': edit("rejects", "20200101T000000Z-0"),
    }
    tries = [(words, Comparison(python, python, plant=plant)) for words, plant in planted.items()]
    tries.append(('"compression": "zstd"', Comparison(python, python, other={"compression": "zstd"})))
    tries.append(('"max_bad": "0"', Comparison(python, python, other={"max_bad": 0})))
    print("nothing planted:", Comparison(python, python)(case, folder / "nothing"))
    for number, (words, comparison) in enumerate(tries):
        try:
            result = str(comparison(case, folder / str(number)))
        except DifferenceError as error:
            result = str(error)
        print(result)
        if words not in result:
            print(f"not found: {words}")
            return 1
    print(f"{len(tries)} planted differences, all found")
    return 0


def main() -> int:
    """Compares two builds; returns the exit code."""
    parser = argparse.ArgumentParser(description="Compares two builds of sparkify_lake, byte for byte.")
    parser.add_argument("python", nargs="+", type=Path, help="OLD and NEW: interpreters with a build each")
    parser.add_argument("--inputs", help="only these inputs, separated by commas")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="inputs at the same time")
    parser.add_argument("--keep", type=Path, help="folder for the lakes, which stay there")
    parser.add_argument("--messages-differ", action="store_true", help="do not compare texts of warnings")
    parser.add_argument("--self-test", action="store_true", help="check that planted differences are found")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="compare-"))
    folder.mkdir(exist_ok=True, parents=True)
    try:
        if arguments.self_test:
            return self_test(arguments.python[0], folder)
        if len(arguments.python) != 2:
            parser.error("two interpreters are needed: OLD NEW")
        wanted = arguments.inputs.split(",") if arguments.inputs else [case.name for case in INPUTS]
        cases = [case for case in INPUTS if case.name in wanted]
        old, new = arguments.python
        ignored = MESSAGES if arguments.messages_differ else frozenset()
        return _run(cases, Comparison(old, new, ignored), folder, arguments.jobs)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


def _run(cases: Sequence[Input], comparison: Comparison, folder: Path, jobs: int) -> int:
    steps = files = 0
    with ThreadPoolExecutor(jobs) as pool:
        started = [(case, pool.submit(comparison, case, folder / case.name)) for case in cases]
        for case, future in started:
            try:
                equal = future.result()
            except DifferenceError as error:
                print(f"{case.name}: DIFFERENT: {error}", flush=True)
                pool.shutdown(cancel_futures=True)
                return 1
            steps, files = steps + len(equal.codes), files + equal.files
            print(f"{case.name}: {equal}", flush=True)
    print(f"{len(cases)} inputs, {steps} steps, {files} files compared, all equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
