"""One row of the ledger, with all its columns, its corrections, and how its cost came about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404

from costtrack.dashboard.addresses import address
from costtrack.dashboard.arithmetic import arithmetic_lines, rate_words
from costtrack.dashboard.pages import Page
from costtrack.dashboard.words import call_cost, instant_words
from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.metering.corrections import booked_cost
from costtrack.models import Organization, ResourceUsage
from costtrack.reporting.columns import Kind
from costtrack.reporting.cost_arithmetic import NoArithmetic, cost_arithmetic, rates_of
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.usage_columns import RELATED, USAGE_COLUMNS
from costtrack.reporting.wording import one_line
from costtrack.reporting.zones import reporting_zone

MOST_CORRECTIONS = 100


class UsageRowPage(Page):
    """One row of the ledger, with all its columns, its corrections, and how its cost came about."""

    name = "usage"
    template_name = "costtrack/dashboard/usage_row.html"

    @property
    def title(self) -> str:
        """Which row."""
        return f"Usage {self.kwargs['usage_id']}"

    @cached_property
    def usage(self) -> ResourceUsage:
        """The one of the address."""
        rows = ledger_rows(organizations=self.granted).select_related(*RELATED, "rate")
        found = rows.filter(pk=self.kwargs["usage_id"]).first()
        if found is None:
            raise Http404("usage: there is none of this id that you may look at.")
        return found

    @cached_property
    def organization(self) -> Organization | None:
        """The row's."""
        return self.usage.organization

    @cached_property
    def zone(self) -> ZoneHistory:
        """Its organization's."""
        return reporting_zone(self.usage.organization)

    @property
    def parents(self) -> list[tuple[str, str]]:
        """All usage of its organization."""
        return [("Usage", address("usage", organization=self.usage.organization.slug))]

    def content(self) -> dict[str, Any]:
        """All of it."""
        usage = self.usage
        rows = ledger_rows(organizations=[usage.organization], days=None)
        corrections = list(rows.filter(day=usage.day, corrects_id=usage.pk).order_by("id")[:MOST_CORRECTIONS])
        rates = rates_of([usage])
        arithmetic = cost_arithmetic(usage, rates=rates)
        return {
            "usage": usage,
            "cost": call_cost(usage.cost_usd),
            "net_cost": call_cost(booked_cost([usage, *corrections])),
            "arithmetic": arithmetic_lines(arithmetic),
            "total": "" if isinstance(arithmetic, NoArithmetic) else f"${decimal_text(arithmetic.total_usd)}",
            "reason": str(arithmetic.label) if isinstance(arithmetic, NoArithmetic) else "",
            "rate": rate_words(rates[usage.rate_id]) if usage.rate_id in rates else "",
            "above": None if isinstance(arithmetic, NoArithmetic) else arithmetic.above_input_tokens,
            "columns": _columns(usage, zone=self.zone),
            "corrections": [
                (
                    one.pk,
                    address("usage-row", one.pk),
                    one.kind,
                    call_cost(one.cost_usd),
                    one_line(one.reason),
                    instant_words(one.recorded_at, zone=self.zone),
                )
                for one in corrections
            ],
            "corrects_href": address("usage-row", usage.corrects_id) if usage.corrects_id else "",
        }


def _columns(usage: ResourceUsage, *, zone: ZoneHistory) -> Sequence[tuple[str, str]]:
    """What is said of it, without what is empty."""
    found = []
    for column in USAGE_COLUMNS:
        value = column.value(usage)
        if value in (None, "", {}, [], 0):
            continue
        found.append((column.name.replace("_", " "), one_line(_text(column.kind, value, zone=zone))))
    return found


def _text(kind: Kind, value: Any, *, zone: ZoneHistory) -> str:
    """A value as people read it."""
    if kind is Kind.INSTANT:
        return instant_words(value, zone=zone)
    if kind is Kind.DECIMAL:
        return decimal_text(value)
    if kind is Kind.DATA:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, cls=DjangoJSONEncoder)
    return str(value)
