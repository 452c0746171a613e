"""Correcting a rate that was wrong from its beginning, although it has priced usage and so is never edited.

The right rate follows it by a microsecond: from there on, until the next rate of its key, it is the one in force. What
is booked stays; `manage.py reprice_usage` shows, and on request books, the difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from costtrack.conf import settings
from costtrack.models import Rate, RateTier
from costtrack.models.rates import PRICE_FIELDS
from costtrack.pricing.own_rates import check_rate, store_rate
from costtrack.pricing.rate_rules import OTHER_PRICES
from costtrack.pricing.validity import KEY_FIELDS

TICK = timedelta(microseconds=1)
CORRECTED_FIELDS = (*PRICE_FIELDS, *OTHER_PRICES, "source", "source_version")
"""What can be wrong about a rate."""
KEPT_FIELDS = (*KEY_FIELDS, "organization_id", "aliases")
PRICES = (*PRICE_FIELDS, *OTHER_PRICES)


def correct_rate(
    rate: Rate, *, tiers: Sequence[Mapping[str, Any]] | None = None, using: str | None = None, **changes: Any
) -> Rate:
    """Let a rate with the right prices take the place of `rate` from its beginning on; the new rate.

    `changes` are those of CORRECTED_FIELDS that were wrong; other prices, and without `tiers` the tiers, stay as they
    are. The source is "manual", if no other is given, so that maintained data does not undo it. It may be a global rate
    or an organization's own. Raises ValidationError for what is not acceptable or changes
    nothing, Rate.DoesNotExist if it is gone.
    """
    alias = using or settings.database
    if unknown := set(changes) - set(CORRECTED_FIELDS):
        raise TypeError(f"correct_rate() got {sorted(unknown)}; expected {', '.join(CORRECTED_FIELDS)}, or tiers.")
    with transaction.atomic(using=alias):
        wrong = Rate.objects.using(alias).select_for_update().get(pk=rate.pk)
        right = Rate(**{**{name: getattr(wrong, name) for name in (*KEPT_FIELDS, *PRICES)}, **changes})
        rows = _tiers(wrong, right, tiers)
        right.effective_from = _next_instant(wrong, using=alias)
        check_rate(right, rows)
        if tiers is None and all(getattr(right, name) == getattr(wrong, name) for name in PRICES):
            raise ValidationError({"input_usd_per_million": "The prices are what they were. Give the right ones."})
        return store_rate(right, rows, using=alias)


def _tiers(wrong: Rate, right: Rate, given: Sequence[Mapping[str, Any]] | None) -> list[RateTier]:
    if given is not None:
        return [RateTier(rate=right, **tier) for tier in given]
    names = ("above_input_tokens", *PRICE_FIELDS)
    return [RateTier(rate=right, **{name: getattr(tier, name) for name in names}) for tier in wrong.tiers.all()]


def _next_instant(wrong: Rate, *, using: str) -> datetime:
    """The first free one: a rate may be corrected again."""
    key = {name: getattr(wrong, name) for name in (*KEY_FIELDS, "organization_id")}
    same = Rate.objects.using(using).filter(**key, effective_from__gt=wrong.effective_from)
    taken = set(same.order_by("effective_from").values_list("effective_from", flat=True)[:1000])
    instant = wrong.effective_from + TICK
    while instant in taken:
        instant += TICK
    return instant
