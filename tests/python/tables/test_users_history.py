"""The users_history table: the oracle, and what its rows promise about plays and users."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from support import oracle
from support.generate_inputs import Case, cases, write_input
from support.generate_records import other_event, play, song
from support.lake_files import ALL_FOLDERS, WITH_HISTORY, Report, Tables, data_files
from tables.test_oracle import PLAY, PLENTY, plain

pytestmark = pytest.mark.usefixtures("isolated_module")
CASES = max(300, settings().max_examples)


def in_order(tables: Tables) -> list[oracle.Row]:
    """The rows in the order of the file: by user and time."""
    return sorted(tables["users_history"], key=lambda row: oracle.order(row[0], row[5]))


def assert_promises(tables: Tables) -> Counter[str]:
    """Checks what holds for every input; returns how many things were checked."""
    rows = in_order(tables)
    periods: dict[str, list[oracle.Row]] = defaultdict(list)
    for row in rows:
        periods[row[0]].append(row)
    for user in periods.values():
        # Without gaps and overlaps, and none of them is empty.
        assert [row[6] for row in user] == [*(row[5] for row in user[1:]), None]
        assert all(row[5] < row[6] for row in user[:-1])
        assert all(before[1] != after[1] for before, after in pairwise(user))
    for one in tables["songplays"]:
        start, user_id = one[1], one[2]
        holding = [row for row in periods[user_id] if row[5] <= start and (row[6] is None or start < row[6])]
        assert len(holding) == 1, "each play is in exactly one row of its user"
    current = [(row[0], *row[2:5], row[1]) for row in rows if row[7]]
    assert current == tables["users"], "the current rows are those of users"
    return Counter(rows=len(rows), users=len(periods), plays=len(tables["songplays"]))


def test_built_history_matches_the_oracle(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    checked: Counter[str] = Counter()
    number = count()

    @settings(max_examples=CASES)
    @given(cases())
    def agrees(case: Case) -> None:
        songs, events = case.song_records(), case.event_records()
        source = write_input(tmp_path / str(next(number)), songs, events, case.layout)
        note(f"input kept in {source}")
        expected = oracle.expect((one.raw for one in songs), (one.raw for one in events), history="plays")
        tables, report = build(source, tables="users_history", max_bad=PLENTY)
        assert tables["users_history"] == expected.tables["users_history"]
        assert tables == expected.tables, "the other tables are built as without it"
        reported = next(one for one in report["tables"] if one["name"] == "users_history")
        assert reported["rows"] == len(tables["users_history"])
        checked.update(assert_promises(tables))
        checked["cases"] += 1

    agrees()
    print(f"checked {dict(checked)}")
    assert checked["cases"] >= 300
    assert checked["rows"] >= 1.2 * checked["users"], "too few users change their level"


def test_written_history_matches_the_oracle(
    tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    number = count()

    @settings(max_examples=max(10, settings().max_examples // 5))
    @given(cases(most=20))
    def agrees(case: Case) -> None:
        songs, events = case.song_records(), case.event_records()
        folder = tmp_path / str(next(number))
        source = write_input(folder / "in", songs, events, case.layout)
        note(f"input and lake kept in {folder}")
        expected = oracle.expect((one.raw for one in songs), (one.raw for one in events), history="plays")
        run(source, folder / "lake", tables=WITH_HISTORY, max_bad=PLENTY)
        assert read_back(folder / "lake") == expected.tables

    agrees()


def test_history_of_all_pages_matches_the_oracle(
    tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    """The other tables, and the bytes of their files, are those of a run that uses the plays alone."""
    checked: Counter[str] = Counter()
    number = count()
    others = st.lists(st.integers(0, 2**32 - 1), max_size=25)

    @settings(max_examples=max(20, settings().max_examples // 2))
    @given(cases(most=20), others)
    def agrees(case: Case, other_seeds: list[int]) -> None:
        songs, events = case.song_records(), [*case.event_records(), *map(other_event, other_seeds)]
        folder = tmp_path / str(next(number))
        source = write_input(folder / "in", songs, events, case.layout)
        note(f"input and lakes kept in {folder}")
        raws = [one.raw for one in songs], [one.raw for one in events]
        expected = oracle.expect(*raws, history="all-pages")
        options = {"tables": WITH_HISTORY, "max_bad": PLENTY}
        report = run(source, folder / "lake", history_from="all-pages", **options)
        tables = read_back(folder / "lake")
        assert tables == expected.tables
        plain = run(source, folder / "plain", **options)
        assert (
            read_back(folder / "plain")["users_history"]
            == oracle.expect(*raws, history="plays").tables["users_history"]
        )
        fields = ("records", "reasons", "coerced", "plays", "filtered")
        assert [report[name] for name in fields] == [plain[name] for name in fields]
        assert other_tables(folder / "lake") == other_tables(folder / "plain")
        checked["cases"] += 1
        checked["more rows"] += len(tables["users_history"]) - len(
            read_back(folder / "plain")["users_history"]
        )
        checked["more users"] += len({row[0] for row in tables["users_history"]}) - len(tables["users"])

    agrees()
    print(f"checked {dict(checked)}")
    assert min(checked["more rows"], checked["more users"]) >= checked["cases"] / 4


def other_tables(lake: Path) -> dict[Path, bytes]:
    """The bytes of the files of all tables except users_history."""
    files = ((file.relative_to(lake), file) for file in data_files(lake))
    return {path: file.read_bytes() for path, file in files if path.parts[0] != ALL_FOLDERS["users_history"]}


def test_history_of_the_real_data(
    shared: Path, tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    report = run(shared / "data" / "sparkify", tmp_path / "lake", tables=WITH_HISTORY)
    tables = read_back(tmp_path / "lake")
    assert assert_promises(tables) == {"rows": 105, "users": 96, "plays": 6820}
    table = next(one for one in report["tables"] if one["name"] == "users_history")
    assert (table["rows"], table["files"], table["partitions"]) == (105, 1, 0)


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({"sessionId": "1", "level": '"free"'}, {"sessionId": "2", "level": '"paid"'}, "paid"),
        ({"sessionId": "2", "level": '"free"'}, {"sessionId": "1", "level": '"paid"'}, "free"),
        ({"sessionId": "null", "level": '"paid"'}, {"sessionId": "-1", "level": '"free"'}, "free"),
        ({"itemInSession": "3", "level": '"free"'}, {"itemInSession": "2", "level": '"paid"'}, "free"),
        ({"level": '"free"'}, {"level": '"paid"'}, "paid"),
        ({"level": '"free"'}, {"level": "null"}, "free"),
    ],
)
def test_of_two_plays_at_the_same_time_the_one_that_users_prefers_counts(
    tmp_path: Path,
    build: Callable[..., tuple[Tables, Report]],
    first: dict[str, str],
    second: dict[str, str],
    kept: str,
) -> None:
    before = plain(**PLAY | {"ts": "1541106000000", "level": '"paid"'})
    events = [before, plain(**PLAY | first), plain(**PLAY | second)]
    tables, _ = build(write_input(tmp_path / "in", [song(1)], events, layout=1), tables="users_history")
    assert [row[1] for row in in_order(tables)] == (["paid"] if kept == "paid" else ["paid", "free"])
    assert_promises(tables)


def test_without_it_nothing_changes(
    tmp_path: Path, run: Callable[..., Report], build: Callable[..., tuple[Tables, Report]]
) -> None:
    """The other tables of a run with it have the same bytes, and a run without it leaves no trace of it."""
    source = write_input(tmp_path / "in", [song(n) for n in range(30)], [play(n) for n in range(60)], 3)
    without = run(source, tmp_path / "without")
    run(source, tmp_path / "with", tables=WITH_HISTORY)
    assert other_tables(tmp_path / "without") == other_tables(tmp_path / "with")
    assert not (tmp_path / "without" / ALL_FOLDERS["users_history"]).exists()
    assert "users_history" not in str(without)
    names = [str(path) for path in (tmp_path / "without").rglob("*")]
    record = next((tmp_path / "without/_etl/log").iterdir()).read_text()
    assert not any("history" in text for text in (*names, record))
    assert list(build(source)[0]) == ["songs", "artists", "users", "time", "songplays"]
