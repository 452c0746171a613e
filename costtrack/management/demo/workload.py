"""Workload: what one agent does over and over, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from costtrack.management.demo.moment import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One agent's recurring work. `act` meters it as the agent's own code would."""

    project: str
    agent: str
    act: Callable[[Moment], None]
    per_day: int
    """How often on a weekday in the middle of the demo's time."""
    weekend_percent: int
    """How much of that on a Saturday or Sunday."""
    hours: tuple[int, int] = (8, 18)
    """Local hours between which it happens, the end excluded."""
