"""What admission is asked, and what a backend answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol
from uuid import UUID

from costtrack.budgets.book import OrganizationBudgets
from costtrack.budgets.counters import CounterOf
from costtrack.domain.budget_rules import Facts, Quantities


class Ask(NamedTuple):
    """A call that is about to be made."""

    hold_id: UUID
    """The caller's own: asked again with the same, nothing is taken twice."""
    facts: Facts
    worst: Quantities
    """The most that it can use; None where that is not known."""
    at: datetime
    """The instant that its usage will be booked at."""
    ttl: timedelta
    about: Mapping[str, str]
    """What people are shown of an outstanding hold: model, endpoint, thread ..."""
    unknown_because: str = ""
    """Why some of the worst case is not known."""
    may_be_known: bool = False
    """Whether a hold of this id may be there already."""


class Taking(NamedTuple):
    """What is to be taken from one counter."""

    counter: CounterOf
    amount: Decimal


class Figures(NamedTuple):
    """A counter as it was when it refused."""

    limit: Decimal | None
    spent: Decimal
    held: Decimal
    leased: Decimal


class Answer(NamedTuple):
    """What became of a reservation."""

    kind: str
    """`granted`; `stale`: the list of budgets is old; `missing`: a counter is to be made; `refused`; or, if the hold is
    known already, its state."""
    place: int = 0
    """Which of the takings was refused."""
    figures: Figures | None = None
    """Of that counter."""
    shadow: Sequence[int] = ()
    """The takings that hard would have refused."""
    expires_at: datetime | None = None
    admitted_at: datetime | None = None
    """Of a hold that is known already: the instant that its usage is booked at."""
    leases: str = ""
    """What Redis holds of which leases, for the event that settles it; "" = the database holds it."""


class Backend(Protocol):
    """Takes all or nothing, in one atomic step."""

    def reserve(
        self, ask: Ask, takings: Sequence[Taking], budgets: OrganizationBudgets, *, is_unpriced: bool
    ) -> Answer:
        """Take it from every counter, or from none. Raises the errors of what it speaks to; asking again is safe."""
