"""The number of rounds and the seed of random tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rounds:
    """The number of rounds of a random test, and its seed."""

    is_long: bool
    seed: int

    def __call__(self, short: int, long: int) -> int:
        return long if self.is_long else short
