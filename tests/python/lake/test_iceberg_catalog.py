"""Iceberg tables that are also committed to a catalog of PyIceberg.

The catalogs are an embedded SQL catalog, AWS Glue on moto's server, and Iceberg's REST server, which
``make formats`` downloads.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sparkify_lake
from sparkify_lake.errors import ProtocolError, RetryableError
from support import s3_servers as servers
from support.growing_input import GrowingInput
from support.lake_files import FOLDERS

pytest.importorskip("pyiceberg", reason="needs the package pyiceberg")
pytest.importorskip("sqlalchemy", reason="needs the package sqlalchemy")

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import NoSuchNamespaceError
from pyiceberg.utils.config import Config

from sparkify_lake.iceberg import catalog as catalogs

REST_JAR = os.environ.get("FORMATS_REST_JAR", "")
_REST_MARKS = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not REST_JAR, reason="needs Iceberg's REST server: make formats"),
]
_CATALOGS = ["sql", pytest.param("rest", marks=_REST_MARKS)]
of_sql_and_rest = pytest.mark.parametrize("settings", _CATALOGS, indirect=True, scope="module")
# A client of AWS takes long to start, so only some tests use it.
of_all_catalogs = pytest.mark.parametrize("settings", [*_CATALOGS, "glue"], indirect=True, scope="module")

pytestmark = pytest.mark.filterwarnings("ignore:Iceberg scan planning")


@pytest.fixture(scope="module")
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The properties of a catalog in PyIceberg's configuration."""
    folder = tmp_path_factory.mktemp("catalog")
    kind, warehouse = request.param, f"file://{folder}/warehouse"
    if kind == "sql":
        yield {"type": kind, "uri": f"sqlite:///{folder}/catalog.db", "warehouse": warehouse}
    elif kind == "glue":
        for module in ("boto3", "moto", "flask"):
            pytest.importorskip(module, reason=f"{module} is missing: pip install 'sparkify-lake[test]'")
        with servers.moto(folder) as server:
            keys = {"access_key_id": server.keys.id, "secret_access_key": server.keys.secret}
            given = {"endpoint": server.url, "region": servers.REGION, **keys}
            yield {"type": kind, **{f"glue__{name}": value for name, value in given.items()}}
    else:
        (port,) = servers.free_ports(1)
        environment = {
            "CATALOG_REST_PORT": str(port),
            "CATALOG_URI": f"jdbc:sqlite:{folder}/catalog.db",
            "CATALOG_WAREHOUSE": warehouse,
        }
        command = [str(shutil.which("java")), "-jar", REST_JAR]
        with servers.process(command, folder, environment) as (child, log):
            servers.wait_until(
                lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, child, log, 120
            )
            yield {"type": kind, "uri": f"http://127.0.0.1:{port}"}


@pytest.fixture
def place(settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GrowingInput:
    """An input, and a catalog without tables."""
    for name, value in settings.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__LOCAL__{name.upper()}", value)
    monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())
    opened.cache_clear()
    for namespace in ("sparkify", "another"):
        with suppress(NoSuchNamespaceError):
            for table in opened().list_tables(namespace):
                opened().drop_table(table)
    return GrowingInput(tmp_path)


@cache
def opened() -> Catalog:
    return load_catalog("local")


def versions(table: str, namespace: str = "sparkify") -> list[int]:
    snapshots = opened().load_table(f"{namespace}.{table}").snapshots()
    return [int(snapshot.summary["sparkify-lake.version"]) for snapshot in snapshots]  # type: ignore[index]


def assert_equal_tables(star: sparkify_lake.Star, namespace: str = "sparkify") -> None:
    for table, wanted in star.items():
        found: Any = pl.from_arrow(opened().load_table(f"{namespace}.{table}").scan().to_arrow())
        columns = wanted.columns
        assert found.cast(dict(wanted.schema)).sort(columns).equals(wanted.sort(columns)), table


