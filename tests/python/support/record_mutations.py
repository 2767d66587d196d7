"""What may happen to an input between two runs: plays and songs that come and change.

A happening changes the world and returns what it did in a few words, or "" when it could not be.
"""

from __future__ import annotations

import json
from typing import Any

from support.input_mutations import (
    DAY,
    EDGES,
    MONTHS,
    SONG_IDS,
    TRACKS,
    InputState,
    event,
    faulty,
    made,
    other_page,
    plays_of,
    song,
    weight,
)

# --- plays ------------------------------------------------------------------------------------------------


@weight(4)
def later_day(world: InputState) -> str:
    latest = max(world.times(), default=MONTHS[0])
    world.add("log", "later", world.events(latest + DAY * world.random.choice((1, 1, 1, 20))))
    return "a later day"


@weight(6)
def late_file(world: InputState) -> str:
    if not (months := world.months()):
        return ""
    world.add("log", "late", world.events(world.random.choice(months)))
    return "a late file of a month that was there"


@weight(4)
def any_month(world: InputState) -> str:
    world.add("log", "any", world.events(world.random.choice((*MONTHS, *MONTHS, *EDGES))))
    return "a file of any month"


@weight(4)
def spanning(world: InputState) -> str:
    several = world.random.sample((*MONTHS, *EDGES), world.random.choice((2, 3)))
    world.add("log", "span", [one for ts in several for one in world.events(ts)])
    return "a file that spans months"


@weight(3)
def ties(world: InputState) -> str:
    if not (path := world.some("log")) or not (plays := plays_of(world.files[path])):
        return ""
    random = world.random
    twins = []
    for one in random.sample(plays, min(len(plays), 3)):
        pairs = json.loads(one.raw)
        member = random.choice(("level", "userId", "song", "firstName", "location", "sessionId", "userAgent"))
        pairs[member] = json.loads(event(random, 0).raw).get(member)
        twins.append(made(pairs))
    world.add("log", "ties", twins)
    return f"plays at the same moments as in {path}"


@weight(4)
def level_flips(world: InputState) -> str:
    random = world.random
    if not (times := world.times()):
        return ""
    ts = random.choice((times[-1], times[-1], times[-1] + 1, times[0], random.choice(times)))
    user, level = random.choice("1234"), random.choice(("free", "paid"))
    world.add(
        "log", "flip", [event(random, ts, userId=user, level=level, itemInSession=random.randint(0, 9))]
    )
    return f"user {user} is {level} at {ts}"


@weight(3)
def lone_user(world: InputState) -> str:
    user = f"9{world.numbers}"
    world.add("log", "lone", world.events(world.random.choice(MONTHS), userId=user))
    return f"the only file of user {user}"


@weight(2)
def withoutplays_of(world: InputState) -> str:
    random = world.random
    records = [other_page(random) for _ in range(random.randint(0, 3))]
    world.add("log" if records else random.choice(("log", "song")), "none", records)
    return "a file without plays"


@weight(3)
def faults(world: InputState) -> str:
    kind = world.random.choice(("log", "log", "song"))
    bad = [faulty(world.random, kind) for _ in range(world.random.randint(1, 3))]
    world.add(kind, "bad", bad)
    return f"bad {kind} records"


# --- songs ------------------------------------------------------------------------------------------------


@weight(5)
def new_songs(world: InputState) -> str:
    world.add("song", "new", [song(world.random) for _ in range(world.random.choice((1, 1, 1, 2, 3)))])
    return "songs"


@weight(6)
def late_song(world: InputState) -> str:
    """The song of plays that have none so far, and of the very duration that was played."""
    files = [world.files[path] for path in world.paths("log")]
    plays = [json.loads(one.raw) for file in files for one in plays_of(file)]
    known = {
        (pairs.get("title"), pairs.get("artist_name"), pairs.get("duration"))
        for path in world.paths("song")
        for pairs in (json.loads(one.raw) for one in world.files[path].records if not one.fault)
    }
    wanted = [one for one in plays if (one["song"], one["artist"], one["length"]) not in known]
    if not (wanted or plays):
        return ""
    play = world.random.choice(wanted or plays)
    heard = {"title": play["song"], "artist_name": play["artist"], "duration": play["length"]}
    world.add("song", "heard", [song(world.random, **heard)])
    return "a song that was played before it came"


@weight(5)
def another_copy(world: InputState) -> str:
    if not (path := world.some("song")):
        return ""
    records = [one for one in world.files[path].records if not one.fault]
    if not records:
        return ""
    pairs = json.loads(world.random.choice(records).raw)
    new = json.loads(song(world.random, pairs["song_id"] if pairs["song_id"] in SONG_IDS else None).raw)
    for member in world.random.sample(("year", "title", "artist_id", "duration", "artist_name"), 2):
        pairs[member] = new[member]
    world.add("song", "copy", [made(pairs)])
    return f"another copy of a song in {path}"


@weight(4)
def changed_song(world: InputState) -> str:
    if not (path := world.some("song")):
        return ""
    records = list(world.files[path].records)
    place = world.random.randrange(len(records))
    if records[place].fault:
        return ""
    pairs = json.loads(records[place].raw)
    member = world.random.choice(
        sorted({"title", "year", "artist_id", "duration", "artist_location"} & {*pairs})
    )
    pairs[member] = json.loads(song(world.random).raw)[member]
    records[place] = made(pairs)
    world.change(path, tuple(records))
    return f"another {member} in {path}"


@weight(4)
def fuller_artist(world: InputState) -> str:
    title, name = world.random.choice(TRACKS)
    more: dict[str, Any] = {"artist_location": "Panama", "artist_latitude": 1.5, "artist_longitude": 2.5}
    kept = dict(list(more.items())[: world.random.randint(1, 3)])
    world.add("song", "artist", [song(world.random, title=title, artist_name=name, **kept)])
    return "another variant of an artist"
