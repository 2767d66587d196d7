"""The statements for every engine and format: the recorded texts, their syntax, and what is refused.

The lakes are invented, in a bucket that does not exist. To record the texts again after a change:
`PYTHONPATH=tests/python python -m ddl.test_statements --write`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from sparkify_lake import NoInputError, SparkifyLakeError, UsageError, _engine
from sparkify_lake.cli import main
from sparkify_lake.ddl import FORMATS, ddl_with
from sparkify_lake.ddl.engines import ENGINES
from sparkify_lake.errors import ConfigurationError
from sparkify_lake.settings.resolve import resolve

GOLDEN = Path(__file__).parent / "golden"
FORMS = [
    (engine, format) for engine in ENGINES for format in FORMATS if format not in ENGINES[engine].refusals
]
NULL = "__HIVE_DEFAULT_PARTITION__"


def table(name: str, folder: str, partitions: list[str], hint: str | None = None) -> dict[str, Any]:
    return {"table": name, "folder": folder, "partitions": partitions, "iceberg_hint": hint}


# Two lakes as the commit log describes them: with the names of the Spark job, and with other names.
MONTHS = ["year=2018/month=11", "year=2018/month=12"]
CLASSIC = {
    "options": {"ts_window": "1990-01-01..2100-01-01"},
    "tables": [
        table("artists", "artists_table", [""], "3"),
        table("songplays", "songplays_table", MONTHS, "3"),
        table(
            "songs",
            "songs_table",
            [
                "year=0/artist_id=AR1",
                "year=1999/artist_id=a%2Fb %27c%27",
                f"year=2000/artist_id={NULL}",
                f"year={NULL}/artist_id=AR2",
            ],
            "00004-2f1a",
        ),
        table("time", "time_table", MONTHS, "v3.metadata.json"),
        table("users", "user_table", [""], "3"),
    ],
}
RENAMED = {
    "options": {
        "column_names": "songs.year=Released,songs.artist_id=artistId,users.user_id=userId,"
        "time.month=monthOfYear",
        "ts_window": "2018-01-01..2019-01-01",
    },
    "tables": [
        table("songs", "songs/songs.parquet", ["Released=0/artistId=AR1"]),
        table("time", "dimensions/time", ["year=2018/monthOfYear=11"]),
        table("users", "dimensions/it's users", [""]),
    ],
}
LAKES = {"classic": CLASSIC, "renamed": RENAMED}


@pytest.fixture(autouse=True)
def lake(isolated: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The lake that the engine finds; empty if there is none."""
    found: dict[str, Any] = dict(CLASSIC)

    def lake_tables(config: object) -> Mapping[str, Any]:
        if not found:
            raise NoInputError("there is no lake at s3://bucket/lake")
        return found

    monkeypatch.setattr(_engine, "lake_tables", lake_tables)
    return found


def printed(engine: str, format: str, output: str = "s3://bucket/my lake", **options: Any) -> str:
    config = resolve("ddl", {"output": output, **options})
    return f"{ddl_with(engine, format, None, config)}\n"


def goldens() -> Iterator[tuple[str, str, str]]:
    for engine, format in [*FORMS, ("dbt", "parquet")]:
        yield "classic", engine, format
        if format == "parquet":
            yield "renamed", engine, format


def golden_file(name: str, engine: str, format: str) -> Path:
    return GOLDEN / f"{name}_{engine}_{format}.{'yml' if engine == 'dbt' else 'sql'}"


@pytest.mark.parametrize(("name", "engine", "format"), list(goldens()))
def test_the_statements_are_the_recorded_ones(
    lake: dict[str, Any], name: str, engine: str, format: str
) -> None:
    lake.update(LAKES[name])
    assert printed(engine, format) == golden_file(name, engine, format).read_text()


def test_every_recorded_text_is_tested() -> None:
    assert sorted(GOLDEN.iterdir()) == sorted(golden_file(*one) for one in goldens())
    assert len(FORMS) == 21


def test_every_template_belongs_to_a_form_and_names_its_documentation() -> None:
    templates = {
        Path(str(one)).stem: one.read_text() for one in (files("sparkify_lake.ddl") / "templates").iterdir()
    }
    assert templates.keys() == {f"{engine}_{format}" for engine, format in FORMS} | {"duckdb_empty"}
    page = (Path(__file__).parents[3] / "docs" / "engines.md").read_text()
    for name, text in templates.items():
        if name != "duckdb_empty":
            link = re.findall(r"^-- (https://\S+)$", text.partition("-- for each table")[0], re.MULTILINE)
            assert len(link) == 1, name
            assert link[0] in page, f"{name}: docs/engines.md has the link"


# Statements that sqlglot's dialects do not parse any further than their first word.
ONLY_WORDS = (
    "MSCK REPAIR",
    "CREATE CATALOG INTEGRATION",
    "CREATE EXTERNAL SCHEMA",
    "CALL ",
    "ALTER TABLE",
)


