"""What the callers of `budget_calls` have noted: a line per thing that became of a call.

`> name when` before it; `+ name cost ms` admitted, `* name cost ms` without a hold; `- name cost budget` refused;
`~ name ms why` nobody could say; `< name` recorded; `! name error`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path


@dataclass
class Calls:
    """What the callers of all processes saw; costs by the name of the call."""

    begun: dict[str, float] = field(default_factory=dict)
    """When, by the machine's monotonic clock, which all its processes share."""
    admitted: dict[str, Decimal] = field(default_factory=dict)
    unheld: set[str] = field(default_factory=set)
    """Admitted without a hold."""
    refused: dict[str, str] = field(default_factory=dict)
    """With the name of the budget."""
    refused_costs: list[Decimal] = field(default_factory=list)
    recorded: set[str] = field(default_factory=set)
    """Seen recorded by their caller."""
    unavailable: Counter[str] = field(default_factory=Counter)
    """How often nobody could say whether there was room, with the reason."""
    errors: list[str] = field(default_factory=list)
    longest_ms: float = 0.0
    """The slowest reservation."""

    @property
    def admitted_usd(self) -> Decimal:
        """The sum of what was admitted."""
        return sum(self.admitted.values(), Decimal(0))


def read_calls(folder: Path, name: str = "*") -> Calls:
    """The notes of all processes so far, or of the one of that name."""
    calls = Calls()
    for path in folder.glob(f"{name}.calls"):
        whole, _, _ = path.read_text().rpartition("\n")
        for line in whole.splitlines():
            kind, name, *rest = line.split(" ", 2)
            said = rest[0] if rest else ""
            if kind == ">":
                calls.begun[name] = float(said)
            elif kind in "+*":
                cost, milliseconds = said.split(" ")
                calls.admitted[name] = Decimal(cost)
                calls.longest_ms = max(calls.longest_ms, float(milliseconds))
                if kind == "*":
                    calls.unheld.add(name)
            elif kind == "-":
                cost, calls.refused[name] = said.split(" ", 1)
                calls.refused_costs.append(Decimal(cost))
            elif kind == "<":
                calls.recorded.add(name)
            elif kind == "~":
                milliseconds, reason = said.split(" ", 1)
                calls.unavailable[reason] += 1
                calls.longest_ms = max(calls.longest_ms, float(milliseconds))
            else:
                calls.errors.append(f"{name}: {said}")
    return calls
