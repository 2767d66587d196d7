"""How existing drivers call the functions of `etl.py`: each way works, or is refused with a hint."""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from sparkify_lake.errors import ConfigurationError, NoInputError, UsageError
from sparkify_lake.session.lake_tables import LakeTables

ROOT = Path(__file__).resolve().parents[3]
SONG = {"songs_table", "artists_table"}
LOG = {"user_table", "time_table", "songplays_table"}
ALL = SONG | LOG

pytestmark = pytest.mark.usefixtures("isolated")


class SparkSession:
    """A stand-in for a session: it records what is read."""

    builder = None

    def __init__(self) -> None:
        self.paths: list[str] = []

    @property
    def read(self) -> Any:
        return types.SimpleNamespace(parquet=lambda path: self.paths.append(path) or f"frame of {path}")


class StructType:
    """A schema of Spark."""


class DataFrame:
    """A frame of Spark."""


SPARK = SparkSession()

Call = Callable[[types.ModuleType], Any]


def setting(**attributes: str) -> Call:
    """A driver that sets attributes of the script and calls main()."""

    def call(script: types.ModuleType) -> Any:
        for name, value in attributes.items():
            setattr(script, name, value)
        return script.main()

    return call


# Name, call, the tables that it writes to the folder "lake", and the text of its warning.
WORKING: list[tuple[str, Call, set[str], str]] = [
    ("songs, positional", lambda e: e.process_song_data(SPARK, "data", "lake"), SONG, ""),
    ("logs, positional", lambda e: e.process_log_data(SPARK, "data", "lake"), LOG, ""),
    ("slashes at the end", lambda e: e.process_song_data(SPARK, "data/", "lake/"), SONG, ""),
    ("keywords", lambda e: e.process_log_data(spark=SPARK, input_data="data", output_data="lake"), LOG, ""),
    (
        "keywords in another order",
        lambda e: e.process_song_data(output_data="lake", input_data="data", spark=SPARK),
        SONG,
        "",
    ),
    ("mixed", lambda e: e.process_log_data(SPARK, "data", output_data="lake"), LOG, ""),
    ("paths", lambda e: e.process_song_data(SPARK, Path("data"), Path("lake")), SONG, ""),
    ("no session", lambda e: e.process_song_data(None, "data", "lake"), SONG, ""),
    ("session left out", lambda e: e.process_song_data("data", "lake"), SONG, ""),
    (
        "session of create_spark_session",
        lambda e: e.process_log_data(e.create_spark_session(), "data", "lake"),
        LOG,
        "",
    ),
    (
        "keyword run_local",
        lambda e: e.process_song_data(SPARK, "data", "lake", run_local=True),
        SONG,
        "keyword run_local",
    ),
    (
        "keyword mode",
        lambda e: e.process_log_data(SPARK, "data", "lake", mode="append"),
        LOG,
        "keyword mode: a run updates",
    ),
    (
        "keyword schema",
        lambda e: e.process_song_data(SPARK, "data", "lake", schema=StructType()),
        SONG,
        "keyword schema",
    ),
    (
        "fourth: run_local",
        lambda e: e.process_song_data(SPARK, "data", "lake", True),
        SONG,
        "such as run_local",
    ),
    ("fourth: not run_local", lambda e: e.process_song_data(SPARK, "data", "lake", False), SONG, ""),
    (
        "fourth: mode",
        lambda e: e.process_log_data(SPARK, "data", "lake", "overwrite"),
        LOG,
        "'overwrite' (the mode)",
    ),
    ("fourth: schema", lambda e: e.process_song_data(SPARK, "data", "lake", StructType()), SONG, "a schema"),
    (
        "fourth: frame of songs",
        lambda e: e.process_log_data(SPARK, "data", "lake", DataFrame()),
        LOG,
        "reads the songs itself",
    ),
    (
        "fourth and fifth",
        lambda e: e.process_log_data(SPARK, "data", "lake", None, "append"),
        LOG,
        "'append' (the mode)",
    ),
    (
        "fourth: configuration",
        lambda e: e.process_song_data(SPARK, "data", "lake", {"AWS": {}}),
        SONG,
        "of type dict",
    ),
    (
        "fourth: result of the songs",
        lambda e: e.process_log_data(SPARK, "data", "lake", e.process_song_data(SPARK, "data", "lake")),
        ALL,
        "LakeTables",
    ),
    ("data folder of the songs", lambda e: e.process_song_data(SPARK, "data/song_data", "lake"), SONG, ""),
    ("data folder of the logs", lambda e: e.process_log_data(SPARK, "data/log_data/", "lake"), LOG, ""),
    (
        "glob of the songs",
        lambda e: e.process_song_data(SPARK, "data/song_data/*/*/*/*.json", "lake"),
        SONG,
        "",
    ),
    ("glob of the logs", lambda e: e.process_log_data(SPARK, "data/log_data/*/*/*.json", "lake"), LOG, ""),
    ("part of the songs", lambda e: e.process_song_data(SPARK, "data/song_data/A", "lake"), SONG, ""),
    (
        "logs elsewhere, songs as an option",
        lambda e: e.process_log_data(SPARK, "logs/*/*/*.json", "lake", song_data="data/song_data"),
        LOG,
        "",
    ),
    ("data folder with a hyphen", lambda e: e.process_log_data(SPARK, "hyphen/log-data", "lake"), LOG, ""),
    (
        "root named like a data folder",
        lambda e: e.process_song_data(SPARK, "root/song_data", "lake"),
        SONG,
        "",
    ),
    ("relative output", lambda e: e.process_song_data(SPARK, "data", "./lake"), SONG, ""),
    (
        "other keywords of the locations",
        lambda e: e.process_log_data(SPARK, input_path="data", output_path="lake"),
        LOG,
        "",
    ),
    ("option", lambda e: e.process_log_data(SPARK, "data", "lake", unmatched="drop"), LOG, ""),
    (
        "misspelled keyword",
        lambda e: e.process_log_data(SPARK, "data", "lake", un_matched="drop"),
        LOG,
        "did you mean unmatched",
    ),
    ("main, positional", lambda e: e.main("data", "lake"), ALL, ""),
    ("main with a session", lambda e: e.main(SPARK, "data", "lake"), ALL, ""),
    (
        "main, configured",
        lambda e: (Path("lake.cfg").write_text("INPUT=data\nOUTPUT=lake\n"), e.main())[1],
        ALL,
        "",
    ),
    (
        "songs, configured",
        lambda e: (Path("lake.cfg").write_text("INPUT=data\nOUTPUT=lake\n"), e.process_song_data(SPARK))[1],
        SONG,
        "",
    ),
    (
        "dl.cfg, configured",
        lambda e: (
            Path("dl.cfg").write_text("[S3]\nINPUT_DATA=data\nOUTPUT_DATA=lake\n"),
            e.process_log_data(SPARK, None, None),
        )[1],
        LOG,
        "",
    ),
    ("attributes of the script", setting(input_data="data", output_data="lake"), ALL, ""),
    ("capital attributes of the script", setting(INPUT_DATA="data", OUTPUT_DATA="lake"), ALL, ""),
    (
        "session with arguments",
        lambda e: e.process_song_data(e.create_spark_session("app", key="k"), "data", "lake"),
        SONG,
        "create_spark_session ignores",
    ),
]

