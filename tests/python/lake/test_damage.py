"""Any damage to a lake is found by ``check``, and undone by what ``check`` says.

``support/lake_damage.py`` lists the kinds of damage. Each round damages a lake that retains the rows of a
deleted log, follows the way out that the result of ``check`` or the hint of its error names, and compares the
bytes of the tables with those before.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

import sparkify_lake
from sparkify_lake.errors import SparkifyLakeError
from support import lake_damage
from support.crash_harness import print_counts, scratch_folder
from support.lake_damage import CONTROL_DAMAGES, HARMLESS, TABLE_DAMAGES, Damage
from support.lake_files import table_files
from support.rounds import Rounds

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("isolated_module")]


class Prepared(NamedTuple):
    source: Path
    lake: Path
    work: Path
    kept: str
    """The log that is deleted from the input; only the lake has its records."""
    tables: dict[str, bytes]
    tables_without_kept: dict[str, bytes]

    def damaged(self, *kinds: Damage, random: Random) -> Path:
        """A copy of the lake with some damage."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.lake, self.work)
        # A run lists all folders of a copy; with a newer marker, only those that have changed since.
        os.utime(max((self.work / "_etl" / "done").iterdir()))
        time.sleep(0.02)
        for kind in kinds:
            kind(self.work, random)
        return self.work


@pytest.fixture(scope="module")
def prepared(isolated_module: Path) -> Prepared:
    with scratch_folder() as folder:
        source = folder / "in"
        sparkify_lake.sample(source, songs=12, events=400, days=5, users=6, quiet=True)
        logs = sorted(source.glob("log_data/**/*.json"))
        assert len(logs) >= 3, logs
        lake = folder / "lake"
        late = (logs[-1], logs[-1].read_bytes())
        late[0].unlink()
        sparkify_lake.run(source, lake, keep_gone=True)
        logs[0].unlink()
        sparkify_lake.run(source, lake, keep_gone=True)
        late[0].write_bytes(late[1])
        sparkify_lake.run(source, lake, keep_gone=True)
        without = folder / "without"
        sparkify_lake.run(source, without)
        tables, tables_without_kept = table_files(lake), table_files(without)
        assert tables != tables_without_kept, "the deleted log has rows"
        yield Prepared(source, lake, folder / "work", logs[0].name, tables, tables_without_kept)


def follow(prepared: Prepared, text: str) -> str:
    """Does what the result of ``check``, or the hint of an error, says; returns the action."""
    lake = prepared.work
    if "move _etl away" in text:
        shutil.move(lake / "_etl", lake.with_name(f"moved-{time.monotonic_ns()}"))
        sparkify_lake.run(prepared.source, lake, adopt=True)
        return "move _etl away"
    if "remove it and run again" in text:
        (lake / "_etl" / "FORMAT").unlink()
        sparkify_lake.run(prepared.source, lake, keep_gone=True)
        return "remove FORMAT"
    if "recover" in text:
        sparkify_lake.recover(lake)
        return "recover"
    flags = sorted(set(re.findall(r"--(rebuild|adopt|keep-gone)", text)))
    assert flags or "run again" in text, text
    options = {flag.replace("-", "_"): True for flag in flags}
    sparkify_lake.run(prepared.source, lake, **{"keep_gone": True, **options})
    return " ".join(flags) or "run again"


def repaired(prepared: Prepared, where: str) -> str:
    """Checks the damaged lake, follows the way out until it is healthy; returns what was done."""
    done = []
    for _ in range(3):
        try:
            checked = sparkify_lake.check(prepared.work)
        except SparkifyLakeError as error:
            assert error.exit_code in {66, 76} and error.hint, where
            if error.exit_code == 66:
                assert "run with --adopt" in error.hint, where
                text = "move _etl away" if (prepared.work / "_etl").exists() else "--adopt"
            else:
                text = error.hint
        else:
            if checked.is_healthy:
                assert checked.repair is None and not checked.problems, where
                return ", then ".join(done)
            assert checked.problem_count or not checked.is_published, where
            assert checked.repair, where
            text = checked.repair
            if checked.lost.files and prepared.kept in " ".join(checked.lost.first):
                return "lost"
        done.append(follow(prepared, text))
    raise AssertionError(f"{where}: still damaged after {done}")


