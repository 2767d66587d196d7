"""The length and the seed of tests that depend on chance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rounds:
    """How often a test that kills or stops at random does so, and from which seed."""

    is_long: bool
    seed: int

    def __call__(self, short: int, long: int) -> int:
        return long if self.is_long else short