@pytest.mark.parametrize(("engine", "format"), FORMS)
@pytest.mark.parametrize("name", LAKES)
def test_the_syntax_is_that_of_the_engine(lake: dict[str, Any], name: str, engine: str, format: str) -> None:
    lake.update({**LAKES[name], "tables": [{**one, "iceberg_hint": "3"} for one in LAKES[name]["tables"]]})
    text = printed(engine, format)
    if engine == "bigquery":  # two clauses that sqlglot does not know for external tables
        text = re.sub("^WITH (PARTITION COLUMNS|CONNECTION) .*\n", "", text, flags=re.MULTILINE)
    parsed = sqlglot.parse(text, dialect=engine)
    words = [f"{one.this} {one.expression}" for one in parsed if isinstance(one, exp.Command)]
    assert [one for one in words if not " ".join(one.split()).startswith(ONLY_WORDS)] == []
    assert len(parsed) > 3


def test_a_table_has_its_columns_and_partitions_in_order() -> None:
    for engine in ("athena", "redshift", "trino", "spark", "snowflake", "bigquery"):
        text = printed(engine, "parquet", tables="songs")
        found = re.search(r"songs\W*\(\n(.*?)\n\)", text, re.DOTALL | re.IGNORECASE)
        assert found, engine
        columns = re.findall(r'^  ["`](\w+)["`]', found[1].lower(), re.MULTILINE)
        in_files = ["song_id", "title", "duration"]
        assert columns in (in_files, [*in_files, "year", "artist_id"]), engine


def test_redshift_prints_partitions_in_statements_of_one_hundred(lake: dict[str, Any]) -> None:
    def songs(count: int) -> str:
        partitions = [f"year=2000/artist_id=AR{number}" for number in range(count)]
        lake["tables"] = [table("songs", "songs_table", partitions)]
        return printed("redshift", "parquet")

    assert [songs(count).count('ALTER TABLE "') for count in (100, 101, 1_000)] == [1, 2, 10]
    assert songs(1_000).count("PARTITION (") == 1_000
    assert "PARTITION (" not in songs(1_001) and "songs has 1,001 partitions" in songs(1_001)
    assert "songs has 0 partitions" in songs(0)


def test_settings_name_the_tables_of_a_lake_that_does_not_exist_yet(
    lake: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    lake.clear()
    text = printed("trino", "parquet", column_names="songs.year=released", table_names="songs=a/b")
    assert "'s3://bucket/my lake/a/b'" in text and "'s3://bucket/my lake/user_table'" in text
    assert "ARRAY['released', 'artist_id']" in text
    assert "there is no lake at s3://bucket/lake; the names are those of the settings" in caplog.text
    assert "has 0 partitions" in printed("redshift", "parquet")
    assert "'projection.year.range' = '1990,2100'" in printed("athena", "parquet")
    Path("lake.cfg").write_text("TS_WINDOW = 1970-01-01..2030-06-01\n")
    assert "'projection.year.range' = '1970,2030'" in printed("athena", "parquet")


def test_the_lake_decides_about_names(lake: dict[str, Any]) -> None:
    lake.update(RENAMED)
    text = printed("trino", "parquet", column_names="songs.year=other")
    assert '"Released" INTEGER' in text and "other" not in text
    assert "'s3://bucket/my lake/dimensions/it''s users'" in text


def test_a_table_in_two_folders_must_be_chosen(lake: dict[str, Any]) -> None:
    lake["tables"] = [table("users", "a", [""]), table("users", "b/c", [""])]
    with pytest.raises(UsageError, match="2 tables with users") as refused:
        printed("duckdb", "parquet")
    assert refused.value.hint == "choose one of them: --table-names users=a"
    text = printed("duckdb", "parquet", table_names="users=b/c")
    assert "/b/c/*.parquet" in text and "/a/" not in text
    with pytest.raises(NoInputError, match="no table users in d"):
        printed("duckdb", "parquet", table_names="users=d")


def test_chosen_tables(lake: dict[str, Any]) -> None:
    text = printed("spark", "parquet", tables="users, songs")
    assert re.findall(r"EXISTS `sparkify`.`(\w+)`", text) == ["songs", "users"]
    lake["tables"] = [one for one in CLASSIC["tables"] if one["table"] != "users"]
    assert "users" not in printed("spark", "parquet")
    with pytest.raises(NoInputError, match="the lake has no table users"):
        printed("spark", "parquet", tables="users")


def test_google_cloud_storage_has_its_own_scheme_in_bigquery() -> None:
    options = {"endpoint_url": "https://storage.googleapis.com"}
    parquet = printed("bigquery", "parquet", **options)
    assert (
        "uris = ['gs://bucket/my lake/songs_table/year=*.parquet']" in parquet
        and "CONNECTION `" not in parquet
    )
    delta = printed("bigquery", "delta", **options)
    assert "WITH CONNECTION `REGION.CONNECTION`" in delta and "s3://" not in delta


@pytest.mark.parametrize("engine", ["athena", "redshift", "snowflake", "bigquery"])
def test_engines_that_read_only_buckets_refuse_a_local_lake(engine: str) -> None:
    with pytest.raises(UsageError, match="cannot read a lake on a local disk") as refused:
        printed(engine, "parquet", "lake")
    assert refused.value.cause == f"the lake is at {Path.cwd()}/lake"
    assert "duckdb" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("engine", "location"),
    [("duckdb", "'{}/my lake/user_table/"), ("trino", "'local://{}/my lake/user_table'"),
     ("spark", "'file://{}/my lake/user_table'"), ("clickhouse", "file(\n  '{}/my lake/user_table/")],
)  # fmt: skip
def test_a_local_path_becomes_absolute(engine: str, location: str) -> None:
    assert location.format(Path.cwd()) in printed(engine, "parquet", "my lake")


