"""Reports as plain values for JSON. Money is a decimal string; a cost of which nothing is known is null, never "0"."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from costtrack.domain.money import decimal_text
from costtrack.domain.periods import ZoneHistory
from costtrack.reporting.breakdown import Breakdown
from costtrack.reporting.conversations import ConversationTotals
from costtrack.reporting.costs import DayFigures
from costtrack.reporting.entities import EntitySummary, EntityTypeStats
from costtrack.reporting.figures import CostLine, Figures
from costtrack.reporting.report import CostReport


def cost_text(value: Decimal | None) -> str | None:
    """A cost as a decimal string, an unknown one as None."""
    return None if value is None else decimal_text(value)


def instant_text(instant: datetime | None, *, zone: ZoneHistory) -> str | None:
    """An instant in ISO 8601 with the offset of `zone`."""
    return None if instant is None else instant.astimezone(zone.zone_at(instant)).isoformat()


def report_shape(report: CostReport) -> dict[str, Any]:
    """A period's nine keys; `period_end` is exclusive: the first instant after it."""
    return _breakdown_shape(report.breakdown, start=report.period_start, end=report.period_end)


def full_report_shape(report: CostReport) -> dict[str, Any]:
    """A period's nine keys, and what a report for people shows besides."""
    return {
        "report": report.kind.value,
        "organization": report.organization or None,
        **report_shape(report),
        "unpriced_calls": report.breakdown.figures.unpriced_calls,
        "models": lines_shape("model", report.breakdown.by_model),
        "endpoints": lines_shape("endpoint", report.breakdown.by_endpoint),
    }


def conversation_shape(conversation: ConversationTotals, *, zone: ZoneHistory) -> dict[str, Any]:
    """A period's nine keys, the period being the days of the conversation, and its first and last call."""
    days = conversation.days
    return {
        **_breakdown_shape(conversation.breakdown, start=zone.start_of(days.start), end=zone.start_of(days.end)),
        "first_call": instant_text(conversation.first_call_at, zone=zone),
        "last_call": instant_text(conversation.last_call_at, zone=zone),
    }


def trend_shape(days: tuple[DayFigures, ...]) -> list[dict[str, Any]]:
    """A date and a cost per day."""
    return [{"date": each.day.isoformat(), "cost": cost_text(each.figures.known_cost_usd)} for each in days]


def top_shape(key: str, lines: tuple[CostLine, ...]) -> list[dict[str, Any]]:
    """A name, under `key`, and a total per line."""
    return [{key: line.name, "total_cost": cost_text(line.figures.known_cost_usd)} for line in lines]


def entity_shape(entity: EntitySummary, *, zone: ZoneHistory) -> dict[str, Any]:
    """The resource summary of one entity."""
    return {
        "entity_type": entity.entity_type,
        "entity_id": entity.entity_id,
        **_totals_shape(entity.figures),
        "unpriced_calls": entity.figures.unpriced_calls,
        "first_call": instant_text(entity.first_call_at, zone=zone),
        "last_call": instant_text(entity.last_call_at, zone=zone),
        "resources": [
            {
                "resource_type": line.name,
                "amount": decimal_text(line.figures.amount),
                "cost": cost_text(line.figures.known_cost_usd),
                "calls": line.figures.calls,
            }
            for line in entity.by_resource_type
        ],
        "cost_by_model": _costs_shape(entity.by_model),
        "cost_by_day": trend_shape(entity.by_day),
    }


def entity_type_shape(stats: EntityTypeStats) -> dict[str, Any]:
    """All entities of a type, and the dearest ones."""
    return {
        "entity_type": stats.entity_type,
        "entities": stats.entities,
        **_totals_shape(stats.figures),
        "unpriced_calls": stats.figures.unpriced_calls,
        "avg_cost_per_entity": cost_text(stats.average_cost_usd),
        "top_entities": top_shape("entity_id", stats.dearest),
    }


def _breakdown_shape(whole: Breakdown, *, start: datetime, end: datetime) -> dict[str, Any]:
    figures = whole.figures
    return {
        "period_start": start.isoformat(),
        "period_end": end.isoformat(),
        **_totals_shape(figures),
        "cost_by_model": _costs_shape(whole.by_model),
        "cost_by_endpoint": _costs_shape(whole.by_endpoint),
        "avg_cost_per_call": cost_text(figures.average_cost_usd),
        "avg_tokens_per_call": decimal_text(figures.average_tokens),
    }


def _totals_shape(figures: Figures) -> dict[str, Any]:
    return {
        "total_cost": cost_text(figures.known_cost_usd),
        "total_tokens": figures.total_tokens,
        "total_calls": figures.calls,
    }


def _costs_shape(lines: tuple[CostLine, ...]) -> dict[str, str | None]:
    return {line.name: cost_text(line.figures.known_cost_usd) for line in lines}


def lines_shape(key: str, lines: tuple[CostLine, ...]) -> list[dict[str, Any]]:
    """A name, under `key`, and what it cost and used, per line."""
    return [
        {
            key: line.name,
            "cost": cost_text(line.figures.known_cost_usd),
            "calls": line.figures.calls,
            "tokens": line.figures.total_tokens,
            "unpriced_calls": line.figures.unpriced_calls,
        }
        for line in lines
    ]
