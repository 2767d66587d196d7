"""open_lake: columns, types and NULLs, table names, and lakes in buckets."""

from __future__ import annotations

import pickle
import types
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sparkify_lake
from sparkify_lake import _engine
from sparkify_lake.settings.options import BY_NAME

SCHEMA = _engine.star_schema()
INPUT = Path("data")
NULL = "__HIVE_DEFAULT_PARTITION__"


pytestmark = pytest.mark.usefixtures("isolated")


@pytest.fixture
def source(isolated: None) -> Path:
    sparkify_lake.sample(INPUT, songs=20, events=300, days=3, users=5)
    return INPUT


def test_built_tables_and_opened_lake_have_the_same_columns_types_and_rows(source: Path) -> None:
    star = sparkify_lake.build(source, tables=list(SCHEMA))
    assert list(star) == list(SCHEMA) and len(star) == len(SCHEMA)
    sparkify_lake.run(source, "lake", tables=list(SCHEMA))
    lake = sparkify_lake.open_lake("lake")
    for table in SCHEMA:
        frame = lake[table].collect()
        assert frame.schema == star[table].schema, table
        assert list(frame.schema) == list(SCHEMA[table]["columns"]), table
        key = frame.columns[0]
        assert frame.sort(key).equals(star[table].sort(key)), table
    assert star.report.state == "built"
    assert star.songs is star["songs"]
    assert pickle.loads(pickle.dumps(star)).songs.equals(star.songs)
    assert "songplays" in repr(star) and "<table" in star._repr_html_()


def test_every_list_of_tables_is_the_schema_of_the_engine() -> None:
    assert BY_NAME["tables"].choices == tuple(SCHEMA)
    optional = [table for table in SCHEMA if table not in _engine.default_tables()]
    assert [field.name for field in fields(sparkify_lake.Star)] == [
        *_engine.default_tables(),
        "report",
        *optional,
    ]
    assert all(isinstance(getattr(sparkify_lake.Lake, table), property) for table in SCHEMA)


@pytest.mark.parametrize("names", [None, "plain", "songs=tracks", "plain,songs=tracks,users=people"])
def test_the_lake_is_opened_with_any_table_names(source: Path, names: str | None) -> None:
    sparkify_lake.run(source, "la[k]e *", table_names=names)
    found = sparkify_lake.open_lake("la[k]e *", table_names=names if names and "=" in names else None)
    assert all(table.exists for table in found.tables())
    assert found.songs.collect().height > 0


def test_null_and_escaped_partition_values_are_decoded(tmp_path: Path) -> None:
    base = pl.DataFrame({"song_id": ["S"], "title": ["T"], "duration": [1.5]})
    paths = ("year=0/artist_id=A%2FB é", f"year={NULL}/artist_id={NULL}", "year=1999/artist_id=007")
    for path in paths:
        folder = tmp_path / "lake/songs_table" / path
        folder.mkdir(parents=True)
        base.write_parquet(folder / "part-00000.snappy.parquet")
    (tmp_path / "lake/songs_table/_SUCCESS").touch()
    rows = sparkify_lake.open_lake("lake").songs.select("artist_id", "year").collect().rows()
    assert sorted(rows, key=str) == [("007", 1999), ("A/B é", 0), (None, None)]


@pytest.mark.parametrize("table", SCHEMA)
def test_an_empty_table_has_all_columns(tmp_path: Path, table: str) -> None:
    folder = tmp_path / "lake" / ("user_table" if table == "users" else f"{table}_table")
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    frame = sparkify_lake.open_lake("lake")[table].collect()
    assert frame.height == 0
    assert frame.columns == list(SCHEMA[table]["columns"])
    assert set(SCHEMA[table]["partition_columns"]) <= set(frame.columns)


