"""What may happen to an input between two runs: files that change, go, or cannot be read; and the runs.

A happening changes the world and returns what it did in a few words, or "" when it could not be.
What makes the job refuse the input is repaired by the step after it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from support.generate_records import Record
from support.input_mutations import DAY, HALVES, MONTHS, File, InputState, other_page, plays_of, song, weight

# --- files ------------------------------------------------------------------------------------------------


@weight(3)
def split(world: InputState) -> str:
    path = world.some("log")
    if not path or len(world.files[path].records) < 2:
        return ""
    file = world.files.pop(path)
    cut = world.random.randint(1, len(file.records) - 1)
    parts = [file.records[:cut], file.records[cut:]]
    world.files[path] = replace(file, records=parts[0])
    world.add("log", "part", list(parts[1]))
    return f"{path} is split"


@weight(3)
def joined(world: InputState) -> str:
    kind = world.random.choice(("log", "log", "song"))
    found = world.paths(kind)
    if len(found) < 3:
        return ""
    chosen = world.random.sample(found, world.random.choice((2, 2, 3)))
    records = [one for path in chosen for one in world.files[path].records]
    for path in chosen:
        world.drop(path)
    world.add(kind, "joined", records)
    return f"{' and '.join(chosen)} are joined"


@weight(5)
def appended(world: InputState) -> str:
    kind = world.random.choice(("log", "log", "song"))
    if not (path := world.some(kind)):
        return ""
    times = world.times() or [MONTHS[0]]
    ts = world.random.choice((times[-1], world.random.choice(times), world.random.choice(MONTHS)))
    more = world.events(ts) if kind == "log" else [song(world.random)]
    world.change(path, (*world.files[path].records, *more))
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
def changed_in_place(world: InputState) -> str:
    """Other bytes, the same number of them."""
    path = world.some(world.random.choice(("log", "song")))
    if not path:
        return ""
    records = list(world.files[path].records)
    for pattern, new in world.random.sample(SAME_SIZE, len(SAME_SIZE)):
        for place, one in enumerate(records):
            raw = re.sub(pattern, new, one.raw, count=1)
            if not one.fault and raw != one.raw:
                records[place] = Record(raw=raw, pretty=re.sub(pattern, new, one.pretty, count=1))
                world.change(path, tuple(records))
                return f"{path} changes in place"
    return ""


@weight(2)
def touched(world: InputState) -> str:
    chosen = world.random.sample(world.paths(sound=False), min(len(world.files), 2))
    world.touched.update(chosen)
    return f"{' and '.join(chosen)} are written again"


@weight(6)
def removed(world: InputState) -> str:
    found = world.paths(world.random.choice(("log", "song")), sound=False)
    chosen = world.random.sample(found, min(len(found) // 2, world.random.choice((1, 1, 2, 3))))
    for path in chosen:
        world.drop(path)
    return f"{' and '.join(chosen)} go" if chosen else ""


@weight(3)
def special_removed(world: InputState) -> str:
    """What others hang on goes: a copy of a song, the only file of a user, an artist's best variant."""
    words = ("copy", "lone", "artist", "heard", "ties", "flip", "span", "bad")
    found = [path for path in world.paths(sound=False) if any(f"-{word}." in path for word in words)]
    if not found:
        return ""
    path = world.random.choice(found)
    world.drop(path)
    return f"{path} goes"


@weight(2)
def month_removed(world: InputState) -> str:
    if len(months := world.months()) < 2:
        return ""
    month = world.random.choice(months)
    for path in world.paths("log"):
        times = [int(json.loads(one.raw)["ts"]) for one in plays_of(world.files[path])]
        if times and all(abs(ts - month) < 25 * DAY for ts in times) and len(world.times()) > len(times):
            world.drop(path)
    return f"the month around {month} goes"


@weight(2)
def back_again(world: InputState) -> str:
    found = sorted(world.gone.keys() - world.files.keys())
    if not found:
        return ""
    path = world.random.choice(found)
    world.files[path] = world.gone.pop(path)
    return f"{path} is back"


@weight(3)
def moved(world: InputState) -> str:
    path = world.some()
    if not path or path in world.moves.values() or path in world.touched:
        return ""
    kind = path.partition("_")[0]
    new = world.name(kind, "moved", world.files[path].suffix)
    world.files[new] = world.files.pop(path)
    world.moves[path] = new
    return f"{path} is moved"


