"""All rates in memory, and which one prices a call. A process keeps one book per database and re-checks it cheaply."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, Max

from costtrack.conf import settings
from costtrack.domain.events import ServiceTier
from costtrack.models import Rate
from costtrack.pricing.canonical import ModelRef, canonical_model, canonical_tier
from costtrack.pricing.model_names import match_name
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.providers import canonical_provider
from costtrack.pricing.series import RateSeries
from costtrack.pricing.stored_rates import stored_rates

ANY_MODEL = "*"
ANY_PROVIDER = ""
LLM_TOKENS = "llm_tokens"
_MOST_ANSWERS = 20_000
"""Answers that a book remembers; model ids come from callers, so without a bound a flood of them would fill memory."""

TierSeries = dict[str, RateSeries]
"""One model's rates by service tier."""
_Names = dict[str, list[TierSeries]]
"""What a name means: the model of that id, then those that have it as an alias (as after a renaming)."""
_Shelf = tuple[int | None, str, str]
"""(organization or None, resource type, provider)."""
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
        self._names: dict[_Shelf, _Names] = _index(self.rates)
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

    def _look_up(self, question: _Question) -> _Answer:
        organization_id, provider, gateway, model, service_tier, resource_type = question
        ref = canonical_model(model, provider, gateway)
        tier = canonical_tier(service_tier)
        found: list[tuple[RateSeries, bool]] = []
        for owner in (organization_id, None) if organization_id is not None else (None,):
            for tiers, is_last in self._entries(owner, resource_type, ref):
                if tier != ServiceTier.STANDARD and tier in tiers:
                    found.append((tiers[tier], True))
                if ServiceTier.STANDARD in tiers:
                    found.append((tiers[ServiceTier.STANDARD], not is_last))
        answer = _Answer(ref, tuple(found))
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        self._answers[question] = answer
        return answer

    def _entries(self, owner: int | None, resource_type: str, ref: ModelRef) -> Iterator[tuple[TierSeries, bool]]:
        """The models that `ref` may mean, of one owner, surest first; True for the last one of a name."""
        for provider, name in (*ref.candidates, (ANY_PROVIDER, ref.model)):
            if names := self._names.get((owner, resource_type, provider)):
                found = match_name(name, names) or []
                yield from zip(found, [False] * (len(found) - 1) + [True], strict=False)
        for provider in dict.fromkeys([ref.provider, ref.gateway]):
            if provider or resource_type != LLM_TOKENS:
                names = self._names.get((owner, resource_type, provider), {})
                for tiers in names.get(ANY_MODEL, []):
                    yield tiers, True


def _index(rates: tuple[PricedRate, ...]) -> dict[_Shelf, _Names]:
    """Names to series: a model's own id, then aliases, then ids without their provider's prefix."""
    grouped: dict[tuple[_Shelf, str], dict[str, list[PricedRate]]] = {}
    for rate in rates:
        shelf = (rate.organization_id, rate.resource_type, canonical_provider(rate.provider))
        of_model = grouped.setdefault((shelf, rate.model.strip().lower()), {})
        of_model.setdefault(canonical_tier(rate.service_tier), []).append(rate)
    shelves: dict[_Shelf, _Names] = {}
    by_alias: list[tuple[_Names, str, TierSeries]] = []
    by_rest: list[tuple[_Names, str, TierSeries]] = []
    for (shelf, model), tiers in grouped.items():
        names = shelves.setdefault(shelf, {})
        entry = {tier: RateSeries(own) for tier, own in tiers.items()}
        names[model] = [entry]
        aliases = dict.fromkeys(
            alias.strip().lower() for own in tiers.values() for rate in own for alias in rate.aliases
        )
        by_alias += [(names, alias, entry) for alias in aliases if alias != model]
        head, _, rest = model.partition("/")
        if rest and canonical_provider(head) == shelf[2]:
            by_rest.append((names, rest, entry))
    for names, alias, entry in by_alias:
        names.setdefault(alias, []).append(entry)
    for names, rest, entry in by_rest:
        names.setdefault(rest, [entry])
    return shelves


class _Kept(NamedTuple):
    book: RateBook
    state: tuple[object, ...]
    """Count, newest change and newest id of the rates when it was read."""
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


def forget_rates() -> None:
    """Drop every book of this process; the next call reads the rates anew."""
    _kept.clear()


def _state_of_rates(alias: str) -> tuple[object, ...]:
    return tuple(
        Rate.objects.using(alias).aggregate(count=Count("*"), changed=Max("updated_at"), newest=Max("id")).values()
    )
