"""The mark on a rate that has priced usage: from then on the database refuses to edit it."""

from __future__ import annotations

from collections.abc import Collection
from weakref import WeakKeyDictionary

from django.db import transaction

from costtrack.models import Rate
from costtrack.pricing.ratebook import RateBook
from costtrack.pricing.stored_rates import stored_rates

_marked: WeakKeyDictionary[RateBook, set[int]] = WeakKeyDictionary()
"""The rates of each book that are known to be marked, so that most batches need no query."""


class StaleRates(Exception):
    """A rate was changed after it had been read into memory: the batch has to be priced again."""


def mark_rates_used(rate_ids: Collection[int], *, book: RateBook, using: str) -> None:
    """Mark the rates, inside the batch's transaction; raises StaleRates if one is not what `book` says."""
    marked = _marked.get(book)
    if marked is None:
        marked = _marked[book] = {rate.id for rate in book.rates if rate.is_used and rate.id is not None}
    unmarked = sorted(set(rate_ids) - marked)
    if not unmarked:
        return
    locked = Rate.objects.using(using).select_for_update(no_key=True).filter(id__in=unmarked).order_by("id")
    fresh = {rate_id for rate_id, is_used in locked.values_list("id", "is_used") if not is_used}
    stored = {rate.id: rate for rate in stored_rates(using=using, id__in=unmarked)}
    read = {rate.id: rate for rate in book.rates if rate.id in fresh}
    if len(stored) < len(unmarked) or any(stored[rate_id] != read.get(rate_id) for rate_id in fresh):
        raise StaleRates
    if fresh:
        Rate.objects.using(using).filter(id__in=fresh).update(is_used=True)
    transaction.on_commit(lambda: marked.update(unmarked), using=using)
