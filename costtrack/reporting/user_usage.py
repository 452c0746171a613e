"""What one of the host's users has used, day by day and by model: from the ledger, because no summary has the user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.models import Organization
from costtrack.reporting.figures import CostLine, Figures, add_up, dearest_first, ledger_sums, read_figures
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.shown_model import SHOWN_MODEL


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUsage:
    """A whole and its parts."""

    figures: Figures
    by_day: Mapping[date, Figures]
    """Days with usage only."""
    by_model: tuple[CostLine, ...]
    """Dearest first."""

    def days_in(self, days: DayRange) -> Sequence[Figures]:
        """Of each day of the range, in order."""
        return [self.by_day.get(day, Figures()) for day in days.days()]


def user_usage(user: str, days: DayRange, *, organizations: Collection[Organization]) -> UserUsage:
    """The usage of those days that names this user (one query, that reads every ledger row of these days).

    `user` is the host's user id as text, as `attribute(user=...)` took it. Ask for few days.
    """
    rows = ledger_rows(organizations=organizations, days=days).filter(user=user).exclude(user="")
    by_day: defaultdict[date, list[Figures]] = defaultdict(list)
    by_model: defaultdict[str, list[Figures]] = defaultdict(list)
    for row in rows.order_by().values("day", shown_model=SHOWN_MODEL).annotate(**ledger_sums()):
        figures = read_figures(row, using=settings.database)
        by_day[row["day"]].append(figures)
        by_model[row["shown_model"]].append(figures)
    models = dearest_first(by_model)
    return UserUsage(
        figures=add_up(line.figures for line in models),
        by_day={day: add_up(parts) for day, parts in by_day.items()},
        by_model=models,
    )
