"""Mutations of the places, packings and times of input files: the records stay, or only grow.

A lake identifies a log file by its content, so none of these may lose or repeat a row.
"""

from __future__ import annotations

import re
from dataclasses import replace

from support.input_mutations import MONTHS, InputState, song, weight


@weight(3)
def other_root(state: InputState) -> str:
    """The input has another path: its folder was renamed, or is reached by another symlink."""
    state.root = state.random.choice(("renamed", "symlink", "nested/folder", "input"))
    return f"the root is {state.root}"


@weight(4)
def grown_and_packed(state: InputState) -> str:
    """A log grows, and is rotated before the next run: to another name, in another packing."""
    kind = state.random.choice(("log", "log", "song"))
    if not (path := state.some(kind)):
        return ""
    more = (
        state.events(state.random.choice(state.times() or [MONTHS[0]]))
        if kind == "log"
        else [song(state.random)]
    )
    suffix = state.random.choice(("", ".gz", ".zst", ".bz2"))
    new = state.name(kind, "rotated", suffix)
    file = state.files[path]
    state.drop(path)
    state.files[new] = replace(file, records=(*file.records, *more), suffix=suffix)
    return f"{path} grows and is now {new}"


@weight(1)
def twice_in_another_packing(state: InputState) -> str:
    if not (path := state.some("log")):
        return ""
    suffix = state.random.choice(
        [one for one in ("", ".gz", ".zst", ".bz2") if one != state.files[path].suffix]
    )
    new = re.sub(r"\.(gz|zst|bz2)$", "", path) + suffix
    if new in state.files:
        return ""
    state.files[new] = replace(state.files[path], suffix=suffix)
    if not state.options.get("allow_duplicates"):
        state.repair = lambda: state.drop(new)
    return f"{path} exists twice, also as {new}"


@weight(3)
def other_times(state: InputState) -> str:
    """The modification times of files are set back, or into the future."""
    chosen = state.random.sample(state.paths(sound=False), min(len(state.files), 3))
    for path in chosen:
        state.times_set[path] = state.random.choice((-(10**9), -86_400, 86_400, 10**9))
    return f"the times of {' and '.join(chosen)} are set"
