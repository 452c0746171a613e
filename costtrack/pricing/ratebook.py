"""All rates in memory, and which one prices a call. A process keeps one book per database and re-checks it cheaply."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, Max, Sum

from costtrack.conf import settings
from costtrack.domain.events import ServiceTier
from costtrack.models import Rate
from costtrack.models.rates import PRICE_FIELDS
from costtrack.pricing.canonical import ModelRef, canonical_model, canonical_tier
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.series import RateSeries
from costtrack.pricing.shelves import Shelves
from costtrack.pricing.stored_rates import stored_rates

LLM_TOKENS = "llm_tokens"
_MOST_ANSWERS = 20_000
"""Answers that a book remembers; model ids come from callers, so without a bound a flood of them would fill memory."""

_Question = tuple[int | None, str, str, str, str, str]


class RateMatch(NamedTuple):
    """The rate that prices a call, and the call's model id taken apart."""

    rate: PricedRate
    ref: ModelRef


class _Answer(NamedTuple):
    ref: ModelRef
    series: tuple[tuple[RateSeries, bool], ...]
    """To ask in order; True where a withdrawn rate only sends to the next one."""


class RateBook:
    """Finds the rate of a call. Immutable but for its memory of answers; safe to share between threads."""

    def __init__(self, rates: Iterable[PricedRate]) -> None:
        """Index `rates` by organization, resource type, provider and name."""
        self.rates = tuple(rates)
        self._shelves = Shelves(self.rates)
        self._answers: dict[_Question, _Answer] = {}

    def find(
        self,
        *,
        model: str,
        provider: str = "",
        gateway: str = "",
        organization_id: int | None = None,
        resource_type: str = LLM_TOKENS,
        service_tier: str = ServiceTier.STANDARD,
        at: datetime,
    ) -> RateMatch | None:
        """The rate in force at `at`, or None: unpriced. None as well for a model withdrawn by then.

        The organization's own rates come before the global ones; within each, the candidates of the id in order,
        for each the service tier's own rate, else the standard one.
        """
        question = (organization_id, provider, gateway, model, service_tier, resource_type)
        answer = self._answers.get(question)
        if answer is None:
            answer = self._look_up(question)
        for series, falls_through in answer.series:
            rate = series.at(at)
            if rate is not None:
                if not rate.is_withdrawn:
                    return RateMatch(rate, answer.ref)
                if not falls_through:
                    return None
        return None

    def rates_for(
        self,
        *,
        model: str,
        provider: str = "",
        gateway: str = "",
        organization_id: int | None = None,
        resource_type: str = LLM_TOKENS,
        service_tier: str = ServiceTier.STANDARD,
    ) -> tuple[PricedRate, ...]:
        """Every rate that `find` may answer with for such a call, whenever it is made."""
        answer = self._look_up((organization_id, provider, gateway, model, service_tier, resource_type))
        return tuple(rate for series, _ in answer.series for rate in series.rates())

    def _look_up(self, question: _Question) -> _Answer:
        organization_id, provider, gateway, model, service_tier, resource_type = question
        ref = canonical_model(model, provider, gateway)
        tier = canonical_tier(service_tier)
        found: list[tuple[RateSeries, bool]] = []
        for owner in (organization_id, None) if organization_id is not None else (None,):
            for (_, tiers), is_last in self._shelves.models(owner, resource_type, ref):
                if tier != ServiceTier.STANDARD and tier in tiers:
                    found.append((tiers[tier], True))
                if ServiceTier.STANDARD in tiers:
                    found.append((tiers[ServiceTier.STANDARD], not is_last))
        answer = _Answer(ref, tuple(found))
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        self._answers[question] = answer
        return answer


class _Kept(NamedTuple):
    book: RateBook
    state: tuple[object, ...]
    """What `_state_of_rates` said when it was read."""
    checked_at: float


_kept: dict[str, _Kept] = {}
_lock = threading.Lock()


def current_ratebook(*, using: str | None = None) -> RateBook:
    """The book of all rates in database `using`, at most `RATE_CACHE_SECONDS` behind it.

    While one thread looks for changes the others go on with the book they have.
    """
    alias = using or settings.database or DEFAULT_DB_ALIAS
    kept = _kept.get(alias)
    if kept is not None and time.monotonic() - kept.checked_at < settings.rate_cache_seconds:
        return kept.book
    if not _lock.acquire(blocking=kept is None):
        return kept.book if kept is not None else current_ratebook(using=alias)
    try:
        kept = _kept.get(alias)
        now = time.monotonic()
        if kept is not None and now - kept.checked_at < settings.rate_cache_seconds:
            return kept.book
        state = _state_of_rates(alias)
        book = kept.book if kept is not None and kept.state == state else RateBook(stored_rates(using=alias))
        _kept[alias] = _Kept(book, state, now)
        return book
    finally:
        _lock.release()


def _renew_lock() -> None:
    """A thread of the parent may have held it in the middle of a query; in the child nobody would release it."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def forget_rates() -> None:
    """Drop every book of this process; the next call reads the rates anew."""
    _kept.clear()


def _state_of_rates(alias: str) -> tuple[object, ...]:
    """Count, newest change and newest id of the rates; tiers have no date of change, so their figures stand in."""
    figures = {f"tier_{name}": Sum(f"tiers__{name}") for name in ("above_input_tokens", *PRICE_FIELDS)}
    found = Rate.objects.using(alias).aggregate(
        count=Count("id", distinct=True),
        changed=Max("updated_at"),
        newest=Max("id"),
        tier_count=Count("tiers"),
        newest_tier=Max("tiers__id"),
        **figures,
    )
    return tuple(found.values())
