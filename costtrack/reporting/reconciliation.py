"""A provider's invoice beside the books of an organization, from the daily summaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.models import Sum

from costtrack.conf import settings
from costtrack.domain.money import EXACT, decimal_text
from costtrack.domain.periods import DayRange, ZoneHistory
from costtrack.domain.reconciliation import DayModel, Metered, Reconciled, Reconciliation, reconcile
from costtrack.models import Organization
from costtrack.pricing.canonical import canonical_model
from costtrack.pricing.providers import canonical_provider
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import money_reader
from costtrack.reporting.invoice_file import Invoice
from costtrack.reporting.parameters import InvalidParameter, parse_text
from costtrack.reporting.shapes import cost_text
from costtrack.reporting.shown_model import SHOWN_MODEL

DIMENSIONS = ("provider", "model", "resource_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledInvoice:
    """The answer."""

    organization: Organization
    provider: str
    days: DayRange
    found: Reconciliation
    other_providers: tuple[str, ...] = ()
    """Who was used in those days, where nothing was metered of the provider that is asked about."""


def invoicing_provider(text: str) -> str:
    """The provider that a person names, as usage names it. Raises InvalidParameter."""
    return canonical_provider(parse_text("provider", text.strip(), expected="who sent the invoice, such as openai"))


def reconcile_invoice(
    invoice: Invoice, *, organization: Organization, days: DayRange | None = None
) -> ReconciledInvoice:
    """The invoice beside what was metered of its provider in those days, by default those that it names.

    The days of the books are the organization's own. Raises InvalidParameter if the invoice names a day outside of
    `days`. One query, and one more where nothing was metered.
    """
    asked = days or invoice.days
    outside = sorted(day for day, _ in invoice.amounts if not asked.start <= day < asked.end)
    if outside:
        expected = f"days from {asked.start} to {asked.end - timedelta(days=1)} only, or a longer period"
        raise InvalidParameter("date", outside[0].isoformat(), expected)
    metered = metered_costs(asked, organization=organization, provider=invoice.provider)
    money = money_reader(connections[settings.database].vendor)  # the invoice as exact as the books are, and no more
    return ReconciledInvoice(
        organization=organization,
        provider=invoice.provider,
        days=asked,
        found=reconcile({key: money(cost) for key, cost in invoice.amounts.items()}, metered),
        other_providers=() if metered else providers_of(asked, organization=organization),
    )


def metered_costs(days: DayRange, *, organization: Organization, provider: str) -> Mapping[DayModel, Metered]:
    """What was metered of a provider, by day and model, the latter as invoices are read (one query)."""
    rows = summaries_of(days, by=DIMENSIONS, organizations=[organization]).filter(provider=provider).order_by()
    sums = rows.values("day", name=SHOWN_MODEL).annotate(
        sum_cost=Sum("cost_usd"), sum_calls=Sum("calls"), sum_unpriced=Sum("unpriced_calls")
    )
    money = money_reader(connections[rows.db].vendor)
    found: dict[DayModel, Metered] = {}
    for row in sums:
        key = row["day"], canonical_model(row["name"], provider).model
        before = found.get(key, Metered(money(None), 0, 0))
        found[key] = Metered(
            EXACT.add(before.cost_usd, money(row["sum_cost"])),
            before.calls + int(row["sum_calls"]),
            before.unpriced_calls + int(row["sum_unpriced"]),
        )
    return found


def providers_of(days: DayRange, *, organization: Organization) -> tuple[str, ...]:
    """Whose models and tools the organization used in those days (one query)."""
    rows = summaries_of(days, by=("provider",), organizations=[organization]).exclude(provider="").order_by("provider")
    return tuple(rows.values_list("provider", flat=True).distinct())


def reconciliation_shape(one: ReconciledInvoice, *, zone: ZoneHistory) -> dict[str, Any]:
    """The answer for JSON: money as decimal strings, null where a side has none; `period_end` is exclusive."""
    return {
        "organization": one.organization.slug,
        "provider": one.provider,
        "period_start": zone.start_of(one.days.start).isoformat(),
        "period_end": zone.start_of(one.days.end).isoformat(),
        "total": _figures(one.found.total),
        "models": [{"model": line.model, **_figures(line)} for line in one.found.models],
        "days": [
            {"date": line.day and line.day.isoformat(), "model": line.model, **_figures(line)}
            for line in one.found.lines
        ],
        "other_providers": list(one.other_providers),
    }


def _figures(line: Reconciled) -> dict[str, Any]:
    return {
        "invoiced_usd": cost_text(line.invoiced_usd),
        "metered_usd": cost_text(line.metered_usd),
        "difference_usd": decimal_text(line.difference_usd),
        "difference_percent": cost_text(line.difference_percent),
        "calls": line.calls,
        "unpriced_calls": line.unpriced_calls,
    }
