"""A usage together with its corrections: what of it is left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db.models import QuerySet

from costtrack.domain.events import UsageKind
from costtrack.domain.money import EXACT, decimal_from_database
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.exceptions import InvalidUsage
from costtrack.models import ResourceUsage


def corrections_of(rows: Iterable[ResourceUsage], *, using: str) -> dict[int, list[ResourceUsage]]:
    """The corrections of these usages, by the usage's id (one query, by the index of corrections)."""
    usages = list(rows)
    corrections: dict[int, list[ResourceUsage]] = {}
    found: QuerySet[ResourceUsage] = ResourceUsage.objects.using(using).filter(
        organization_id__in={row.organization_id for row in usages},
        day__in={row.day for row in usages},
        corrects_id__in=[row.id for row in usages],
    )
    for row in found:
        if row.corrects_id is not None:
            corrections.setdefault(row.corrects_id, []).append(row)
    return corrections


def is_void(corrections: Iterable[ResourceUsage]) -> bool:
    """Whether all of the usage was taken back."""
    return any(one.kind == UsageKind.VOID for one in corrections)


def net_tokens(rows: Sequence[ResourceUsage]) -> TokenUsage | None:
    """The tokens that a usage and its corrections leave; None where those are no possible usage."""
    try:
        return TokenUsage(**{name: sum(getattr(one, name) for one in rows) for name in TOKEN_FIELDS})
    except InvalidUsage:
        return None


def net_amount(rows: Sequence[ResourceUsage]) -> Decimal:
    """The units that they leave."""
    amount = Decimal(0)
    for one in rows:
        amount = EXACT.add(amount, decimal_from_database(one.amount))
    return amount
