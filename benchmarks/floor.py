"""The least that any engine does on this machine: ``floor.py INPUT OUTPUT PLAN``.

It lists the input folder, reads every file once without looking at its content, and creates the folders and
files of PLAN (one line per file: size, space, path) with zeros of the same size. There is one process per
core, each with its share of the files. Nothing is parsed, sorted, joined, compressed or synced to disk, so
this is the time that the kernel needs for the job. PLAN lists the Parquet files that this job writes; an
engine that writes fewer or smaller files could take less time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

BUFFER = bytearray(1 << 20)


def inputs(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from inputs(entry.path)
            else:
                yield entry.path


def read(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    while os.readv(file, [BUFFER]) == len(BUFFER):
        pass
    os.close(file)


def write(path: str, size: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    view = memoryview(BUFFER)
    while size > 0:
        size -= os.write(file, view[:size])
    os.close(file)


def do_share(number: int, shares: int, reads: list[str], writes: list[tuple[str, int]]) -> None:
    for path in reads[number::shares]:
        read(path)
    BUFFER[:] = bytes(len(BUFFER))
    made: set[str] = set()
    # Consecutive files are in the same folder, whose lock two processes would share.
    for path, size in writes[len(writes) * number // shares : len(writes) * (number + 1) // shares]:
        folder = os.path.dirname(path)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        write(path, size)


def main() -> None:
    source, output, plan = sys.argv[1:4]
    reads = list(inputs(source))
    lines = (line.split(" ", 1) for line in Path(plan).read_text().splitlines())
    writes = [(f"{output}/{path}", int(size)) for size, path in lines]
    os.makedirs(output)
    shares = os.cpu_count() or 1
    children = []
    for number in range(shares):
        child = os.fork()
        if child == 0:
            do_share(number, shares, reads, writes)
            os._exit(0)
        children.append(child)
    for child in children:
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit("a process of the floor failed")


if __name__ == "__main__":
    main()
