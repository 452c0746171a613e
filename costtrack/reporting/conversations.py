"""What conversations cost, from the ledger.

An id that two organizations use counts as one conversation, unless one organization is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Max, Min

from costtrack.conf import settings
from costtrack.domain.periods import DayRange
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.breakdown import Breakdown, read_breakdown
from costtrack.reporting.figures import CostLine, ledger_sums, read_figures
from costtrack.reporting.ledger_rows import call_times, earliest, latest, ledger_rows, ledger_rows_by_index
from costtrack.reporting.shown_model import SHOWN_MODEL


@dataclass(frozen=True, slots=True)
class ConversationTotals:
    """One conversation: what it cost, by model and endpoint, and when."""

    thread_id: str
    days: DayRange
    """From the local day of its first row to its last one's."""
    breakdown: Breakdown
    first_call_at: datetime | None
    """Aware UTC."""
    last_call_at: datetime | None


def conversation_totals(
    thread_id: str,
    *,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> ConversationTotals | None:
    """The totals of a conversation, or None where nothing is known of it (one query, and one for all organizations)."""
    if not thread_id:
        return None
    rows = ledger_rows_by_index(organizations=organizations, owner=owner).filter(thread_id=thread_id)
    found: Sequence[Mapping[str, Any]] = list(
        rows.values("endpoint", shown_model=SHOWN_MODEL)
        .annotate(first_day=Min("day"), last_day=Max("day"), **call_times(), **ledger_sums())
        .order_by()
    )
    if not found:
        return None
    return ConversationTotals(
        thread_id=thread_id,
        days=DayRange(
            min(row["first_day"] for row in found), max(row["last_day"] for row in found) + timedelta(days=1)
        ),
        breakdown=read_breakdown(found, using=settings.database),
        first_call_at=earliest([row["first_call_at"] for row in found]),
        last_call_at=latest([row["last_call_at"] for row in found]),
    )


def top_conversations(
    days: DayRange | None,
    limit: int = 10,
    *,
    organizations: Collection[Organization] | None = None,
    owner: Project | Agent | None = None,
) -> tuple[CostLine, ...]:
    """The conversations that cost most in those days, None meaning ever; equal ones by id (one query)."""
    rows = ledger_rows(organizations=organizations, owner=owner, days=days).exclude(thread_id="").values("thread_id")
    ordered = rows.annotate(**ledger_sums()).order_by(F("sum_cost_usd").desc(nulls_last=True), "thread_id")
    return tuple(CostLine(row["thread_id"], read_figures(row, using=settings.database)) for row in ordered[:limit])
