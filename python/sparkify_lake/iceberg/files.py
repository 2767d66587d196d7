"""The marks of sparkify-lake in Iceberg metadata, and its files as PyIceberg reads and writes them.

New files stay in memory until the commit.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

# The number of a commit; a commit of another program copies it from the commit before.
COMMIT = "sparkify-lake.commit"
# The version of the lake that a snapshot has, and the one that no longer has a file of the snapshot before.
VERSION = "sparkify-lake.version"
LEFT_AT = "sparkify-lake.left-at"


class _Output(BytesIO):
    """A file that is written in memory, and kept when it is closed."""

    def __init__(self, location: str, written: dict[str, bytes]) -> None:
        super().__init__()
        self.location, self._written = location, written

    def create(self, overwrite: bool = False) -> _Output:
        return self

    def close(self) -> None:
        if not self.closed:
            self._written[self.location] = self.getvalue()
        super().close()

    def __len__(self) -> int:
        return len(self._written[self.location])


class _Input:
    """A file of an earlier commit."""

    def __init__(self, location: str, content: bytes) -> None:
        self.location, self._content = location, content

    def open(self, seekable: bool = True) -> BytesIO:
        return BytesIO(self._content)

    def __len__(self) -> int:
        return len(self._content)


class MetadataFiles:
    """The files of one table's metadata, by their URLs.

    Attributes:
        written: The new files, in the order in which they were written.
    """

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        """Takes a function that reads a file by its path below the root of the lake."""
        self.written: dict[str, bytes] = {}
        self._read = read

    def new_output(self, location: str) -> _Output:
        """Returns a new file."""
        return _Output(location, self.written)

    def new_input(self, location: str) -> _Input:
        """Opens a file.

        Raises:
            FileNotFoundError: If it does not exist.
        """
        content = self.written.get(location) or self._read(path_of(location))
        if content is None:
            raise FileNotFoundError(location)
        return _Input(location, content)


def path_of(location: str) -> str:
    """Returns the path of a file of the metadata below the root of the lake, which may have moved since."""
    _, folder, path = location.rpartition("_etl/iceberg/")
    return folder + path


def expired(snapshots: list[Any], version: int, retain: int) -> list[bool]:
    """Returns for each snapshot, the oldest first, whether files of it may have been removed."""
    found, left_at = [], version + 1
    for snapshot in reversed(snapshots):
        found.append(left_at + retain <= version)
        left_at = min(left_at, int(snapshot["summary"][LEFT_AT]))
    return found[::-1]
