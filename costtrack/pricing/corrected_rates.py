"""Correcting a rate that was wrong from its beginning, although it has priced usage and so is never edited.

The right rate follows it by a microsecond: from there on, until the next rate of its key, it is the one in force. What
is booked stays; `manage.py reprice_usage` shows, and on request books, the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
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
MOST_CORRECTIONS = 1000
CORRECTED_FIELDS = (*PRICE_FIELDS, *OTHER_PRICES, "source", "source_version")
"""What can be wrong about a rate."""
KEPT_FIELDS = (*KEY_FIELDS, "organization_id", "aliases")
PRICES = (*PRICE_FIELDS, *OTHER_PRICES)


def correct_rate(
    rate: Rate, *, tiers: Sequence[Mapping[str, Any]] | None = None, using: str | None = None, **changes: Any
) -> Rate:
    """Let a rate with the right prices take the place of `rate` from its beginning on; the new rate.

    `changes` are those of CORRECTED_FIELDS that were wrong; other prices, and without `tiers` the tiers, stay as they
    are in `rate`. The source is "manual", if no other is given, so that maintained data does not undo it. It may be a
    global rate or an organization's own. The same correction again gives the rate that it made, if no other has
    followed since. Raises ValidationError for what is not acceptable or changes nothing, Rate.DoesNotExist if it is
    gone.
    """
    alias = using or settings.database
    if unknown := set(changes) - set(CORRECTED_FIELDS):
        raise TypeError(f"correct_rate() got {sorted(unknown)}; expected {', '.join(CORRECTED_FIELDS)}, or tiers.")
    with transaction.atomic(using=alias):
        wrong = Rate.objects.using(alias).select_for_update().get(pk=rate.pk)
        right = Rate(**{**{name: getattr(wrong, name) for name in (*KEPT_FIELDS, *PRICES)}, **changes})
        rows = _tiers(wrong, right, tiers)
        corrections = _corrections_of(wrong, using=alias)
        right.effective_from = (corrections[-1] if corrections else wrong).effective_from + TICK
        check_rate(right, rows)
        if tiers is None and all(getattr(right, name) == getattr(wrong, name) for name in PRICES):
            raise ValidationError({"input_usd_per_million": "The prices are what they were. Give the right ones."})
        if corrections and _says(corrections[-1], corrections[-1].tiers.all()) == _says(right, rows):
            return corrections[-1]
        return store_rate(right, rows, using=alias)


def _tiers(wrong: Rate, right: Rate, given: Sequence[Mapping[str, Any]] | None) -> list[RateTier]:
    if given is not None:
        return [RateTier(rate=right, **tier) for tier in given]
    names = ("above_input_tokens", *PRICE_FIELDS)
    return [RateTier(rate=right, **{name: getattr(tier, name) for name in names}) for tier in wrong.tiers.all()]


def _corrections_of(wrong: Rate, *, using: str) -> list[Rate]:
    """Those that took its place, one a tick after the other: a rate may be corrected again."""
    key = {name: getattr(wrong, name) for name in (*KEY_FIELDS, "organization_id")}
    following = Rate.objects.using(using).filter(**key, effective_from__gt=wrong.effective_from)
    found: list[Rate] = []
    for rate in following.order_by("effective_from")[:MOST_CORRECTIONS]:
        if rate.effective_from != wrong.effective_from + (len(found) + 1) * TICK:
            break
        found.append(rate)
    return found


def _says(rate: Rate, tiers: Iterable[RateTier]) -> tuple[object, ...]:
    """What a correction can change."""
    names = ("above_input_tokens", *PRICE_FIELDS)
    return (
        *(getattr(rate, name) for name in CORRECTED_FIELDS),
        frozenset(tuple(getattr(tier, name) for name in names) for tier in tiers),
    )
