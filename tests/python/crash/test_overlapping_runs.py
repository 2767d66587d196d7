"""Concurrent runs equal sequential runs, and concurrent readers never see a partially published partition.

Runs are paused and resumed at random, so that they overlap in different ways each time.
"""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from support.crash_harness import ForkServer, Versions, print_counts, scratch_folder
from support.lake_checker import check, contents
from support.rounds import Rounds

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


def stops(random: Random, seconds: float) -> list[tuple[float, int]]:
    """Random times to pause a run and to resume it."""
    signals: list[tuple[float, int]] = []
    at = random.random() * seconds
    for _ in range(random.randrange(3)):
        signals += [(at, signal.SIGSTOP), (at + random.random() * seconds, signal.SIGCONT)]
        at = signals[-1][0] + random.random() * seconds / 2
    return signals


@pytest.mark.parametrize("formats", ["parquet", "delta"])
def test_overlapping_runs_equal_sequential_runs(folder: Path, rounds: Rounds, formats: str) -> None:
    folder = folder / formats
    folder.mkdir()
    random = Random(rounds.seed)
    print(f"seed {rounds.seed}")
    ends: Counter[str] = Counter()
    with ExitStack() as stack:
        fork_servers = [stack.enter_context(ForkServer(env={"SPARKIFY_FORMATS": formats})) for _ in range(4)]
        versions = Versions.make(folder, fork_servers[0], 4)
        lake = folder / "shared"
        seconds = fork_servers[0].run(versions.sources[0], lake)["seconds"]
        for number in range(rounds(20, 60)):
            runs = random.sample(range(4), random.randint(2, 4))
            before = contents(lake)
            for run in runs:
                fork_servers[run].start(versions.sources[run], lake, signals=stops(random, seconds))
            codes = {run: fork_servers[run].end()["code"] for run in runs}
            where = f"seed {rounds.seed}, round {number}: {codes}"
            assert set(codes.values()) <= {0, 75}, where
            ends.update(f"exit {code}" for code in codes.values())
            winners = [run for run, code in codes.items() if code == 0]
            now = contents(lake)
            assert now in [versions.held[run] for run in winners], (
                f"{where}: {'lost' if now == before else 'mixed'}"
            )
            assert check(lake, versions=versions.held, settled=True) == [], where
    print_counts("overlapping runs", ends)
    assert min(ends["exit 0"], ends["exit 75"]) >= 5, "too few runs overlapped"


# --- readers ----------------------------------------------------------------------------------------------

MONTHS = range(1, 7)
ARTISTS = range(6)


def write_version(source: Path, number: int) -> None:
    """Writes an input with the same partitions in every version, but different rows."""
    (source / "song_data").mkdir(parents=True)
    (source / "log_data").mkdir()
    songs, events = [], []
    for artist in ARTISTS:
        for song in range(number + 1):
            songs.append(
                {
                    "artist_id": f"AR{artist}",
                    "artist_name": f"Artist {artist}",
                    "duration": 100.5 + number,
                    "song_id": f"SO{number}-{artist}-{song}",
                    "title": f"Title {song}",
                    "year": 2000,
                }
            )
    for month in MONTHS:
        for play in range(10 + number):
            at = 1_514_764_800_000 + (month - 1) * 31 * 86_400_000 + 60_000 * play
            user = {"userId": str(play), "firstName": "F", "lastName": "L", "gender": "F", "level": "free"}
            place = {"sessionId": number, "itemInSession": play, "location": "", "userAgent": ""}
            events.append({"page": "NextSong", "ts": at, **user, **place, "song": "Title 0", "artist": "x"})
    for name, records in (("song_data/songs", songs), ("log_data/events", events)):
        (source / f"{name}.json").write_text("".join(json.dumps(record) + "\n" for record in records))


Counts = dict[tuple[int, int | str], int]


def with_duckdb(lake: Path) -> tuple[Counts, Counts]:
    with duckdb.connect() as connection:

        def count(table: str, part: str) -> Counts:
            path = f"{lake}/{table}/**/*.parquet"
            rows = connection.sql(
                f"SELECT year, {part}, count(*) FROM read_parquet('{path}', hive_partitioning=true) "
                "GROUP BY ALL"
            ).fetchall()
            return {(year, value): number for year, value, number in rows}

        return count("songplays_table", "month"), count("songs_table", "artist_id")


def with_polars(lake: Path) -> tuple[Counts, Counts]:
    def count(table: str, part: str) -> Counts:
        rows = pl.scan_parquet(lake / table / "**/*.parquet", hive_partitioning=True)
        return {(year, value): n for year, value, n in rows.group_by("year", part).len().collect().rows()}

    return count("songplays_table", "month"), count("songs_table", "artist_id")


def with_pyarrow(lake: Path) -> tuple[Counts, Counts]:
    def count(table: str, part: str) -> Counts:
        rows = ds.dataset(lake / table, format="parquet", partitioning="hive").to_table(
            columns=["year", part]
        )
        found = rows.group_by(["year", part]).aggregate([([], "count_all")])
        return {(row["year"], row[part]): row["count_all"] for row in found.to_pylist()}

    return count("songplays_table", "month"), count("songs_table", "artist_id")


READERS: dict[str, Callable[[Path], tuple[Counts, Counts]]] = {
    "duckdb": with_duckdb,
    "polars": with_polars,
    "pyarrow": with_pyarrow,
}


