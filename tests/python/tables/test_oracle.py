"""The engine compared with the oracle on generated inputs: rows, counts and reject reasons.

A failing case prints a ``@reproduce_failure`` line and a ``Case`` with the integers that reproduce it. A case
that found a bug becomes an ``@example`` here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, note, settings

from support import oracle
from support.generate_inputs import Case, cases, write_input
from support.generate_records import (
    BROKEN,
    EVENT_FAULTS,
    SONG_FAULTS,
    Record,
    bad_event,
    bad_song,
    play,
    record,
    song,
)
from support.lake_files import Report, Tables

pytestmark = pytest.mark.usefixtures("isolated_module")
PLENTY = 1_000_000  # more bad records than any case has


def expectation(case: Case, songs: list[Record], events: list[Record]) -> oracle.Expected:
    expected = oracle.expect(
        (one.raw for one in songs), (one.raw for one in events), match=case.match, unmatched=case.unmatched
    )
    # The generator and the oracle must agree on the reasons before the engine is compared.
    assert expected.songs.reasons == Counter(one.fault for one in songs if one.fault)
    assert expected.logs.reasons == Counter(one.fault for one in events if one.fault)
    return expected


def assert_counts(report: Report, expected: oracle.Expected) -> None:
    for kind, counts in (("songs", expected.songs), ("logs", expected.logs)):
        records = report["records"][kind]
        assert records == {
            "read": counts.read,
            "loaded": counts.loaded,
            "filtered": counts.filtered,
            "quarantined": counts.quarantined,
        }, kind
        assert records["read"] == records["loaded"] + records["filtered"] + records["quarantined"]
        reasons: Counter[str] = Counter()
        for reason, number in report["reasons"].get(kind, {}).items():
            reasons[reason.partition(":")[0]] += number
        assert reasons == counts.reasons, kind
        assert report["coerced"][kind] == counts.coerced, kind
    assert report["filtered"].get("page", 0) == expected.logs.filtered
    last = max((row[0] for row in expected.tables["time"]), default=None)
    plays = {"rows": len(expected.tables["songplays"]), "matched": expected.matched, "last_at": moment(last)}
    assert report["plays"] == plays
    bad = expected.songs.quarantined + expected.logs.quarantined
    assert min(20, bad) <= len(report["rejects"]) <= min(40, bad), "the first 20 of all, or of each kind"


def moment(micros: int | None) -> str | None:
    if micros is None:
        return None
    return f"{datetime(1970, 1, 1) + timedelta(microseconds=micros):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def add_counts(checked: Counter[str], expected: oracle.Expected) -> None:
    checked["cases"] += 1
    checked["matched"] += expected.matched
    checked["rejected"] += expected.songs.quarantined + expected.logs.quarantined
    checked["coerced"] += expected.logs.coerced + expected.songs.coerced
    for table, rows in expected.tables.items():
        checked[table] += len(rows)
    plays = expected.tables["songplays"]
    checked["ties"] += len(plays) - len({row[1] for row in plays})
    checked["copies"] += expected.songs.loaded - len(expected.tables["songs"])


def test_built_tables_match_the_oracle(tmp_path: Path, build: Callable[..., tuple[Tables, Report]]) -> None:
    checked: Counter[str] = Counter()
    number = count()

    @given(cases())
    def agrees(case: Case) -> None:
        songs, events = case.song_records(), case.event_records()
        source = write_input(tmp_path / str(next(number)), songs, events, case.layout)
        note(f"input kept in {source}")
        expected = expectation(case, songs, events)
        tables, report = build(source, match=case.match, unmatched=case.unmatched, max_bad=PLENTY)
        for table, rows in expected.tables.items():
            assert tables[table] == rows, table
        assert_counts(report, expected)
        add_counts(checked, expected)

    agrees()
    print(f"checked {dict(checked)}")
    if settings().max_examples >= 100:
        assert checked["cases"] >= 100
        for what in ("matched", "rejected", "coerced", "ties", "copies", "artists", "users", "time"):
            assert checked[what] >= 200, f"the generated cases have too few {what}: {checked}"


def test_every_reject_reason_matches_the_oracle(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    # Generated cases are short: here every reason occurs, with each of its values.
    songs = [*map(song, range(20)), *map(bad_song, range(1_500))]
    events = [*map(play, range(20)), *map(bad_event, range(3_000))]
    raws = b"\n".join(one.raw for one in songs + events).decode("utf-8", "surrogateescape")
    for fault, key, values in EVENT_FAULTS + SONG_FAULTS:
        for value in values if fault not in ("trailing_bytes", "invalid_utf8") else ():
            assert f'"{key}":{value}' in raws, f"no record with {key} = {value}"
    case = Case(songs=(0,), plays=(0,))
    expected = expectation(case, songs, events)
    reasons = {fault for fault, _, _ in EVENT_FAULTS + SONG_FAULTS} | set(BROKEN)
    assert {*expected.songs.reasons, *expected.logs.reasons} == reasons
    tables, report = build(write_input(tmp_path / "in", songs, events, layout=1), max_bad=PLENTY)
    assert tables == expected.tables
    assert_counts(report, expected)


def test_written_tables_match_the_oracle(
    tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    checked: Counter[str] = Counter()
    number = count()

    @settings(max_examples=max(10, settings().max_examples // 4))
    @given(cases(most=20))
    def agrees(case: Case) -> None:
        songs, events = case.song_records(), case.event_records()
        folder = tmp_path / str(next(number))
        source = write_input(folder / "in", songs, events, case.layout)
        note(f"input and lake kept in {folder}")
        expected = expectation(case, songs, events)
        report = run(source, folder / "lake", match=case.match, unmatched=case.unmatched, max_bad=PLENTY)
        read = read_back(folder / "lake")
        for table, rows in expected.tables.items():
            assert read[table] == rows, table
            reported = next(one for one in report["tables"] if one["name"] == table)
            assert reported["rows"] == len(rows), table
            folders = {oracle.partition_folder(table, row) for row in rows}
            assert reported["partitions"] in ({len(folders)} if oracle.PARTITIONED_BY[table] else {0, 1}), (
                table
            )
        assert_counts(report, expected)
        add_counts(checked, expected)

    agrees()
    print(f"checked {dict(checked)}")
    assert checked["cases"] >= min(25, settings().max_examples // 4)
    assert checked["songplays"] >= checked["cases"], "too few plays were written"


def plain(**members: str) -> Record:
    """A record with these members; the values are JSON text."""
    from random import Random

    return record(Random(0), list(members.items()))


PLAY = {"page": '"NextSong"', "ts": "1541106106796", "userId": '"8"', "sessionId": "1", "itemInSession": "0"}
SONG = {
    "song_id": '"SOA"',
    "artist_id": '"AR1"',
    "title": '"One"',
    "artist_name": '"Air"',
    "duration": "200.5",
}


def build_and_compare(
    folder: Path,
    build: Callable[..., tuple[Tables, Report]],
    songs: list[Record],
    events: list[Record],
    **options: str,
) -> Tables:
    tables, _ = build(write_input(folder, songs, events, layout=1), **options)
    expected = oracle.expect((one.raw for one in songs), (one.raw for one in events), **options)
    assert tables == expected.tables
    return tables


@pytest.mark.parametrize("artist_id", ['""', "null"])
def test_memory_and_files_have_the_same_value_for_an_empty_artist_id(
    tmp_path: Path,
    build: Callable[..., tuple[Tables, Report]],
    run: Callable[..., Report],
    read_back: Callable[[Path], Tables],
    artist_id: str,
) -> None:
    songs, events = [plain(**SONG | {"artist_id": artist_id})], [plain(**PLAY)]
    tables = build_and_compare(tmp_path / "in", build, songs, events)
    run(tmp_path / "in", tmp_path / "lake")
    assert read_back(tmp_path / "lake") == tables
    assert [row[2] for row in tables["songs"]] == [None]


def test_exact_duplicates_are_separate_plays_with_separate_ids(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    tables = build_and_compare(
        tmp_path / "in", build, [plain(**SONG)], [plain(**PLAY), plain(**PLAY), plain(**PLAY)]
    )
    first = 1541106106796 << 20
    assert [row[0] for row in tables["songplays"]] == [first, first + 1, first + 2]
    assert len(tables["time"]) == 1


def test_songplay_ids_do_not_depend_on_matching(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    matched = plain(**PLAY | {"song": '"One"', "artist": '"Air"', "length": "200.5", "sessionId": "2"})
    kept = build_and_compare(tmp_path / "a", build, [plain(**SONG)], [plain(**PLAY), matched])
    inner = build_and_compare(
        tmp_path / "b", build, [plain(**SONG)], [plain(**PLAY), matched], unmatched="drop"
    )
    assert inner["songplays"] == [row for row in kept["songplays"] if row[4] is not None]
    assert inner["songplays"][0][0] == (1541106106796 << 20) + 1


@pytest.mark.parametrize(
    ("length", "nearest"),
    [("200.5", "SOA"), ("201", "SOA"), ("202", "SOB"), ("null", "SOA"), ("1e308", "SOA")],
)
def test_match_without_duration_takes_the_nearest_song_then_the_smallest_id(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]], length: str, nearest: str
) -> None:
    songs = [plain(**SONG), plain(**SONG | {"song_id": '"SOB"', "duration": "202.5"})]
    songs += [plain(**SONG | {"song_id": '"SO0"', "duration": "null", "artist_id": '"AR0"'})]
    event = plain(**PLAY | {"song": '"One"', "artist": '"Air"', "length": length})
    tables = build_and_compare(tmp_path / "in", build, songs, [event], match="title_artist")
    assert tables["songplays"][0][4] == ("SO0" if length == "null" else nearest)


def test_a_play_is_matched_with_the_winning_copy_of_a_song(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    losing = plain(**SONG | {"year": "0", "title": '"Two"', "artist_id": '"AA"'})
    winning = plain(**SONG | {"year": "1999"})
    event = plain(**PLAY | {"song": '"Two"', "artist": '"Air"', "length": "200.5"})
    tables = build_and_compare(tmp_path / "in", build, [losing, winning], [event])
    assert tables["songplays"][0][4] is None
    assert tables["songs"] == [("SOA", "One", "AR1", 1999, 200.5)]


def test_negative_zero_matches_zero(tmp_path: Path, build: Callable[..., tuple[Tables, Report]]) -> None:
    event = plain(**PLAY | {"song": '"One"', "artist": '"Air"', "length": "0.0"})
    tables = build_and_compare(tmp_path / "in", build, [plain(**SONG | {"duration": "-0.0"})], [event])
    assert tables["songplays"][0][4] == "SOA"


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1])
def test_the_limits_of_64_bit_integers_never_become_null(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]], number: int
) -> None:
    # If the engine uses one number for NULL internally, it must refuse that number, not load it as NULL.
    edge = plain(**PLAY | {"sessionId": str(number), "itemInSession": str(number)})
    tables, report = build(write_input(tmp_path / "in", [plain(**SONG)], [edge, plain(**PLAY)], layout=1))
    assert [row[6] for row in tables["songplays"]] in ([1], sorted([1, number]))
    assert report["records"]["logs"]["quarantined"] == 2 - len(tables["songplays"])