@pytest.mark.parametrize(
    ("engine", "format"),
    [(engine, format) for engine in ENGINES for format in FORMATS if (engine, format) not in FORMS],
)
def test_a_format_that_an_engine_cannot_take_is_refused(engine: str, format: str) -> None:
    with pytest.raises(UsageError, match=f"no statement for a table in the format {format}") as refused:
        printed(engine, format)
    assert refused.value.cause and str(refused.value.hint).startswith("use --format parquet")


def test_iceberg_needs_metadata(lake: dict[str, Any]) -> None:
    lake.update(RENAMED)
    for engine, format in FORMS:
        if format == "iceberg":
            with pytest.raises(NoInputError, match="songs has no Iceberg metadata") as refused:
                printed(engine, format)
            assert "use --format parquet or --format delta" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        (("athenna", None, None), UsageError, "did you mean athena?"),
        (("mysql", None, None), UsageError, "use one of athena, redshift"),
        ((None, None, None), UsageError, "needs an engine"),
        (("duckdb", "orc", None), UsageError, "use one of parquet, delta, iceberg"),
        (("duckdb", None, "a b"), UsageError, "letters, digits and _"),
        (("duckdb", None, '"; DROP'), UsageError, "letters, digits and _"),
    ],
)
def test_wrong_arguments_are_refused(
    options: tuple[str | None, str | None, str | None], kind: type[SparkifyLakeError], says: str
) -> None:
    with pytest.raises(kind) as refused:
        ddl_with(*options, resolve("ddl", {"output": "s3://bucket/lake"}))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("output", "location"),
    [
        ("s3a://bucket//", "s3://bucket/user_table/*"),
        ("/", "/user_table/*"),
        ("a/../b/", "{}/b/user_table/*"),
    ],
)
def test_a_location_is_normalized(output: str, location: str) -> None:
    assert f"'{location.format(Path.cwd())}.parquet'" in printed("duckdb", "parquet", output, tables="users")


def test_a_location_with_a_wildcard_is_refused_where_it_has_no_escape() -> None:
    for engine in ("clickhouse", "bigquery", "spark"):
        with pytest.raises(UsageError, match="cannot read this location"):
            printed(engine, "parquet", "s3://bucket/a*b")
    assert "s3://bucket/a[*]b/" in printed("duckdb", "parquet", "s3://bucket/a*b")


def test_a_location_with_a_percent_sign_is_refused_where_it_begins_an_escape() -> None:
    with pytest.raises(UsageError, match=r"cannot read delta tables at this location: .*/100% lake"):
        printed("duckdb", "delta", "100% lake")
    for format in ("parquet", "iceberg"):
        assert "100% lake/" in printed("duckdb", format, "100% lake")


def test_a_lake_must_be_configured() -> None:
    with pytest.raises(ConfigurationError, match="there is no lake to print statements for"):
        ddl_with("duckdb", None, None, resolve("ddl", {}))


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "ddl",
        "trino",
        "s3://bucket/lake",
        "--format",
        "delta",
        "--database",
        "music",
        "--tables",
        "users",
    ]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert 'CREATE SCHEMA IF NOT EXISTS delta."music";' in text and "'s3://bucket/lake/user_table'" in text
    assert main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["engine"], result["format"], result["location"]) == ("trino", "delta", "s3://bucket/lake")
    assert len(result["statements"]) == 3 and "\n\n".join(result["statements"]) + "\n" == text
    assert main(["ddl", "trino", "s3://bucket/lake", "--output", "x"]) == 64
    assert "output is given twice" in capsys.readouterr().err
    assert main(["ddl"]) == 64
    assert "error: the command ddl needs an engine\nhint: use one of athena," in capsys.readouterr().err


if __name__ == "__main__" and "--write" in sys.argv:
    for lake_name, engine_name, format_name in goldens():
        _engine.lake_tables = lambda config, found=LAKES[lake_name]: found  # type: ignore[assignment, misc, return-value]
        golden_file(lake_name, engine_name, format_name).write_text(printed(engine_name, format_name))