def faults_of(plays: Counts, songs: Counts) -> list[str]:
    """Results that match no version: a missing partition, or a number of rows that it never had."""
    faults = [f"songplays {part}: {rows} rows" for part, rows in plays.items() if rows not in (10, 11, 12)]
    faults += [f"songs {part}: {rows} rows" for part, rows in songs.items() if rows not in (1, 2, 3)]
    if set(plays) != {(2018, month) for month in MONTHS}:
        faults.append(f"songplays has the partitions {sorted(plays)}")
    if set(songs) != {(2000, f"AR{artist}") for artist in ARTISTS}:
        faults.append(f"songs has the partitions {sorted(songs)}")
    return faults


def test_readers_see_no_partially_published_partition(folder: Path, rounds: Rounds) -> None:
    """Readers in a loop during publishing: the rows of a partition always belong to one version."""
    lake = folder / "read"
    sources = [folder / f"read-{number}" for number in range(3)]
    for number, source in enumerate(sources):
        write_version(source, number)
    faults: list[str] = []
    seen: Counter[str] = Counter()
    mixed: Counter[str] = Counter()
    torn: Counter[str] = Counter()
    over = threading.Event()

    def read(name: str) -> None:
        while not over.is_set():
            try:
                plays, songs = READERS[name](lake)
            except (Exception, pl.exceptions.PanicException) as error:
                # A reader that gets the size of a file first may notice that the file was replaced.
                torn[f"{name}: {type(error).__name__}"] += 1
                continue
            faults.extend(f"{name}: {fault}" for fault in faults_of(plays, songs))
            seen[name] += 1
            mixed[name] += len(set(plays.values())) > 1 or len(set(songs.values())) > 1

    with ForkServer() as fork_server:
        assert fork_server.run(sources[0], lake)["code"] == 0
        readers = [threading.Thread(target=read, args=(name,)) for name in READERS]
        for reader in readers:
            reader.start()
        try:
            number, least = 0, rounds(30, 100)
            # Continue until a slow reader has read often enough, too.
            while number < least or (min(seen[name] for name in READERS) < 5 and number < 50 * least):
                number += 1
                ended = fork_server.run(sources[number % 3], lake)
                assert (ended["code"], ended["report"]["version"]) == (0, number + 1), ended
        finally:
            over.set()
            for reader in readers:
                reader.join()
    print_counts(f"reads during {number} versions", seen)
    print_counts("of these, with partitions of two versions, which is allowed", mixed)
    print_counts("reads that failed, because a file was replaced between two accesses", torn)
    assert faults == []
    for reader_of in READERS.values():
        assert faults_of(*reader_of(lake)) == []
    assert min(seen[name] for name in READERS) >= 5
    assert check(lake, settled=True) == []


# --- readers of Delta logs --------------------------------------------------------------------------------


def delta_with_polars(table: Path) -> pa.Table:
    return pl.scan_delta(str(table)).collect().to_arrow()


def delta_with_deltalake(table: Path) -> pa.Table:
    return DeltaTable(str(table)).to_pyarrow_table()


@pytest.mark.parametrize("read", [delta_with_polars, delta_with_deltalake])
def test_readers_of_delta_logs_see_whole_versions(
    folder: Path, rounds: Rounds, read: Callable[[Path], pa.Table]
) -> None:
    """A reader in a loop during 100 versions: all partitions of a table belong to one version."""
    lake = folder / read.__name__
    sources = [folder / f"{read.__name__}-{number}" for number in range(3)]
    for number, source in enumerate(sources):
        write_version(source, number)
    seen: Counter[str] = Counter()
    mixed: list[str] = []
    over = threading.Event()

    def read_in_a_loop(table: str, part: str, versions: list[set[tuple[int, int | str, int]]]) -> None:
        while not over.is_set():
            try:
                found = read(lake / table).group_by(["year", part]).aggregate([([], "count_all")]).to_pylist()
            except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
                # More versions than the retained ones were published during the query.
                seen[f"{table}: {type(error).__name__}"] += 1
                continue
            rows = {(row["year"], row[part], row["count_all"]) for row in found}
            if rows in versions:
                seen[f"{table}: version {versions.index(rows)}"] += 1
            else:
                mixed.append(f"{table}: {rows}")

    plays = [{(2018, month, 10 + number) for month in MONTHS} for number in range(3)]
    songs = [{(2000, f"AR{artist}", 1 + number) for artist in ARTISTS} for number in range(3)]
    with ForkServer(env={"SPARKIFY_FORMATS": "delta", "SPARKIFY_RETAIN": "15"}) as fork_server:
        assert fork_server.run(sources[0], lake)["code"] == 0
        readers = [
            threading.Thread(target=read_in_a_loop, args=("songplays_table", "month", plays)),
            threading.Thread(target=read_in_a_loop, args=("songs_table", "artist_id", songs)),
        ]
        for reader in readers:
            reader.start()
        try:
            for number in range(1, rounds(100, 300) + 1):
                ended = fork_server.run(sources[number % 3], lake)
                assert (ended["code"], ended["report"]["version"]) == (0, number + 1), ended
        finally:
            over.set()
            for reader in readers:
                reader.join()
    print_counts("reads of Delta tables", seen)
    assert mixed == []
    for table in ("songplays_table", "songs_table"):
        versions = [seen[f"{table}: version {number}"] for number in range(3)]
        assert min(versions) >= 1, versions
