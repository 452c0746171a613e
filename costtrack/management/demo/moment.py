"""Moment: one occasion of the demo's traffic, with a source of chance of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something happens, and the dice for what exactly. The same seed throws the same."""

    at: datetime
    """Aware UTC."""
    day: date
    """The organization's local date."""
    chance: Random

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return self.chance.randint(low, high)

    def happens(self, percent: int) -> bool:
        """True in that many of a hundred cases."""
        return self.chance.randrange(100) < percent

    def one_of(self, choices: Sequence[T]) -> T:
        """Any of the choices."""
        return choices[self.chance.randrange(len(choices))]
