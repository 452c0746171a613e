"""The calls of ledger rows as AlikeCalls: the database sums up those without corrections, the others go one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import connections
from django.db.models import Case, Count, DecimalField, F, Min, Q, QuerySet, Sum, Value, When
from django.db.models.expressions import Combinable

from costtrack.domain.events import CostSource, Outcome, ResourceType, UsageKind
from costtrack.domain.frozen import frozen_from
from costtrack.domain.money import COST_PLACES, decimal_from_database
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.metering.corrections import booked_cost
from costtrack.metering.net_usage import corrections_of, is_void, net_amount, net_tokens
from costtrack.models import ResourceUsage
from costtrack.reporting.figures import money_reader
from costtrack.reporting.what_if.alike_calls import AlikeCalls
from costtrack.reporting.what_if.cuts import Cuts

CHUNK = 1000
NO_TOKENS = TokenUsage()
PRICED_BY = ("organization_id", "resource_type", "provider", "gateway", "model", "service_tier", "usage_missing")
"""Columns that a price depends on."""


def ledger_calls(
    rows: QuerySet[ResourceUsage], cuts: Cuts, *, group_by: Mapping[str, str | Combinable] | None = None
) -> Iterator[AlikeCalls]:
    """The calls of these rows, corrections among them; `cuts` are those of every rate that will price them.

    `group_by` names columns to tell apart besides, or expressions over them. Memory stays flat but for the groups.
    Costs are exact on PostgreSQL, on SQLite right to a nano-dollar.
    """
    grouped = dict(group_by or {})
    corrected = rows.filter(corrects_id__isnull=False).values("corrects_id")
    usages = rows.filter(kind=UsageKind.USAGE)
    yield from _summed(usages.exclude(id__in=corrected), cuts, grouped)
    yield from _one_by_one(usages.filter(id__in=corrected), grouped)


def _summed(
    usages: QuerySet[ResourceUsage], cuts: Cuts, grouped: Mapping[str, str | Combinable]
) -> Iterator[AlikeCalls]:
    units = DecimalField(max_digits=24, decimal_places=COST_PLACES)
    keys: dict[str, Any] = {
        "is_unpriced": _flag(Q(cost_source=CostSource.UNPRICED)),
        "used_nothing": _flag(_USED_NOTHING),
        "amount_of_one": Case(
            When(resource_type=ResourceType.LLM_TOKENS, then=Value(Decimal(0))), default=F("amount"), output_field=units
        ),
        **{f"by_{name}": F(column) if isinstance(column, str) else column for name, column in grouped.items()},
        **cuts.parts(),
    }
    found = (
        usages.annotate(**cuts.annotations())
        .order_by()
        .values(*PRICED_BY, **keys)
        .annotate(
            found_calls=Count("id"),
            first_at=Min("occurred_at"),
            least_input=Min("input_tokens"),
            booked=Sum("cost_usd"),
            **{f"sum_{name}": Sum(name) for name in TOKEN_FIELDS},
        )
    )
    money = money_reader(connections[usages.db].vendor)
    for row in found.iterator(chunk_size=CHUNK):
        yield AlikeCalls(
            names=tuple(row[f"by_{name}"] for name in grouped),
            organization_id=row["organization_id"],
            resource_type=row["resource_type"],
            provider=row["provider"],
            gateway=row["gateway"],
            model=row["model"],
            service_tier=row["service_tier"],
            is_unpriced=bool(row["is_unpriced"]),
            is_usage_missing=bool(row["usage_missing"]),
            used_nothing=bool(row["used_nothing"]),
            at=row["first_at"],
            input_tokens_of_one=row["least_input"],
            calls=row["found_calls"],
            tokens=summed_tokens({name: int(row[f"sum_{name}"]) for name in TOKEN_FIELDS}),
            amount_of_one=decimal_from_database(row["amount_of_one"]),
            booked_usd=money(row["booked"]),
        )


def _one_by_one(usages: QuerySet[ResourceUsage], grouped: Mapping[str, str | Combinable]) -> Iterator[AlikeCalls]:
    """Corrected calls with what their corrections leave; void ones are none."""
    named = {f"by_{name}": F(column) if isinstance(column, str) else column for name, column in grouped.items()}
    rows, last_id = usages.annotate(**named).order_by("id"), 0
    is_last = False
    while not is_last:
        chunk = list(rows.filter(id__gt=last_id)[:CHUNK])
        is_last, last_id = len(chunk) < CHUNK, chunk[-1].id if chunk else last_id
        corrections = corrections_of(chunk, using=rows.db)
        for row in chunk:
            whole = [row, *corrections.get(row.id, [])]
            if not is_void(whole):
                yield _corrected(row, whole, tuple(getattr(row, name) for name in named))


def _corrected(row: ResourceUsage, whole: Sequence[ResourceUsage], names: tuple[Any, ...]) -> AlikeCalls:
    tokens, amount, booked = net_tokens(whole), net_amount(whole), booked_cost(whole)
    is_known = tokens is not None and not row.usage_missing
    tokens = tokens or NO_TOKENS
    return AlikeCalls(
        names=names,
        organization_id=row.organization_id,
        resource_type=row.resource_type,
        provider=row.provider,
        gateway=row.gateway,
        model=row.model,
        service_tier=row.service_tier,
        is_unpriced=booked is None,
        is_usage_missing=not is_known,
        used_nothing=is_known and row.outcome == Outcome.ERROR and not amount and not tokens.total_tokens,
        at=row.occurred_at,
        input_tokens_of_one=tokens.input_tokens,
        calls=1,
        tokens=tokens,
        amount_of_one=amount if row.resource_type != ResourceType.LLM_TOKENS else Decimal(0),
        booked_usd=booked or Decimal(0),
    )


_USED_NOTHING = Q(outcome=Outcome.ERROR, usage_missing=False, amount=0, input_tokens=0, output_tokens=0)


def _flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(1)), default=Value(0))


def summed_tokens(sums: Mapping[str, int]) -> TokenUsage:
    """Tokens of several calls: each was checked by itself, and together they may be more than one call can have."""
    return frozen_from(TokenUsage, {name: count for name, count in sums.items() if count})
