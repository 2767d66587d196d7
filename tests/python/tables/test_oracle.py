"""The engine against the oracle on generated inputs: every row, every count, every reason.

A failing case prints a ``@reproduce_failure`` line and a ``Case`` whose integers make it again; a case
that found a bug becomes an ``@example`` here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
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

pytestmark = pytest.mark.usefixtures("alone")
PLENTY = 1_000_000  # more bad records than any case has


def expectation(case: Case, songs: list[Record], events: list[Record]) -> oracle.Expected:
    expected = oracle.expect(
        (one.raw for one in songs), (one.raw for one in events), match=case.match, unmatched=case.unmatched
    )
    # The generator and the oracle must give the same reason before the engine is asked for a third opinion.
    assert expected.songs.reasons == Counter(one.fault for one in songs if one.fault)
    assert expected.logs.reasons == Counter(one.fault for one in events if one.fault)
    return expected


def assert_accounts(report: Report, expected: oracle.Expected) -> None:
    for kind, counts in (("songs", expected.songs), ("logs", expected.logs)):
        told = report["records"][kind]
        assert told == {
            "read": counts.read,
            "loaded": counts.loaded,
            "filtered": counts.filtered,
            "quarantined": counts.quarantined,
        }, kind
        assert told["read"] == told["loaded"] + told["filtered"] + told["quarantined"]
        reasons: Counter[str] = Counter()
        for reason, number in report["reasons"].get(kind, {}).items():
            reasons[reason.partition(":")[0]] += number
        assert reasons == counts.reasons, kind
        assert report["coerced"][kind] == counts.coerced, kind
    assert report["filtered"].get("page", 0) == expected.logs.filtered
    assert report["plays"] == {"rows": len(expected.tables["songplays"]), "matched": expected.matched}
    bad = expected.songs.quarantined + expected.logs.quarantined
    assert min(20, bad) <= len(report["rejects"]) <= min(40, bad), "the first 20, of all or of either kind"


def look(looked: Counter[str], expected: oracle.Expected) -> None:
    looked["cases"] += 1
    looked["matched"] += expected.matched
    looked["rejected"] += expected.songs.quarantined + expected.logs.quarantined
    looked["coerced"] += expected.logs.coerced + expected.songs.coerced
    for table, rows in expected.tables.items():
        looked[table] += len(rows)
    plays = expected.tables["songplays"]
    looked["ties"] += len(plays) - len({row[1] for row in plays})
    looked["copies"] += expected.songs.loaded - len(expected.tables["songs"])


def test_built_tables_agree_with_the_oracle(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    looked: Counter[str] = Counter()
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
        assert_accounts(report, expected)
        look(looked, expected)

    agrees()
    print(f"looked at {dict(looked)}")
    if settings().max_examples >= 100:
        assert looked["cases"] >= 100
        for what in ("matched", "rejected", "coerced", "ties", "copies", "artists", "users", "time"):
            assert looked[what] >= 200, f"the generated cases hold too few {what}: {looked}"


def test_every_reason_to_reject(tmp_path: Path, build: Callable[..., tuple[Tables, Report]]) -> None:
    # Cases are short and reasons are many: here each of them occurs, with each of its values.
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
    assert_accounts(report, expected)


def test_written_tables_agree_with_the_oracle(
    tmp_path: Path, run: Callable[..., Report], read_back: Callable[[Path], Tables]
) -> None:
    looked: Counter[str] = Counter()
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
            seen = (oracle.as_read_back(table, row) for row in rows)
            assert read[table] == sorted(seen, key=lambda row: oracle.order(*row)), table
            told = next(one for one in report["tables"] if one["name"] == table)
            assert told["rows"] == len(rows), table
            folders = {oracle.partition_folder(table, row) for row in rows}
            assert told["partitions"] in ({len(folders)} if oracle.PARTITIONED_BY[table] else {0, 1}), table
        assert_accounts(report, expected)
        look(looked, expected)

    agrees()
    print(f"looked at {dict(looked)}")
    assert looked["cases"] >= min(25, settings().max_examples // 4)
    assert looked["songplays"] >= looked["cases"], "hardly any plays were written"


def plain(**members: str) -> Record:
    """A record with these members, values as JSON text."""
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


def star_of(
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


def test_exact_duplicates_are_two_plays_with_two_ids(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    tables = star_of(tmp_path / "in", build, [plain(**SONG)], [plain(**PLAY), plain(**PLAY), plain(**PLAY)])
    first = 1541106106796 << 20
    assert [row[0] for row in tables["songplays"]] == [first, first + 1, first + 2]
    assert len(tables["time"]) == 1


def test_ids_do_not_depend_on_matching(tmp_path: Path, build: Callable[..., tuple[Tables, Report]]) -> None:
    matched = plain(**PLAY | {"song": '"One"', "artist": '"Air"', "length": "200.5", "sessionId": "2"})
    kept = star_of(tmp_path / "a", build, [plain(**SONG)], [plain(**PLAY), matched])
    inner = star_of(tmp_path / "b", build, [plain(**SONG)], [plain(**PLAY), matched], unmatched="drop")
    assert inner["songplays"] == [row for row in kept["songplays"] if row[4] is not None]
    assert inner["songplays"][0][0] == (1541106106796 << 20) + 1


@pytest.mark.parametrize(
    ("length", "nearest"),
    [("200.5", "SOA"), ("201", "SOA"), ("202", "SOB"), ("null", "SOA"), ("1e308", "SOA")],
)
def test_without_duration_the_nearest_song_wins_then_the_smallest_id(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]], length: str, nearest: str
) -> None:
    songs = [plain(**SONG), plain(**SONG | {"song_id": '"SOB"', "duration": "202.5"})]
    songs += [plain(**SONG | {"song_id": '"SO0"', "duration": "null", "artist_id": '"AR0"'})]
    event = plain(**PLAY | {"song": '"One"', "artist": '"Air"', "length": length})
    tables = star_of(tmp_path / "in", build, songs, [event], match="title_artist")
    assert tables["songplays"][0][4] == ("SO0" if length == "null" else nearest)


def test_a_play_is_joined_to_the_winning_copy_of_a_song(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]]
) -> None:
    losing = plain(**SONG | {"year": "0", "title": '"Two"', "artist_id": '"AA"'})
    winning = plain(**SONG | {"year": "1999"})
    event = plain(**PLAY | {"song": '"Two"', "artist": '"Air"', "length": "200.5"})
    tables = star_of(tmp_path / "in", build, [losing, winning], [event])
    assert tables["songplays"][0][4] is None
    assert tables["songs"] == [("SOA", "One", "AR1", 1999, 200.5)]


def test_negative_zero_joins_with_zero(tmp_path: Path, build: Callable[..., tuple[Tables, Report]]) -> None:
    event = plain(**PLAY | {"song": '"One"', "artist": '"Air"', "length": "0.0"})
    tables = star_of(tmp_path / "in", build, [plain(**SONG | {"duration": "-0.0"})], [event])
    assert tables["songplays"][0][4] == "SOA"


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1])
def test_the_ends_of_64_bits_are_kept_or_refused(
    tmp_path: Path, build: Callable[..., tuple[Tables, Report]], number: int
) -> None:
    # An engine that keeps one number to itself, to stand for NULL, must refuse it: it may not become NULL.
    edge = plain(**PLAY | {"sessionId": str(number), "itemInSession": str(number)})
    tables, report = build(write_input(tmp_path / "in", [plain(**SONG)], [edge, plain(**PLAY)], layout=1))
    assert [row[6] for row in tables["songplays"]] in ([1], sorted([1, number]))
    assert report["records"]["logs"]["quarantined"] == 2 - len(tables["songplays"])