REFUSED: list[tuple[str, Call, type[Exception], str]] = [
    (
        "session last",
        lambda e: e.process_song_data("data", "lake", SPARK),
        UsageError,
        "call process_song_data(spark,",
    ),
    (
        "session forgotten, three texts",
        lambda e: e.process_log_data("data", "lake", "x"),
        UsageError,
        "call process_log_data(spark,",
    ),
    (
        "songs from logs",
        lambda e: e.process_song_data(SPARK, "data/log_data", "lake"),
        UsageError,
        "contains song_data and log_data",
    ),
    (
        "logs from songs",
        lambda e: e.process_log_data(SPARK, "data/song_data/*/*/*/*.json", "lake"),
        UsageError,
        "contains song_data and log_data",
    ),
    (
        "logs without songs",
        lambda e: e.process_log_data(SPARK, "logs/*/*/*.json", "lake"),
        ConfigurationError,
        "also pass song_data=...",
    ),
    (
        "no locations at all",
        lambda e: e.process_song_data(SPARK),
        ConfigurationError,
        "set INPUT and OUTPUT in lake.cfg",
    ),
    (
        "main without configuration",
        lambda e: e.main(),
        ConfigurationError,
        "set INPUT and OUTPUT in lake.cfg",
    ),
    (
        "a list of inputs",
        lambda e: e.process_song_data(SPARK, ["a", "b"], "lake"),
        UsageError,
        "pass a string or a path",
    ),
    ("arguments of the process", lambda e: e.main(["etl.py", "data"]), UsageError, "pass a string or a path"),
    (
        "an input that is empty",
        lambda e: e.process_song_data(SPARK, "", "lake"),
        ConfigurationError,
        "leave it out",
    ),
    (
        "an input that does not exist",
        lambda e: e.process_song_data(SPARK, "dat", "lake"),
        NoInputError,
        "check the spelling",
    ),
    (
        "output above the input",
        lambda e: e.process_song_data(SPARK, "inside", ""),
        ConfigurationError,
        "choose an output next to the input",
    ),
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    sparkify_lake.sample(folder / "data", songs=20, events=200, days=3, users=5, quiet=True)
    shutil.copytree(folder / "data" / "log_data", folder / "logs")
    shutil.copytree(folder / "data" / "log_data", folder / "hyphen" / "log-data")
    shutil.copytree(folder / "data" / "song_data", folder / "hyphen" / "song-data")
    shutil.copytree(folder / "data", folder / "root" / "song_data")
    return folder


@pytest.fixture
def script(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The script etl.py, imported by a driver in a folder with input."""
    for folder in sample.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / "inside" / "song_data").mkdir(parents=True)
    spec = importlib.util.spec_from_file_location("etl", ROOT / "etl.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "etl", module)
    spec.loader.exec_module(module)
    return module


def tables_below(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("*/_SUCCESS")}


def test_there_are_at_least_forty_ways() -> None:
    names = [row[0] for row in (*WORKING, *REFUSED)]
    assert len(WORKING) >= 40 and len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("call", "tables", "warning"), [row[1:] for row in WORKING], ids=[row[0] for row in WORKING]
)
def test_a_call_that_works(
    script: types.ModuleType, call: Call, tables: set[str], warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = call(script)
    assert tables_below(Path("lake")) == tables
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert any(warning in text for text in warnings) if warning else warnings == []
    assert (result is None) == (tables == ALL and not isinstance(result, LakeTables))


@pytest.mark.parametrize(
    ("call", "error", "hint"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_call_that_is_refused(
    script: types.ModuleType, call: Call, error: type[Exception], hint: str
) -> None:
    with pytest.raises(error) as refused:
        call(script)
    assert isinstance(refused.value, sparkify_lake.SparkifyLakeError) and hint in (refused.value.hint or "")
    assert not Path("lake").exists(), "a refused call writes nothing"


def test_an_empty_output_is_the_current_folder(
    script: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("lake.cfg").write_text("OUTPUT=elsewhere\n")
    script.process_song_data(SPARK, "../data", "")
    script.process_log_data(SPARK, "../data", " ")
    assert tables_below(Path()) == ALL and not Path("elsewhere").exists()


def test_the_result_is_the_tables_as_frames_of_the_session(script: types.ModuleType) -> None:
    spark = SparkSession()
    result = script.process_song_data(spark, "data", "lake")
    assert spark.paths == [] and repr(result) == "<tables of a lake: songs, artists>"
    songs, artists = result
    assert (songs, artists) == ("frame of lake/songs_table", "frame of lake/artists_table")
    assert result[0] == result["songs"] == result.songs == result.songs_table == songs
    assert result.user_table == result["users"] == "frame of lake/user_table"
    assert result.users_history == "frame of lake/users_history_table", "if a run selected it"
    assert len(result) == 2 and spark.paths.count("lake/songs_table") == 5
    with pytest.raises(AttributeError, match=r"use a table, such as \.songs\.count"):
        _ = result.count
    with pytest.raises(KeyError):
        _ = result["albums"]


@pytest.mark.parametrize("scheme", ["s3", "s3a"])
def test_frames_in_a_bucket_have_the_scheme_of_the_output(scheme: str) -> None:
    from sparkify_lake.settings.resolve import resolve

    spark = SparkSession()
    config = resolve("run", {"output": f"{scheme}://bucket/lake", "table_names": "plain"})
    assert LakeTables(spark, config, ("songs",)).songs == f"frame of {scheme}://bucket/lake/songs"


def test_a_session_is_created_for_the_frames_if_there_is_none(
    script: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = SparkSession()
    monkeypatch.setattr("sparkify_lake.session.SparklessSession", lambda: started)
    result = script.process_song_data(None, "data", "lake")
    assert started.paths == []
    assert result.songs == "frame of lake/songs_table"


def test_a_task_of_airflow_returns_nothing(script: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow stores the value that a PythonOperator returns as JSON."""
    monkeypatch.setattr("sparkify_lake.settings.environment.is_in_airflow", lambda: True)
    returned = script.process_song_data(SPARK, "data", "lake", ti=object(), ds="2018-11-01")
    assert json.dumps(returned) == "null"