@pytest.mark.parametrize(
    ("settings", "retain"),
    [("sql", 0), ("sql", 2), ("glue", 2), pytest.param("rest", 2, marks=_REST_MARKS)],
    indirect=["settings"],
)
def test_the_catalog_has_the_newest_version(place: GrowingInput, retain: int) -> None:
    place.keep(2)
    place.run(formats="iceberg", iceberg_catalog="local", retain=retain)
    for count in range(3, 9):
        place.keep(count)
        place.run(iceberg_catalog="local")
        assert_equal_tables(place.build())
        assert len(versions("songplays")) == min(retain + 1, count - 1)
    before = {table: opened().load_table(f"sparkify.{table}").metadata_location for table in FOLDERS}
    assert place.run(iceberg_catalog="local").state == "unchanged"
    assert sparkify_lake.recover(place.lake, iceberg_catalog="local").exit_code == 0
    after = {table: opened().load_table(f"sparkify.{table}").metadata_location for table in FOLDERS}
    assert after == before, "a repeated run adds nothing"
    files = [path.name for path in (place.lake / "_etl/iceberg/songplays/metadata").glob("0*.metadata.json")]
    assert len(files) <= 2, "outdated metadata files of the catalog are removed"
    assert sparkify_lake.check(place.lake).exit_code == 0


@of_sql_and_rest
@pytest.mark.parametrize("way", ["run", "run with other input", "recover"])
def test_a_commit_that_a_stopped_run_left_out_is_made_up_for(
    place: GrowingInput, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    place.keep(3)
    place.run(formats="iceberg", iceberg_catalog="local", retain=5)
    place.keep(5)

    publish, calls = catalogs.publish, []

    def stop(name: str, published: Any) -> None:
        calls.append(name)
        if len(calls) > 1:  # the first call is for the version before
            raise OSError("the catalog is on fire")
        publish(name, published)

    with monkeypatch.context() as patch:
        patch.setattr(catalogs, "publish", stop)
        with pytest.raises(RetryableError, match="Iceberg tables are not") as failed:
            place.run(iceberg_catalog="local")
        assert "catalog is on fire" in str(failed.value)
    assert versions("songplays") == [1] and sparkify_lake.status(place.lake).version == 2
    place.keep(7) if way == "run with other input" else None
    if way == "recover":
        sparkify_lake.recover(place.lake, iceberg_catalog="local")
    else:
        place.run(iceberg_catalog="local")
    assert versions("songplays") == ([1, 2, 3] if way == "run with other input" else [1, 2])
    assert_equal_tables(place.build())


@of_sql_and_rest
def test_a_table_of_another_lake_is_refused(place: GrowingInput, tmp_path: Path) -> None:
    place.keep(3)
    place.run(formats="iceberg", iceberg_catalog="local")
    place.lake = tmp_path / "other"
    with pytest.raises(
        ProtocolError, match=r"cannot continue the table sparkify.* in the catalog"
    ) as refused:
        place.run(formats="iceberg", iceberg_catalog="local")
    assert "name.namespace" in str(refused.value)
    place.run(iceberg_catalog="local.another")
    assert_equal_tables(place.build(), "another")


@of_all_catalogs
def test_a_snapshot_of_another_program_is_refused(place: GrowingInput) -> None:
    place.keep(3)
    place.run(formats="iceberg", iceberg_catalog="local")
    table = opened().load_table("sparkify.users")
    table.append(table.scan().to_arrow())
    place.keep(5)
    with pytest.raises(ProtocolError, match=r"cannot continue the table sparkify\.users"):
        place.run(iceberg_catalog="local")
    opened().drop_table("sparkify.users")
    place.run(iceberg_catalog="local")
    assert_equal_tables(place.build())


@of_all_catalogs
def test_other_columns_and_formats(place: GrowingInput) -> None:
    place.run(formats="iceberg", iceberg_catalog="local")
    place.run(column_names={"artists.name": "artist_name"}, iceberg_catalog="local")
    assert "artist_name" in opened().load_table("sparkify.artists").schema().column_names
    place.run(formats="parquet", iceberg_catalog="local")
    assert opened().list_tables("sparkify") == []
    assert not any(path.is_file() for path in (place.lake / "_etl/iceberg").rglob("*"))
