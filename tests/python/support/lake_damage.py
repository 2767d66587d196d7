"""Damage to the files of a lake, as disks, tools and people cause it: one function per kind.

Each function damages a lake and returns the path that it changed, or None if the lake has no such file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TypeAlias

from support.lake_files import FOLDERS, data_files

Damage: TypeAlias = Callable[[Path, Random], Path | None]


@contextmanager
def times_kept(*paths: Path) -> Iterator[None]:
    """Sets modification times back afterwards, as ``cp -a``, ``rsync -a`` and a damaged disk leave them."""
    before = [(path, path.stat()) for path in paths]
    yield
    for path, status in before:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flip(path: Path, random: Random) -> Path:
    """Changes one byte and keeps the size and the time."""
    with times_kept(path):
        content = bytearray(path.read_bytes())
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        path.write_bytes(content)
    return path


def _data_file(lake: Path, random: Random) -> Path:
    return random.choice(data_files(lake))


def _table_folder(lake: Path, random: Random) -> Path:
    folders = [path for name in FOLDERS.values() for path in (lake / name).rglob("*") if path.is_dir()]
    return random.choice(sorted(folders) + [lake / name for name in sorted(FOLDERS.values())])


def _newest(lake: Path, name: str) -> Path:
    return max((lake / "_etl" / name).glob("*.json"))


def _state(lake: Path, random: Random, *, packs: bool) -> Path:
    files = sorted((lake / "_etl" / "state").iterdir())
    return random.choice([path for path in files if ("pack" in path.name) == packs])


def _removed(path: Path) -> Path:
    path.unlink()
    return path


# --- files of the tables ----------------------------------------------------------------------------------


def flip_a_byte(lake: Path, random: Random) -> Path:
    return flip(_data_file(lake, random), random)


def cut_a_file(lake: Path, random: Random) -> Path:
    path = _data_file(lake, random)
    with times_kept(path):
        os.truncate(path, random.randrange(path.stat().st_size))
    return path


def append_to_a_file(lake: Path, random: Random) -> Path:
    path = _data_file(lake, random)
    with path.open("ab") as file:
        file.write(b"more")
    return path


def remove_a_file(lake: Path, random: Random) -> Path:
    path = _data_file(lake, random)
    with times_kept(path.parent):
        path.unlink()
    return path


def remove_a_folder(lake: Path, random: Random) -> Path:
    path = _data_file(lake, random).parent
    shutil.rmtree(path)
    return path


def swap_two_files(lake: Path, random: Random) -> Path:
    one, other = random.sample(data_files(lake / "songs_table"), 2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    return one


def restore_an_older_copy(lake: Path, random: Random) -> Path:
    """Another valid Parquet file in place of a file, with an old time."""
    path = _data_file(lake, random)
    other = next(file for file in data_files(lake) if file.read_bytes() != path.read_bytes())
    shutil.copy2(other, path)
    os.utime(path, (1, 1))
    return path


def replace_a_file_by_a_folder(lake: Path, random: Random) -> Path:
    path = _removed(_data_file(lake, random))
    path.mkdir()
    (path / "x").write_text("x")
    return path


def remove_a_marker_of_success(lake: Path, random: Random) -> Path:
    return _removed(lake / random.choice(sorted(FOLDERS.values())) / "_SUCCESS")


def add_a_foreign_table_file(lake: Path, random: Random) -> Path:
    """A valid Parquet file of another program, copied with the times of its folder."""
    folder = _table_folder(lake, random)
    path = folder / "part-00001-spark.snappy.parquet"
    with times_kept(folder):
        shutil.copy2(_data_file(lake, random), path)
    return path


def add_a_foreign_file(lake: Path, random: Random) -> Path:
    folder = _table_folder(lake, random)
    path = folder / random.choice(["Thumbs.db", "notes.txt", "part-00000.snappy.parquet.bak"])
    with times_kept(folder):
        path.write_bytes(b"foreign")
    return path


def add_a_foreign_folder(lake: Path, random: Random) -> Path:
    path = lake / random.choice(sorted(FOLDERS.values())) / "year=1" / "x.parquet"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"foreign")
    return path


# --- control files ----------------------------------------------------------------------------------------


def remove_the_format(lake: Path, random: Random) -> Path:
    return _removed(lake / "_etl" / "FORMAT")


def flip_the_format(lake: Path, random: Random) -> Path:
    path = lake / "_etl" / "FORMAT"
    path.write_bytes(b"\0" * path.stat().st_size)
    return path


def remove_the_newest_record(lake: Path, random: Random) -> Path:
    return _removed(_newest(lake, "log"))


def flip_the_newest_record(lake: Path, random: Random) -> Path:
    return flip(_newest(lake, "log"), random)


def remove_the_commit_log(lake: Path, random: Random) -> Path:
    shutil.rmtree(lake / "_etl" / "log")
    return lake / "_etl" / "log"


def remove_the_newest_marker(lake: Path, random: Random) -> Path:
    return _removed(_newest(lake, "done"))


def damage_the_newest_marker(lake: Path, random: Random) -> Path:
    path = _newest(lake, "done")
    path.write_bytes(path.read_bytes()[: random.randrange(10)])
    return path


def remove_a_state_file(lake: Path, random: Random) -> Path:
    return _removed(_state(lake, random, packs=False))


def flip_a_state_file(lake: Path, random: Random) -> Path:
    return flip(_state(lake, random, packs=False), random)


def remove_a_pack(lake: Path, random: Random) -> Path:
    return _removed(_state(lake, random, packs=True))


def flip_a_pack(lake: Path, random: Random) -> Path:
    return flip(_state(lake, random, packs=True), random)


def remove_everything_but_the_tables(lake: Path, random: Random) -> Path:
    shutil.rmtree(lake / "_etl")
    return lake / "_etl"


TABLE_DAMAGES: tuple[Damage, ...] = (
    flip_a_byte,
    cut_a_file,
    append_to_a_file,
    remove_a_file,
    remove_a_folder,
    swap_two_files,
    restore_an_older_copy,
    replace_a_file_by_a_folder,
    remove_a_marker_of_success,
    add_a_foreign_table_file,
    add_a_foreign_file,
    add_a_foreign_folder,
)
CONTROL_DAMAGES: tuple[Damage, ...] = (
    remove_the_format,
    flip_the_format,
    remove_the_newest_record,
    flip_the_newest_record,
    remove_the_commit_log,
    remove_the_newest_marker,
    damage_the_newest_marker,
    remove_a_state_file,
    flip_a_state_file,
    remove_a_pack,
    flip_a_pack,
    remove_everything_but_the_tables,
)


# --- changes that are no damage ---------------------------------------------------------------------------


def remove_the_lock(lake: Path, random: Random) -> Path:
    return _removed(lake / "_etl" / "lock")


def remove_an_old_record(lake: Path, random: Random) -> Path:
    return _removed(min((lake / "_etl" / "log").glob("*.json")))


def add_an_ignored_file(lake: Path, random: Random) -> Path:
    names = [".DS_Store", "._part-00000.snappy.parquet", ".nfs0000000000012a3b00000001", "_metadata"]
    path = _table_folder(lake, random) / random.choice(names)
    path.write_bytes(b"ignored")
    return path


def touch_everything(lake: Path, random: Random) -> Path:
    for path in lake.rglob("*"):
        path.touch()
    return lake


def leave_a_stage(lake: Path, random: Random) -> Path:
    path = lake / "_etl" / "stage" / "20181101T020304Z-0badcafe" / "tables" / "x"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"left over")
    return path


HARMLESS: tuple[Damage, ...] = (
    remove_the_lock,
    remove_an_old_record,
    add_an_ignored_file,
    touch_everything,
    leave_a_stage,
)
