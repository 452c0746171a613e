"""The columns of the ledger's rows, as people and programs may see them; named and explained as the model does."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.db.models import Field

from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.models import ResourceUsage
from costtrack.reporting.columns import Column, Kind

RELATED = ("organization", "project", "agent")
"""What rows are read with (`select_related`): their slugs stand in the columns."""


def _column(name: str, kind: Kind = Kind.TEXT, *, value: Callable[[Any], Any] | None = None, about: str = "") -> Column:
    field = ResourceUsage._meta.get_field(name)
    assert isinstance(field, Field)
    return Column(
        name,
        kind,
        value or attrgetter(field.attname),
        is_nullable=field.null,
        about=about or str(field.help_text),
        choices=tuple(str(choice) for choice, _ in field.flatchoices),
    )


def _slug(name: str) -> Column:
    def value(row: ResourceUsage) -> str | None:
        owner = getattr(row, name)
        return None if owner is None else str(owner.slug)

    return _column(name, value=value, about="Its slug.")


USAGE_COLUMNS = (
    _column("id", Kind.INTEGER),
    *map(_slug, RELATED),
    _column("kind", about="A usage, or what corrects one: then the figures are differences, with their sign."),
    _column("corrects", Kind.INTEGER, about="Of a correction: the id of the usage that it corrects."),
    *map(_column, ("reason", "idempotency_key")),
    _column("occurred_at", Kind.INSTANT),
    _column("recorded_at", Kind.INSTANT),
    _column("day", Kind.DAY),
    *map(_column, ("sprint", "workflow", "stage", "thread_id", "request_id", "entity_type", "entity_id")),
    *map(_column, ("endpoint", "customer", "user", "run")),
    _column("tags", Kind.DATA),
    *map(_column, ("resource_type", "provider", "gateway", "model", "service_tier")),
    _column("calls", Kind.INTEGER),
    _column("errors", Kind.INTEGER),
    *(_column(name, Kind.INTEGER) for name in TOKEN_FIELDS),
    _column("amount", Kind.DECIMAL),
    _column("latency_ms", Kind.INTEGER),
    *map(_column, ("outcome", "error_type", "error_message")),
    _column("is_estimated", Kind.BOOLEAN),
    _column("usage_missing", Kind.BOOLEAN),
    _column("cost_usd", Kind.DECIMAL),
    _column("cost_source"),
    _column("unpriced_calls", Kind.INTEGER),
    _column("rate", Kind.INTEGER, about="The id of the rate that priced it."),
    _column("saving_usd", Kind.DECIMAL),
    *map(_column, ("saving_kind", "saving_basis")),
    _column("metadata", Kind.DATA),
)
"""An unpriced row has no `cost_usd`: it is null, never 0. A text that was not given is empty."""