@weight(2)
def swapped(world: InputState) -> str:
    """Two files change their names: only their times tell, so those must differ."""
    found = world.paths(world.random.choice(("log", "song")))
    if world.has_real_times or len(found) < 2:
        return ""
    one, other = world.random.sample(found, 2)
    if {one, other} & {*world.moves, *world.moves.values(), *world.touched}:
        return ""
    world.files[one], world.files[other] = world.files[other], world.files[one]
    world.moves |= {one: other, other: one}
    return f"{one} and {other} change names"


@weight(3)
def recompressed(world: InputState) -> str:
    if not (path := world.some()):
        return ""
    file = world.files[path]
    suffix = "" if file.suffix else world.random.choice((".gz", ".zst", ".bz2"))
    new = re.sub(r"\.(gz|zst|bz2)$", "", path) + suffix
    if new in world.files:
        return ""
    world.drop(path)
    world.files[new] = replace(file, suffix=suffix)
    return f"{path} is {new} now"


# --- what is refused, as things stand ---------------------------------------------------------------------


@weight(1)
def twice(world: InputState) -> str:
    if not (path := world.some("log")):
        return ""
    new = world.name("log", "twice", world.files[path].suffix)
    world.files[new] = world.files[path]
    if not world.options.get("allow_duplicates"):
        world.repair = lambda: world.drop(new)
    return f"{path} is there twice"


@weight(1)
def broken(world: InputState) -> str:
    kind = world.random.choice(("log", "song"))
    new = world.name(kind, "broken", ".gz")
    records = tuple(world.events(MONTHS[1]) if kind == "log" else [song(world.random)])
    world.files[new] = File(records, suffix="", is_broken=True)
    if world.options.get("on_bad_file") != "quarantine" or world.random.random() < 0.5:
        world.repair = lambda: world.files.__setitem__(new, File(records, suffix=".gz"))
    return f"{new} is cut off"


@weight(1)
def all_gone(world: InputState) -> str:
    kind = world.random.choice(("log", "song"))
    taken = {path: world.files.pop(path) for path in world.paths(kind, sound=False)}
    if world.random.random() < 0.5:
        world.add(kind, "none", [other_page(world.random)] if kind == "log" else [])
    world.repair = lambda: world.files.update(taken)
    return f"all {kind} files are gone"


@weight(1)
def too_many_bad(world: InputState) -> str:
    world.once["max_bad"] = world.random.choice((0, 1, 3))
    return f"no more than {world.once['max_bad']} bad records"


# --- runs -------------------------------------------------------------------------------------------------


@weight(3)
def nothing(world: InputState) -> str:
    world.is_nothing = True
    return ""


@weight(4)
def other_options(world: InputState) -> str:
    name, values = world.random.choice(
        (
            ("match", ("title_artist", "title_artist_duration")),
            ("unmatched", ("drop", "keep")),
            ("compression", ("zstd", "none", "snappy")),
            ("ts_window", ("2018-10-01..2019-01-01", "1990-01-01..2100-01-01")),
        )
    )
    if name in world.options:
        del world.options[name]
        return f"the usual {name}"
    value = world.random.choice(values)
    (world.options if world.random.random() < 0.6 else world.once)[name] = value
    return f"{name} is {value}"


SHARDS = ("shard_size", 2_000)
"""A run with this is worked on by an executor, too: ``LocalExecutor``."""


@weight(3)
def other_resources(world: InputState) -> str:
    """Options that change no row."""
    name, value = world.random.choice(
        (("threads", 1), ("chunk_size", "1KiB"), ("memory_limit", "64MiB"), ("rebuild", True), SHARDS)
    )
    world.once[name] = value
    return f"with {name} {value}"


@weight(3)
def halves(world: InputState) -> str:
    world.calls = HALVES if world.random.random() < 0.8 else HALVES[::-1]
    world.is_legacy = world.random.random() < 0.6
    return "two halves"


@weight(2)
def one_half(world: InputState) -> str:
    world.calls = (world.random.choice((*HALVES, "users", "songs", "time,songplays")),)
    return "one half"


@weight(1)
def lost_table_file(world: InputState) -> str:
    world.lost = world.random.randrange(10**6)
    return "a file of a table is lost"
