"""Places where files that are gone keep their rows, for sequences of arrivals.

What such a lake must be: what a rebuild makes of all files that there ever were, each as it was seen last,
but for those whose bytes lie there under another name.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from support.input_mutations import File, Files, Step
from support.sequence_replay import Bodies, Disk, Input, Outcome, Place, Refusal, rebuilt

KINDS = {
    "song_data/": {"songs", "artists", "songplays"},
    "log_data/": {"users", "time", "songplays"},
}


def kinds(tables: str) -> tuple[str, ...]:
    """The folders that a run for these tables lists."""
    return tuple(kind for kind, made in KINDS.items() if made & set(tables.split(",")))


class RetainedInputTarget(Place):
    """To be put in front of a place: its runs keep what is gone."""

    input: Input
    folder: Path

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)
        self.known: Files = {}
        self.all = Input(self.folder / "all", has_real_times=False)

    def seen(self, step: Step) -> Step:
        plain = {_plain(path, file) for path, file in step.files.items()}
        gone = {
            path: file
            for path, file in self.known.items()
            if path not in step.files
            and file.records
            and not file.is_broken
            and _plain(path, file) not in plain
        }
        return replace(step, files={**gone, **step.files}, moves={}, touched=frozenset())

    def run(self, step: Step, tables: str) -> Outcome | None:
        done = super().run(replace(step, options={**step.options, "keep_gone": True}), tables)
        self.wanted = self.seen(step)
        if not isinstance(done, Refusal):
            read = kinds(tables)
            kept = {path: file for path, file in self.known.items() if not path.startswith(read)}
            self.known = kept | {path: f for path, f in self.wanted.files.items() if path.startswith(read)}
        return done

    def rebuild(self, step: Step, tables: str) -> tuple[Outcome, Bodies]:
        if not all(any(path.startswith(kind) for path in step.files) for kind in kinds(tables)):
            # An empty place is refused, whatever was kept.
            return super().rebuild(step, tables)
        self.all.take(self.wanted)
        outcome, bodies = rebuilt(self.all.folder, self.folder / "fresh", tables, step)
        if isinstance(outcome, Refusal):
            return outcome, bodies
        # Places are told by name.
        there = json.dumps(outcome).replace(str(self.all.folder), str(self.input.folder))
        return json.loads(there), bodies


def _plain(path: str, file: File) -> tuple[str, bytes]:
    """What a file holds once it is unpacked, and of which kind that is."""
    return path.partition("/")[0], b"" if file.is_broken else replace(file, suffix="").body


class RetainedInputDisk(RetainedInputTarget, Disk):
    """A folder."""
