"""Random sequences of input changes: a mix of all mutations by their weights."""

from __future__ import annotations

from random import Random

from support import file_mutations, place_mutations, record_mutations
from support.input_mutations import DAY, FULL, MONTHS, MUTATIONS, SONG_IDS, InputState, Sequence, event, song

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
