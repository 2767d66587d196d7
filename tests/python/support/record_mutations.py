"""Mutations of the records of an input between two runs: plays and songs are added and changed.

A mutation changes the input and returns a short description, or "" if it was not possible.
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
    json_record,
    other_page,
    plays_of,
    song,
    weight,
)

# --- plays ------------------------------------------------------------------------------------------------


@weight(4)
def later_day(state: InputState) -> str:
    latest = max(state.times(), default=MONTHS[0])
    state.add("log", "later", state.events(latest + DAY * state.random.choice((1, 1, 1, 20))))
    return "a later day"


@weight(6)
def late_file(state: InputState) -> str:
    if not (months := state.months()):
        return ""
    state.add("log", "late", state.events(state.random.choice(months)))
    return "a late file of an existing month"


@weight(4)
def any_month(state: InputState) -> str:
    state.add("log", "any", state.events(state.random.choice((*MONTHS, *MONTHS, *EDGES))))
    return "a file of any month"


@weight(4)
def spanning(state: InputState) -> str:
    several = state.random.sample((*MONTHS, *EDGES), state.random.choice((2, 3)))
    state.add("log", "span", [one for ts in several for one in state.events(ts)])
    return "a file that spans months"


@weight(3)
def ties(state: InputState) -> str:
    if not (path := state.some("log")) or not (plays := plays_of(state.files[path])):
        return ""
    random = state.random
    twins = []
    for one in random.sample(plays, min(len(plays), 3)):
        pairs = json.loads(one.raw)
        member = random.choice(("level", "userId", "song", "firstName", "location", "sessionId", "userAgent"))
        pairs[member] = json.loads(event(random, 0).raw).get(member)
        twins.append(json_record(pairs))
    state.add("log", "ties", twins)
    return f"plays at the same moments as in {path}"


@weight(4)
def level_flips(state: InputState) -> str:
    random = state.random
    if not (times := state.times()):
        return ""
    ts = random.choice((times[-1], times[-1], times[-1] + 1, times[0], random.choice(times)))
    user, level = random.choice("1234"), random.choice(("free", "paid"))
    state.add(
        "log", "flip", [event(random, ts, userId=user, level=level, itemInSession=random.randint(0, 9))]
    )
    return f"user {user} is {level} at {ts}"


@weight(3)
def lone_user(state: InputState) -> str:
    user = f"9{state.numbers}"
    state.add("log", "lone", state.events(state.random.choice(MONTHS), userId=user))
    return f"the only file of user {user}"


@weight(2)
def without_plays(state: InputState) -> str:
    random = state.random
    records = [other_page(random) for _ in range(random.randint(0, 3))]
    state.add("log" if records else random.choice(("log", "song")), "none", records)
    return "a file without plays"


@weight(3)
def faults(state: InputState) -> str:
    kind = state.random.choice(("log", "log", "song"))
    bad = [faulty(state.random, kind) for _ in range(state.random.randint(1, 3))]
    state.add(kind, "bad", bad)
    return f"bad {kind} records"


# --- songs ------------------------------------------------------------------------------------------------


@weight(5)
def new_songs(state: InputState) -> str:
    state.add("song", "new", [song(state.random) for _ in range(state.random.choice((1, 1, 1, 2, 3)))])
    return "songs"


@weight(6)
def late_song(state: InputState) -> str:
    """A song for plays without a match, with the duration that was played."""
    files = [state.files[path] for path in state.paths("log")]
    plays = [json.loads(one.raw) for file in files for one in plays_of(file)]
    known = {
        (pairs.get("title"), pairs.get("artist_name"), pairs.get("duration"))
        for path in state.paths("song")
        for pairs in (json.loads(one.raw) for one in state.files[path].records if not one.fault)
    }
    wanted = [one for one in plays if (one["song"], one["artist"], one["length"]) not in known]
    if not (wanted or plays):
        return ""
    play = state.random.choice(wanted or plays)
    heard = {"title": play["song"], "artist_name": play["artist"], "duration": play["length"]}
    state.add("song", "heard", [song(state.random, **heard)])
    return "a song with earlier plays"


@weight(5)
def another_copy(state: InputState) -> str:
    if not (path := state.some("song")):
        return ""
    records = [one for one in state.files[path].records if not one.fault]
    if not records:
        return ""
    pairs = json.loads(state.random.choice(records).raw)
    new = json.loads(song(state.random, pairs["song_id"] if pairs["song_id"] in SONG_IDS else None).raw)
    for member in state.random.sample(("year", "title", "artist_id", "duration", "artist_name"), 2):
        pairs[member] = new[member]
    state.add("song", "copy", [json_record(pairs)])
    return f"another copy of a song in {path}"


@weight(4)
def changed_song(state: InputState) -> str:
    if not (path := state.some("song")):
        return ""
    records = list(state.files[path].records)
    place = state.random.randrange(len(records))
    if records[place].fault:
        return ""
    pairs = json.loads(records[place].raw)
    member = state.random.choice(
        sorted({"title", "year", "artist_id", "duration", "artist_location"} & {*pairs})
    )
    pairs[member] = json.loads(song(state.random).raw)[member]
    records[place] = json_record(pairs)
    state.change(path, tuple(records))
    return f"another {member} in {path}"


@weight(4)
def fuller_artist(state: InputState) -> str:
    title, name = state.random.choice(TRACKS)
    more: dict[str, Any] = {"artist_location": "Panama", "artist_latitude": 1.5, "artist_longitude": 2.5}
    kept = dict(list(more.items())[: state.random.randint(1, 3)])
    state.add("song", "artist", [song(state.random, title=title, artist_name=name, **kept)])
    return "another variant of an artist"
