"""Sequences of arrivals: a mix of everything that may happen, by weight."""

from __future__ import annotations

from random import Random

from support import file_mutations, record_mutations
from support.input_mutations import DAY, FULL, MONTHS, MUTATIONS, SONG_IDS, InputState, Sequence, event, song

KINDS = (record_mutations, file_mutations)
"""The modules that say what may happen; to import them is to have it in ``MUTATIONS``."""


def sequence(seed: int) -> Sequence:
    """The sequence of a seed: a first step, and six to twelve more, the last of which is a plain run."""
    random = Random(seed)
    world = InputState(random)
    for song_id in random.sample(SONG_IDS, random.randint(2, 6)):
        world.add("song", song_id, [song(random, song_id)])
    for month in random.sample(MONTHS[:4], random.randint(1, 3)):
        for day in random.sample(range(20), random.randint(1, 3)):
            world.add("log", "day", world.events(month + day * DAY))
    if not world.times():
        world.add("log", "day", [event(random, MONTHS[2])])
    steps = [world.step(["the first files"])]
    kinds = sorted(MUTATIONS, key=lambda one: one.__name__)
    weights = [MUTATIONS[one] for one in kinds]
    count = random.randint(6, 12)
    for number in range(count):
        world.begin()
        titles = []
        if world.repair:
            world.repair()
            world.repair = None
            titles.append("what was wrong is repaired")
        for happening in random.choices(kinds, weights, k=random.choice((1, 1, 1, 2, 2, 3, 4))):
            if world.repair is None and not world.is_nothing and (done := happening(world)):
                titles.append(done)
        if number == count - 1:
            world.calls, world.is_legacy, world.once = FULL, False, {}
        steps.append(world.step(titles or ["nothing at all"]))
    return Sequence(seed, tuple(steps), world.has_real_times)
