"""The files of Iceberg metadata in memory, as PyIceberg reads and writes them. The engine stores them."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from io import BytesIO

from pyiceberg.manifest import ManifestFile, read_manifest_list


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

    def __init__(self) -> None:
        """Begins without files."""
        self.written: dict[str, bytes] = {}
        self._read: dict[str, bytes] = {}

    def read(self, locations: Iterable[str]) -> Generator[list[str], list[bytes | None], None]:
        """Reads the files that are not known yet, all at once.

        Raises:
            FileNotFoundError: If one does not exist.
        """
        unknown = [one for one in locations if one not in self.written and one not in self._read]
        if not unknown:
            return
        contents = yield [path_of(location) for location in unknown]
        for location, content in zip(unknown, contents, strict=True):
            if content is None:
                raise FileNotFoundError(location)
            self._read[location] = content

    def manifests(self, location: str) -> list[ManifestFile]:
        """Returns the manifests in a manifest list that was written or read before."""
        return list(read_manifest_list(self.new_input(location)))

    def new_output(self, location: str) -> _Output:
        """Returns a new file."""
        return _Output(location, self.written)

    def new_input(self, location: str) -> _Input:
        """Opens a file that was written or read before."""
        return _Input(location, self.written.get(location) or self._read[location])


def path_of(location: str) -> str:
    """Returns the path of a file of the metadata below the root of the lake, which may have moved since."""
    _, folder, path = location.rpartition("_etl/iceberg/")
    return folder + path
