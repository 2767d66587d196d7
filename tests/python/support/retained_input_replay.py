"""Targets for sequences with retained input (`keep_gone`), where missing files keep their rows.

Such a lake must equal a rebuild of all files that ever existed, each in its last version, except missing
files whose contents exist under another name.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from support.input_mutations import File, Files, Step
from support.sequence_replay import (
    DiskTarget,
    FileBodies,
    InputFolder,
    Refusal,
    ReplayTarget,
    RunOutcome,
    rebuild_in,
)

TABLES_OF_FOLDER = {
    "song_data/": {"songs", "artists", "songplays"},
    "log_data/": {"users", "time", "songplays"},
}


def listed_folders(tables: str) -> tuple[str, ...]:
    """The input folders that a run for these tables lists."""
    return tuple(kind for kind, made in TABLES_OF_FOLDER.items() if made & set(tables.split(",")))


class RetainedInputTarget(ReplayTarget):
    """A mixin for targets: their runs retain missing input files."""

    input: InputFolder
    folder: Path
    has_times = True
    """Whether a file with the same bytes and another time counts as changed."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)
        self.known: Files = {}
        self.known_place = self.place()
        self.all = InputFolder(self.folder / "all", has_real_times=False)

    def place(self) -> Path:
        """The location of the input."""
        return self.input.folder.resolve()

    def seen(self, step: Step) -> Step:
        if self.place() != self.known_place:
            # Equal paths at another place are not the same files.
            self.known = {_elsewhere(path, self.known_place): file for path, file in self.known.items()}
            self.known_place = self.place()
        present = Counter(_contents_of(path, file) for path, file in step.files.items())
        rewritten = {*step.touched, *step.times_set} if self.has_times else set()
        changed = {
            path: file
            for path, file in step.files.items()
            if path in rewritten or path not in self.known or self.known[path].body != file.body
        }
        read = {_contents_of(path, file) for path, file in changed.items()}
        # A file that still has its contents is its own entry, even if it is read again.
        available = present - Counter(
            _contents_of(path, file)
            for path, file in step.files.items()
            if path in self.known and _contents_of(path, self.known[path]) == _contents_of(path, file)
        )

        def is_in_input(path: str, file: File) -> bool:
            """Whether a file has these contents, or a longer file that is read now begins with them."""
            folder, contents = key = _contents_of(path, file)
            if step.options.get("allow_duplicates") and folder == "log_data":
                # Each file stands for one file: two files with the same contents count twice.
                available[key] -= 1
                is_there = available[key] >= 0
            else:
                is_there = key in present
            return is_there or any(
                place == folder and len(other) > len(contents) and other.startswith(contents)
                for place, other in read
            )

        missing = {
            path: file
            for path, file in sorted(self.known.items())
            if path not in step.files and file.records and not file.is_broken and not is_in_input(path, file)
        }
        return replace(step, files={**missing, **step.files}, moves={}, touched=frozenset())

    def run(self, step: Step, tables: str) -> RunOutcome | None:
        done = super().run(replace(step, options={**step.options, "keep_gone": True}), tables)
        self.wanted = self.seen(step)
        if done is not None and not isinstance(done, Refusal):
            replaced = "that does not begin with the earlier one"
            done = done | {"warnings": [one for one in done["warnings"] if replaced not in one]}
        if not isinstance(done, Refusal):
            read = listed_folders(tables)
            retained = {path: file for path, file in self.known.items() if not path.startswith(read)}
            self.known = retained | {
                path: f for path, f in self.wanted.files.items() if path.startswith(read)
            }
        return done

    def rebuild(self, step: Step, tables: str) -> tuple[RunOutcome, FileBodies]:
        if not all(any(path.startswith(kind) for path in step.files) for kind in listed_folders(tables)):
            # An empty input folder is refused, also with retained files.
            return super().rebuild(step, tables)
        self.all.take(self.wanted)
        outcome, bodies = rebuild_in(self.all.folder, self.folder / "fresh", tables, step)
        if isinstance(outcome, Refusal):
            return outcome, bodies
        # The report contains the locations.
        there = json.dumps(outcome).replace(str(self.all.folder), str(self.input.folder))
        return json.loads(there), bodies


def _elsewhere(path: str, place: Path) -> str:
    """A new path for a file that was read at another place."""
    kind, _, rest = path.partition("/")
    return f"{kind}/{hashlib.md5(str(place).encode()).hexdigest()}/{rest}"


def _contents_of(path: str, file: File) -> tuple[str, bytes]:
    """The input folder of a file and its decompressed contents."""
    return path.partition("/")[0], b"" if file.is_broken else replace(file, suffix="").body


class RetainedInputDisk(RetainedInputTarget, DiskTarget):
    """Input and lake on disk; missing files keep their rows."""