def assert_lost_rows_are_reported(prepared: Prepared, where: str) -> None:
    """The only copy of the deleted log is damaged: all commands report it, and its rows can be removed."""
    lake, source = prepared.work, prepared.source
    without_input, with_input = sparkify_lake.status(lake), sparkify_lake.status(lake, source)
    assert (without_input.exit_code, with_input.exit_code) == (76, 76), where
    assert with_input.lost.files == 1 and with_input.lost.first[0].endswith(prepared.kept), where
    assert without_input.lost.files >= 1, where
    before = table_files(lake)
    with pytest.raises(SparkifyLakeError) as refused:
        sparkify_lake.run(source, lake, rebuild=True, keep_gone=True)
    assert prepared.kept in str(refused.value) and "permanently" in str(refused.value.hint), where
    assert table_files(lake) == before, where
    # From a backup, nothing is lost.
    for pack in (prepared.lake / "_etl" / "state").glob("*pack*"):
        shutil.copy(pack, lake / "_etl" / "state" / pack.name)
    assert sparkify_lake.check(lake).is_healthy, where
    for pack in (lake / "_etl" / "state").glob("*pack*"):
        pack.unlink()
    sparkify_lake.run(source, lake, rebuild=True, allow_shrink=True)
    assert sparkify_lake.check(lake).is_healthy, where
    assert table_files(lake) == prepared.tables_without_kept, where


def test_every_damage_is_found_and_undone(prepared: Prepared, rounds: Rounds) -> None:
    random = Random(rounds.seed)
    kinds = [*TABLE_DAMAGES, *CONTROL_DAMAGES]
    ways: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for number in range(rounds(30, 300)):
        # Each kind alone first, then several at once.
        chosen = [kinds[number]] if number < len(kinds) else random.sample(TABLE_DAMAGES, 2)
        if number >= len(kinds) and random.random() < 0.3:
            chosen = [random.choice(kinds)]
        seed = random.randrange(1 << 30)
        names = " and ".join(kind.__name__ for kind in chosen)
        where = f"seed {rounds.seed}, round {number}: {names} (seed {seed})"
        try:
            prepared.damaged(*chosen, random=Random(seed))
        except FileNotFoundError:
            continue  # the first damage removed the file of the second
        with pytest.raises(AssertionError, match="healthy"):
            assert_healthy(prepared.work)
        way = repaired(prepared, where)
        ways[way] += 1
        seen.update(kind.__name__ for kind in chosen)
        if way == "lost":
            assert_lost_rows_are_reported(prepared, where)
            continue
        gave_up = "_etl away" in way or lake_damage.remove_everything_but_the_tables in chosen
        expected = prepared.tables_without_kept if gave_up else prepared.tables
        assert table_files(prepared.work) == expected, where
        # The lake works on: a run finds nothing to do.
        assert sparkify_lake.run(prepared.source, prepared.work, keep_gone=True).rebuilt is None, where
        assert table_files(prepared.work) == expected, where
    print_counts("kinds of damage", seen)
    print_counts("ways out", ways)
    assert seen.keys() >= {kind.__name__ for kind in kinds}
    assert ways["lost"]


def assert_healthy(lake: Path) -> None:
    try:
        checked = sparkify_lake.check(lake)
    except SparkifyLakeError as error:
        raise AssertionError(f"not healthy: {error}") from None
    assert checked.is_healthy, f"not healthy: {checked}"


@pytest.mark.parametrize("kind", HARMLESS, ids=lambda kind: str(kind.__name__))
def test_harmless_changes_are_accepted(prepared: Prepared, kind: Damage) -> None:
    for seed in range(4):
        lake = prepared.damaged(kind, random=Random(seed))
        assert_healthy(lake)
        report = sparkify_lake.run(prepared.source, lake, keep_gone=True)
        assert report.rebuilt is None
        sparkify_lake.run(prepared.source, lake, keep_gone=True, rebuild=True)
        assert_healthy(lake)
        left = {path: content for path, content in table_files(lake).items() if path in prepared.tables}
        assert left == prepared.tables


def test_a_plain_run_names_the_way_out(prepared: Prepared) -> None:
    """A run stops at damage that it sees, and distinguishes changed files from foreign ones."""
    random = Random(1)
    refused = {
        lake_damage.cut_a_file: "--rebuild",
        lake_damage.restore_an_older_copy: "--rebuild",
        lake_damage.add_a_foreign_table_file: "--adopt",
        lake_damage.add_a_foreign_folder: "--adopt",
    }
    for kind, flag in refused.items():
        for _ in range(3):
            lake = prepared.damaged(kind, random=random)
            with pytest.raises(SparkifyLakeError) as error:
                sparkify_lake.run(prepared.source, lake, keep_gone=True)
            assert error.value.exit_code == 76, kind
            assert flag in str(error.value.hint), (kind, error.value.hint)
            assert ("did not write" in str(error.value)) == (flag == "--adopt"), kind
    for kind in (lake_damage.remove_a_file, lake_damage.remove_a_marker_of_success):
        lake = prepared.damaged(kind, random=random)
        sparkify_lake.run(prepared.source, lake, keep_gone=True)
        assert_healthy(lake)
