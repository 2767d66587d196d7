"""Mutations of the files of an input between two runs, and of the options of runs.

A mutation changes the input and returns a short description, or "" if it was not possible.
The next step repairs what makes the job refuse the input.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from support.generate_records import Record
from support.input_mutations import DAY, HALVES, MONTHS, File, InputState, other_page, plays_of, song, weight

# --- files ------------------------------------------------------------------------------------------------


@weight(3)
def split(state: InputState) -> str:
    path = state.some("log")
    if not path or len(state.files[path].records) < 2:
        return ""
    file = state.files.pop(path)
    cut = state.random.randint(1, len(file.records) - 1)
    parts = [file.records[:cut], file.records[cut:]]
    state.files[path] = replace(file, records=parts[0])
    state.add("log", "part", list(parts[1]))
    return f"{path} is split"


@weight(3)
def joined(state: InputState) -> str:
    kind = state.random.choice(("log", "log", "song"))
    found = state.paths(kind)
    if len(found) < 3:
        return ""
    chosen = state.random.sample(found, state.random.choice((2, 2, 3)))
    records = [one for path in chosen for one in state.files[path].records]
    for path in chosen:
        state.drop(path)
    state.add(kind, "joined", records)
    return f"{' and '.join(chosen)} are joined"


@weight(5)
def appended(state: InputState) -> str:
    kind = state.random.choice(("log", "log", "song"))
    if not (path := state.some(kind)):
        return ""
    times = state.times() or [MONTHS[0]]
    ts = state.random.choice((times[-1], state.random.choice(times), state.random.choice(MONTHS)))
    more = state.events(ts) if kind == "log" else [song(state.random)]
    state.change(path, (*state.files[path].records, *more))
    return f"{path} grows"


SAME_SIZE = (
    (rb'"free"', b'"paid"'), (rb'"paid"', b'"free"'), (rb'"userId": "1"', b'"userId": "2"'),
    (rb'"userId": "3"', b'"userId": "1"'), (rb'"ts": (\d{7})\d', rb'"ts": \g<1>7'),
    (rb'"ts": 154[13]', b'"ts": 1538'), (rb'"ts": 1538', b'"ts": 1541'), (rb'"One"', b'"Two"'),
    (rb'"Two"', b'"One"'), (rb"1999", b"2005"), (rb"2005", b"1999"), (rb"200\.5", b"201.5"),
    (rb"201\.5", b"200.5"), (rb'"ARA"', b'"ARC"'), (rb'"ARC"', b'"ARA"'), (rb"Panama", b"Havana"),
    (rb'"NextSong"', b'"NextPage"'), (rb'"SOA"', b'"SOB"'), (rb'"SOC"', b'"SOA"'),
)  # fmt: skip


@weight(6)
def changed_in_place(state: InputState) -> str:
    """Changes bytes, but not the size."""
    path = state.some(state.random.choice(("log", "song")))
    if not path:
        return ""
    records = list(state.files[path].records)
    for pattern, new in state.random.sample(SAME_SIZE, len(SAME_SIZE)):
        for place, one in enumerate(records):
            raw = re.sub(pattern, new, one.raw, count=1)
            if not one.fault and raw != one.raw:
                records[place] = Record(raw=raw, pretty=re.sub(pattern, new, one.pretty, count=1))
                state.change(path, tuple(records))
                return f"{path} changes in place"
    return ""


@weight(2)
def touched(state: InputState) -> str:
    chosen = state.random.sample(state.paths(sound=False), min(len(state.files), 2))
    state.touched.update(chosen)
    return f"{' and '.join(chosen)} are written again"


@weight(6)
def removed(state: InputState) -> str:
    found = state.paths(state.random.choice(("log", "song")), sound=False)
    chosen = state.random.sample(found, min(len(found) // 2, state.random.choice((1, 1, 2, 3))))
    for path in chosen:
        state.drop(path)
    return f"{' and '.join(chosen)} are removed" if chosen else ""


@weight(3)
def special_removed(state: InputState) -> str:
    """Removes a file that other rows depend on, such as the only file of a user or a copy of a song."""
    words = ("copy", "lone", "artist", "heard", "ties", "flip", "span", "bad")
    found = [path for path in state.paths(sound=False) if any(f"-{word}." in path for word in words)]
    if not found:
        return ""
    path = state.random.choice(found)
    state.drop(path)
    return f"{path} is removed"


@weight(2)
def month_removed(state: InputState) -> str:
    if len(months := state.months()) < 2:
        return ""
    month = state.random.choice(months)
    for path in state.paths("log"):
        times = [int(json.loads(one.raw)["ts"]) for one in plays_of(state.files[path])]
        if times and all(abs(ts - month) < 25 * DAY for ts in times) and len(state.times()) > len(times):
            state.drop(path)
    return f"the month around {month} is removed"


@weight(2)
def back_again(state: InputState) -> str:
    found = sorted(state.removed_files.keys() - state.files.keys())
    if not found:
        return ""
    path = state.random.choice(found)
    state.files[path] = state.removed_files.pop(path)
    return f"{path} is back"


@weight(3)
def moved(state: InputState) -> str:
    path = state.some()
    if not path or path in state.moves.values() or path in state.touched:
        return ""
    kind = path.partition("_")[0]
    new = state.name(kind, "moved", state.files[path].suffix)
    state.files[new] = state.files.pop(path)
    state.moves[path] = new
    return f"{path} is moved"


@weight(2)
def swapped(state: InputState) -> str:
    """Swaps the names of two files; only their times show it, so these must differ."""
    found = state.paths(state.random.choice(("log", "song")))
    if state.has_real_times or len(found) < 2:
        return ""
    one, other = state.random.sample(found, 2)
    if {one, other} & {*state.moves, *state.moves.values(), *state.touched}:
        return ""
    state.files[one], state.files[other] = state.files[other], state.files[one]
    state.moves |= {one: other, other: one}
    return f"{one} and {other} change names"


@weight(3)
def recompressed(state: InputState) -> str:
    if not (path := state.some()):
        return ""
    file = state.files[path]
    suffix = "" if file.suffix else state.random.choice((".gz", ".zst", ".bz2"))
    new = re.sub(r"\.(gz|zst|bz2)$", "", path) + suffix
    if new in state.files:
        return ""
    state.drop(path)
    state.files[new] = replace(file, suffix=suffix)
    return f"{path} is now {new}"


# --- inputs that are refused, depending on the options ----------------------------------------------------


@weight(1)
def twice(state: InputState) -> str:
    if not (path := state.some("log")):
        return ""
    new = state.name("log", "twice", state.files[path].suffix)
    state.files[new] = state.files[path]
    if not state.options.get("allow_duplicates"):
        state.repair = lambda: state.drop(new)
    return f"{path} exists twice"


@weight(1)
def broken(state: InputState) -> str:
    kind = state.random.choice(("log", "song"))
    new = state.name(kind, "broken", ".gz")
    records = tuple(state.events(MONTHS[1]) if kind == "log" else [song(state.random)])
    state.files[new] = File(records, suffix="", is_broken=True)
    if state.options.get("on_bad_file") != "quarantine" or state.random.random() < 0.5:
        state.repair = lambda: state.files.__setitem__(new, File(records, suffix=".gz"))
    return f"{new} is truncated"


@weight(1)
def all_gone(state: InputState) -> str:
    kind = state.random.choice(("log", "song"))
    taken = {path: state.files.pop(path) for path in state.paths(kind, sound=False)}
    if state.random.random() < 0.5:
        state.add(kind, "none", [other_page(state.random)] if kind == "log" else [])
    state.repair = lambda: state.files.update(taken)
    return f"all {kind} files are removed"


@weight(1)
def too_many_bad(state: InputState) -> str:
    state.once["max_bad"] = state.random.choice((0, 1, 3))
    return f"no more than {state.once['max_bad']} bad records"


# --- runs -------------------------------------------------------------------------------------------------


@weight(3)
def nothing(state: InputState) -> str:
    state.is_nothing = True
    return ""


@weight(4)
def other_options(state: InputState) -> str:
    name, values = state.random.choice(
        (
            ("match", ("title_artist", "title_artist_duration")),
            ("unmatched", ("drop", "keep")),
            ("compression", ("zstd", "none", "snappy")),
            ("ts_window", ("2018-10-01..2019-01-01", "1990-01-01..2100-01-01")),
        )
    )
    if name in state.options:
        del state.options[name]
        return f"the default {name}"
    value = state.random.choice(values)
    (state.options if state.random.random() < 0.6 else state.once)[name] = value
    return f"{name} is {value}"


SHARDS = ("shard_size", 2_000)
"""A run with this option uses an executor: ``LocalExecutor``."""


@weight(3)
def other_resources(state: InputState) -> str:
    """Options that do not change rows."""
    name, value = state.random.choice(
        (("threads", 1), ("chunk_size", "1KiB"), ("memory_limit", "64MiB"), ("rebuild", True), SHARDS)
    )
    state.once[name] = value
    return f"with {name} {value}"


@weight(3)
def halves(state: InputState) -> str:
    state.calls = HALVES if state.random.random() < 0.8 else HALVES[::-1]
    state.is_legacy = state.random.random() < 0.6
    return "two runs with half the tables each"


@weight(2)
def one_half(state: InputState) -> str:
    state.calls = (state.random.choice((*HALVES, "users", "songs", "time,songplays")),)
    return "a run with half the tables"


@weight(1)
def lost_table_file(state: InputState) -> str:
    state.lost = state.random.randrange(10**6)
    return "a file of a table is lost"
