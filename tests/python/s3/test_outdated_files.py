"""Files of an earlier version that came back: what one late request of an overtaken run leaves in a bucket.

On a local disk the same happens if a file is restored from a backup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sparkify_lake
from support.s3_jobs import Data, differences, new_bucket, options, tables_of, tree
from support.s3_proxy import Proxy
from support.s3_servers import Bucket, Server

pytestmark = pytest.mark.timeout(300)


class Lake:
    """A lake in a bucket, whose files the tests can put and remove."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.output = bucket, bucket.url("lake")
        self.given: dict[str, Any] = {**options(bucket.server), **bucket.server.keys.arguments}

    def run(self, data: Data, **given: Any) -> sparkify_lake.RunReport:
        return sparkify_lake.run(
            data.input, self.output, quiet=True, allow_shrink=True, **self.given, **given
        )

    def check(self) -> sparkify_lake.Checkup:
        return sparkify_lake.check(self.output, **self.given)

    def files(self) -> dict[str, bytes]:
        return tables_of(self.bucket.contents("lake"))

    def put(self, path: str, body: bytes) -> None:
        self.bucket.put(f"lake/{path}", body)

    def remove(self, path: str) -> None:
        self.bucket.delete(f"lake/{path}")


class LocalLake(Lake):
    """The same on a local disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output, self.given = folder, str(folder), {}

    def files(self) -> dict[str, bytes]:
        return tables_of(tree(self.folder))

    def put(self, path: str, body: bytes) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(body)

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()


@pytest.fixture(params=["bucket", "local"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "local":
        yield LocalLake(tmp_path / "lake")
    else:
        server: Server = request.getfixturevalue("seaweedfs")
        yield Lake(new_bucket(server))


def changed(old: Data, new: Data) -> str:
    """A file with other bytes in both lakes."""
    return next(path for path in sorted(old.lake) if path in new.lake and old.lake[path] != new.lake[path])


def only_in(one: Data, other: Data) -> str:
    return next(path for path in sorted(one.lake) if path not in other.lake)


DAMAGES: dict[str, Callable[[Lake, Data, Data], None]] = {
    "overwritten": lambda lake, old, new: lake.put(changed(old, new), old.lake[changed(old, new)]),
    "created": lambda lake, old, new: lake.put(only_in(old, new), old.lake[only_in(old, new)]),
    "deleted": lambda lake, old, new: lake.remove(only_in(new, old)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("versions", [2, 5], ids=["the version before", "an older version"])
def test_the_next_run_replaces_them(lake: Lake, data: Data, later: Data, damage: str, versions: int) -> None:
    lake.run(data)
    for number in range(1, versions):
        lake.run(later, tables="songs,artists,users,time,songplays" if number % 2 else "songs,artists")
    lake.run(later)
    DAMAGES[damage](lake, data, later)
    checked = lake.check()
    assert checked.exit_code == 76
    assert [problem.what for problem in checked.problems] == [
        "missing" if damage == "deleted" else "outdated"
    ]
    assert checked.repair and "--adopt" not in checked.repair, checked.repair
    report = lake.run(later)
    assert report.rebuilt, "the whole input is read"
    assert differences(lake.files(), later.lake) == []
    assert lake.check().exit_code == 0


def test_other_bytes_are_foreign(lake: Lake, data: Data, later: Data) -> None:
    lake.run(data)
    lake.run(later)
    lake.put(only_in(data, later), later.lake[changed(data, later)])
    assert [problem.what for problem in lake.check().problems] == ["foreign"]
    with pytest.raises(sparkify_lake.ProtocolError):
        lake.run(later)


@pytest.mark.parametrize("call", ["run", "recover"])
def test_they_are_replaced_while_a_version_is_published(
    seaweedfs: Server, data: Data, later: Data, call: str
) -> None:
    """Version 3 was planned before the late request of version 1 arrived; publishing it is not stuck."""
    bucket = new_bucket(seaweedfs)
    lake = Lake(bucket)
    lake.run(later)
    lake.run(data)
    with Proxy(seaweedfs.address) as proxy:
        proxy.inject("access denied", "PUT", key="lake/(?!_etl)", count=10**9)
        given = {**lake.given, **options(proxy)}
        with pytest.raises(sparkify_lake.SparkifyLakeError):
            sparkify_lake.run(later.input, lake.output, quiet=True, allow_shrink=True, **given)
    both = [path for path in sorted(data.lake) if path in later.lake and data.lake[path] != later.lake[path]]
    lake.put(both[0], later.lake[both[0]])
    lake.remove(both[1])
    lake.put(only_in(later, data), later.lake[only_in(later, data)])
    if call == "recover":
        assert sparkify_lake.recover(lake.output, **lake.given).exit_code == 0
    else:
        lake.run(later)
    assert differences(lake.files(), later.lake) == []
    assert lake.check().exit_code == 0
