"""Random sequences of input changes: a mix of all mutations by their weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from random import Random

from support import file_mutations, place_mutations, record_mutations
from support.generate_records import Record
from support.input_mutations import (
    DAY,
    FULL,
    MONTHS,
    MUTATIONS,
    SONG_IDS,
    InputState,
    Sequence,
    Step,
    event,
    json_record,
    song,
)

KINDS = (record_mutations, file_mutations, place_mutations)
"""The modules with the mutations; importing them adds these to ``MUTATIONS``."""


def random_sequence(seed: int) -> Sequence:
    """The sequence of a seed: a first step, and 6 to 12 more, the last one with a plain run."""
    random = Random(seed)
    state = InputState(random)
    for song_id in random.sample(SONG_IDS, random.randint(2, 6)):
        state.add("song", song_id, [song(random, song_id)])
    for month in random.sample(MONTHS[:4], random.randint(1, 3)):
        for day in random.sample(range(20), random.randint(1, 3)):
            state.add("log", "day", state.events(month + day * DAY))
    if not state.times():
        state.add("log", "day", [event(random, MONTHS[2])])
    steps = [state.step(["the first files"])]
    kinds = sorted(MUTATIONS, key=lambda one: one.__name__)
    weights = [MUTATIONS[one] for one in kinds]
    count = random.randint(6, 12)
    for number in range(count):
        state.begin()
        titles = []
        if state.repair:
            state.repair()
            state.repair = None
            titles.append("the refused input is repaired")
        for mutation in random.choices(kinds, weights, k=random.choice((1, 1, 1, 2, 2, 3, 4))):
            if state.repair is None and not state.is_nothing and (done := mutation(state)):
                titles.append(done)
        if number == count - 1:
            state.calls, state.is_legacy, state.once = FULL, False, {}
        steps.append(state.step(titles or ["no change"]))
    return Sequence(seed, tuple(steps), state.has_real_times)


def with_history(sequence: Sequence, history_from: str = "plays") -> Sequence:
    """The sequence with runs that also write users_history; some of its runs leave it out.

    For the history of all pages, some of the plays get another page.
    """
    random = Random(sequence.seed)

    def calls(step: Step) -> tuple[str, ...]:
        has_history = random.random() < 0.8 or step is sequence.steps[-1]
        return tuple(
            call.replace("users,", "users,users_history,") if has_history else call for call in step.calls
        )

    steps = [replace(step, calls=calls(step)) for step in sequence.steps]
    if history_from != "plays":
        options = {"history_from": history_from}
        steps = [replace(with_other_pages(step), options={**step.options, **options}) for step in steps]
    return replace(sequence, steps=tuple(steps))


def with_other_pages(step: Step) -> Step:
    """The step with another page in a third of its plays; the same plays in every step."""

    def other(one: Record) -> Record:
        digest = hashlib.md5(one.raw, usedforsecurity=False).hexdigest()
        if one.fault or digest[0] not in "01234":
            return one
        return json_record({**json.loads(one.raw), "page": "Home"})

    files = {
        path: replace(file, records=tuple(map(other, file.records))) if path.startswith("log") else file
        for path, file in step.files.items()
    }
    return replace(step, files=files)