def test_an_optional_table_is_found_if_a_run_selected_it(source: Path) -> None:
    """Without it, it is not displayed, and a lake can consist of it alone."""
    star = sparkify_lake.build(source)
    assert "users_history" not in star and star.users_history is None
    with pytest.raises(KeyError):
        _ = star["users_history"]
    sparkify_lake.run(source, "lake")
    lake = sparkify_lake.open_lake("lake")
    assert [table.name for table in lake.tables()] == list(_engine.default_tables())
    with pytest.raises(sparkify_lake.NoInputError, match="no table users_history"):
        _ = lake.users_history
    sparkify_lake.run(source, "lake", tables="users_history", quiet=True)
    assert lake.users_history.collect().height > 0, "it is found without opening the lake again"
    assert [table.name for table in lake.tables()] == list(SCHEMA)
    sparkify_lake.run(source, "alone", tables="users_history", table_names="plain")
    alone = sparkify_lake.open_lake("alone")
    assert [table.name for table in alone.tables() if table.exists] == ["users_history"]
    assert alone.users_history.collect().equals(lake.users_history.collect())


@pytest.mark.parametrize("table", ["songs", "users_history"])
def test_a_table_takes_one_look_at_the_lake(
    source: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    sparkify_lake.run(source, "lake", tables=list(SCHEMA), quiet=True)
    lake = sparkify_lake.open_lake("lake")
    looks: list[bool] = []
    find_tables = _engine.find_tables

    def counted(config: Any, *, optional: bool = False) -> Any:
        looks.append(optional)
        return find_tables(config, optional=optional)

    monkeypatch.setattr(_engine, "find_tables", counted)
    assert lake[table].collect().height > 0
    assert looks == [table == "users_history"]


def test_a_missing_lake_and_a_missing_table_are_errors(source: Path) -> None:
    with pytest.raises(sparkify_lake.NoInputError, match="there is no lake at nowhere"):
        sparkify_lake.open_lake("nowhere")
    with pytest.raises(sparkify_lake.ConfigurationError, match="no lake to open"):
        sparkify_lake.open_lake()
    sparkify_lake.run(source, "lake", tables="users")
    lake = sparkify_lake.open_lake("lake")
    assert [table.name for table in lake.tables() if table.exists] == ["users"]
    with pytest.raises(sparkify_lake.NoInputError, match="no table songs"):
        _ = lake.songs
    with pytest.raises(KeyError):
        _ = lake["nothing"]
    assert "(does not exist)" in repr(lake)


# --- in a bucket, without a server; s3/ has tests with servers ---


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The tables that exist in the bucket; everything except the check for tables is the real engine."""
    from sparkify_lake import _native

    there: set[str] = set()

    def look(options: dict[str, object]) -> dict[str, object]:
        layout = _native.lake_layout(options)
        found = {table: place.rpartition("/")[2] in there for table, place in layout.items()}
        return {"tables": found, "files": {}, "region": options.get("region", "the bucket's")}

    engine = types.SimpleNamespace(
        lake_layout=_native.lake_layout, look=look, star_schema=_native.star_schema
    )
    monkeypatch.setattr("sparkify_lake._engine.native", lambda: engine)
    return there


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The last arguments of scan_parquet; no request is sent."""
    seen: dict[str, Any] = {}

    def scan(source: str, **options: Any) -> pl.LazyFrame:
        seen.clear()
        seen.update(options, source=source)
        return pl.LazyFrame(schema={**options["schema"], **(options["hive_schema"] or {})})

    monkeypatch.setattr(pl, "scan_parquet", scan)
    return seen


@pytest.mark.parametrize("root", ["s3://b/x", "s3a://b//x/", Path("s3n://b/x")])
def test_the_tables_of_a_lake_in_a_bucket(
    bucket: set[str], scanned: dict[str, Any], root: str | Path
) -> None:
    with pytest.raises(sparkify_lake.NoInputError, match="there is no lake at s3") as caught:
        sparkify_lake.open_lake(root)
    assert "songs_table" in str(caught.value.cause) and "songplays" in str(caught.value.cause)
    bucket.update(("songs", "users"))
    lake = sparkify_lake.open_lake(root)
    assert lake.is_remote
    assert [(t.name, t.location) for t in lake.tables() if t.exists] == [
        ("songs", "s3://b/x/songs"),
        ("users", "s3://b/x/users"),
    ]
    assert lake.songs.collect_schema().names() == list(SCHEMA["songs"]["columns"])
    # Without the trailing slash, Polars takes the location for a file.
    assert scanned["source"] == "s3://b/x/songs/"
    with pytest.raises(sparkify_lake.NoInputError, match="no table time"):
        _ = lake.time
    bucket.add("time")
    assert lake.time is not None and scanned["source"] == "s3://b/x/time/", "the table is looked up again"


def test_store_options_are_passed_to_polars(bucket: set[str], scanned: dict[str, Any]) -> None:
    bucket.add("users")

    def polars_options(**options: Any) -> dict[str, Any]:
        _ = sparkify_lake.open_lake("s3://b/x", **options).users
        return {name: scanned[name] for name in ("storage_options", "credential_provider") if name in scanned}

    # Without configuration, the region is the bucket's, and Polars looks for credentials itself.
    assert polars_options() == {"storage_options": {"aws_region": "the bucket's"}}
    Path("lake.cfg").write_text("ENDPOINT_URL=http://localhost:9000/\nALLOW_HTTP=yes\nREGION=r\n")
    reach = {"aws_endpoint_url": "http://localhost:9000", "aws_region": "r", "allow_http": "true"}
    assert polars_options() == {"storage_options": reach}
    assert polars_options(profile="dev") == {"storage_options": {**reach, "aws_profile": "dev"}}
    unsigned = {"storage_options": {**reach, "aws_skip_signature": "true"}, "credential_provider": None}
    assert polars_options(anonymous=True) == unsigned


def test_a_local_lake_passes_no_store_options(source: Path, scanned: dict[str, Any]) -> None:
    sparkify_lake.run(source, "lake")
    Path("lake.cfg").write_text("REGION=r\n")
    lake = sparkify_lake.open_lake("lake", access_key_id="AKIAX", secret_access_key="s")
    assert lake.users is not None and not lake.is_remote
    assert scanned["source"] == "lake/user_table"
    assert scanned.keys().isdisjoint({"storage_options", "credential_provider"})


KEYS = {"access_key_id": "AKIAX", "secret_access_key": "hunter2", "session_token": "hunter3"}


def test_credentials_reach_only_polars(bucket: set[str], scanned: dict[str, Any]) -> None:
    bucket.add("users")
    lake = sparkify_lake.open_lake("s3://b/x", **KEYS)  # type: ignore[arg-type]
    assert lake.users is not None
    for shown in (repr(lake), repr(vars(lake)), lake._repr_html_(), repr(scanned)):
        assert "hunter" not in shown and "AKIAX" not in shown
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(lake)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(scanned["credential_provider"])
    expected = {f"aws_{name}": value for name, value in KEYS.items()}
    assert scanned["credential_provider"]() == (expected, None)


def test_a_ca_file_that_polars_does_not_use_causes_a_warning(
    bucket: set[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.add("users")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    sparkify_lake.open_lake("s3://b/x", ca_file="ca.pem")
    assert "SSL_CERT_FILE" in caplog.text
    caplog.clear()
    monkeypatch.setenv("SSL_CERT_FILE", "ca.pem")
    sparkify_lake.open_lake("s3://b/x", ca_file="ca.pem")
    assert caplog.text == ""


def test_pickling_a_lake_keeps_its_settings(source: Path) -> None:
    sparkify_lake.run(source, "lake", table_names="plain")
    Path("lake.cfg").write_text("OUTPUT=lake\n")
    again = pickle.loads(pickle.dumps(sparkify_lake.open_lake()))
    assert again.users.collect().height > 0
    assert all(table.exists for table in again.tables())


def test_open_lake_uses_the_configured_output(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparkify_lake.run(source, "lake", table_names="users=people")
    Path("lake.cfg").write_text("OUTPUT=lake\nTABLE_NAMES=users=people\nCOMPRESSION=zstd\n")
    assert sparkify_lake.open_lake().users.collect().height > 0
