"""How long ago everybody's prices were loaded: providers change theirs more often than some would think."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max, Q

from costtrack.models import Rate

OLD_AFTER = timedelta(days=180)


class LoadedPrices(NamedTuple):
    """The newest load of the global prices; those that people set by hand are none."""

    loaded_at: datetime | None
    """When it last brought anything new; None: nothing was ever loaded."""
    are_used: bool
    """Whether any of them has priced usage, of whomever."""

    def are_old(self, now: datetime) -> bool:
        """Whether nobody has loaded any for OLD_AFTER."""
        return self.loaded_at is not None and now - self.loaded_at >= OLD_AFTER


def loaded_prices(*, using: str) -> LoadedPrices:
    """How old the prices are (one query)."""
    rates = Rate.objects.using(using).filter(organization=None).exclude(source="manual")
    found = rates.aggregate(loaded_at=Max("updated_at"), used=Max("pk", filter=Q(is_used=True)))
    return LoadedPrices(loaded_at=found["loaded_at"], are_used=found["used"] is not None)
