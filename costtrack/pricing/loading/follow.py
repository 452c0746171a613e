"""Writing drafts so that history stands: what is new follows what is stored; nothing that may have priced is edited."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction

from costtrack.models import Rate, RateTier
from costtrack.models.rates import FROM_EVER, PRICE_FIELDS
from costtrack.pricing.loading.drafts import DraftRate, RateKey, key_of
from costtrack.pricing.priced_rate import NO_PRICES, PricedRate
from costtrack.pricing.providers import rate_provider
from costtrack.pricing.ratebook import forget_rates
from costtrack.pricing.stored_rates import stored_rates

_TICK = timedelta(microseconds=1)
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a load did, in rates: one per provider, model, resource type, service tier and daily window."""

    created: int = 0
    """Not known before."""
    changed: int = 0
    """Another price follows the one in force."""
    unchanged: int = 0
    ended: int = 0
    """No longer stated by the source: unpriced from now on."""
    kept: int = 0
    """Set by hand or from a file; maintained data does not override it."""
    ignored: dict[str, int] = field(default_factory=dict)
    """Left out of the source, by reason."""
    warnings: tuple[str, ...] = ()
    """Models that lose prices of their own for a class of tokens or for long requests, and tools that are not found."""
    is_dry_run: bool = False


@dataclass(slots=True)
class _Plan:
    new: list[PricedRate] = field(default_factory=list)
    outdated: list[int] = field(default_factory=list)
    """Ids of rates that were announced but never began."""
    renamed: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Aliases of rates that have priced nothing."""
    counts: Counter[str] = field(default_factory=Counter)


def follow(
    drafts: Iterable[DraftRate],
    *,
    now: datetime,
    using: str,
    organization_id: int | None = None,
    managed_sources: Collection[str] | None = None,
    ends_missing: bool = False,
    ignored: Counter[str] | None = None,
    warnings: Iterable[str] = (),
    is_dry_run: bool = False,
) -> LoadReport:
    """Let `drafts` follow the stored rates of one organization (None = the global ones), in one transaction.

    An undated price holds from ever if its model is new, else from `now`; a dated one from its date. With
    `managed_sources` rates of other sources are left alone, and aliases are what the drafts say; without, a draft
    that names no aliases leaves its model those it has. With `ends_missing` rates that no draft states end now.
    """
    with transaction.atomic(using=using):
        stored = list(stored_rates(using=using, organization_id=organization_id))
        plan = _plan(stored, list(drafts), now=now, managed_sources=managed_sources, ends_missing=ends_missing)
        if not is_dry_run:
            _write(plan, stored, organization_id=organization_id, now=now, using=using)
            transaction.on_commit(forget_rates, using=using)
    if not is_dry_run:
        forget_rates()
    return LoadReport(**plan.counts, ignored=dict(ignored or ()), warnings=tuple(warnings), is_dry_run=is_dry_run)


def _plan(
    stored: list[PricedRate],
    drafts: list[DraftRate],
    *,
    now: datetime,
    managed_sources: Collection[str] | None,
    ends_missing: bool,
) -> _Plan:
    own: dict[RateKey, list[PricedRate]] = defaultdict(list)
    known_names: set[tuple[str, str]] = set()
    for rate in sorted(stored, key=lambda rate: rate.effective_from):
        own[key_of(rate)].append(rate)
        known_names.update((rate_provider(rate.provider), name.lower()) for name in (rate.model, *rate.aliases))
    wanted: dict[RateKey, list[DraftRate]] = defaultdict(list)
    for draft in drafts:
        wanted[key_of(draft.rate)].append(draft)
    plan = _Plan()
    for key, stated in wanted.items():
        if key not in own:
            is_known = any((key.provider, name) in known_names for name in (key.model, *stated[0].rate.aliases))
            plan.new += _first(stated, now=now, is_known=is_known)
            plan.counts["created"] += 1
        elif managed_sources is not None and own[key][-1].source not in managed_sources:
            plan.counts["kept"] += 1
        else:
            if managed_sources is None:
                stated = [_with_aliases(draft, own[key], now=now) for draft in stated]
            plan.counts[_follow_one(plan, own[key], stated, now=now, ends_missing=ends_missing)] += 1
    if ends_missing:
        for key in own.keys() - wanted.keys():
            if managed_sources is None or own[key][-1].source in managed_sources:
                plan.counts["ended"] += _end(plan, own[key], now=now)
    return plan


def _with_aliases(draft: DraftRate, own: list[PricedRate], *, now: datetime) -> DraftRate:
    """The draft; where it names no aliases with those of the rate that it follows."""
    if draft.rate.aliases:
        return draft
    followed = _in_force(own, draft.rate.effective_from if draft.is_dated else now) or own[0]
    return replace(draft, rate=replace(draft.rate, aliases=followed.aliases))


def _first(stated: list[DraftRate], *, now: datetime, is_known: bool) -> list[PricedRate]:
    """The rates of a key that is not stored yet. Of a known model its undated price begins now."""
    dated = [draft.rate for draft in stated if draft.is_dated]
    undated = [
        replace(draft.rate, effective_from=now if is_known else FROM_EVER) for draft in stated if not draft.is_dated
    ]
    if is_known and any(rate.effective_from <= now for rate in dated):
        undated = []
    return [*undated, *dated]


def _follow_one(
    plan: _Plan, own: list[PricedRate], stated: list[DraftRate], *, now: datetime, ends_missing: bool
) -> str:
    """Add to the plan what lets `stated` follow `own`; "changed" or "unchanged"."""
    dated = {draft.rate.effective_from: draft.rate for draft in stated if draft.is_dated}
    dropped = [
        rate
        for rate in own
        if rate.effective_from > now
        and not rate.is_used
        and (not _same(rate, dated[rate.effective_from]) if rate.effective_from in dated else ends_missing)
    ]
    line = {rate.effective_from: rate for rate in own if rate not in dropped}
    added = [rate for start, rate in dated.items() if start not in line]
    line.update((rate.effective_from, rate) for rate in added)
    current = _in_force(line.values(), now)
    target = _in_force(dated.values(), now) or next((draft.rate for draft in stated if not draft.is_dated), None)
    is_renamed = False
    if target is not None:
        if current is None or not _same(current, target):
            added.append(replace(target, effective_from=_free_instant(now, line)))
        elif set(current.aliases) != set(target.aliases):
            is_renamed = True
            if current.id is not None and not current.is_used:
                plan.renamed[current.id] = target.aliases
            else:
                added.append(replace(target, effective_from=_free_instant(now, line)))
    plan.new += added
    plan.outdated += [rate.id for rate in dropped if rate.id is not None]
    return "changed" if added or dropped or is_renamed else "unchanged"


def _end(plan: _Plan, own: list[PricedRate], *, now: datetime) -> int:
    """Withdraw a key from now on; 0 if it was withdrawn before."""
    plan.outdated += [rate.id for rate in own if rate.effective_from > now and not rate.is_used and rate.id is not None]
    current = _in_force(own, now)
    if current is None or current.is_withdrawn:
        return 0
    starts = {rate.effective_from: rate for rate in own}
    plan.new.append(
        replace(
            current,
            effective_from=_free_instant(now, starts),
            prices=NO_PRICES,
            tiers=(),
            request_usd=None,
            unit_price_usd=None,
        )
    )
    return 1


def _in_force(rates: Iterable[PricedRate], now: datetime) -> PricedRate | None:
    return max(
        (rate for rate in rates if rate.effective_from <= now), key=lambda rate: rate.effective_from, default=None
    )


def _same(one: PricedRate, other: PricedRate) -> bool:
    return (one.prices, one.tiers, one.request_usd, one.unit_price_usd) == (
        other.prices,
        other.tiers,
        other.request_usd,
        other.unit_price_usd,
    )


def _free_instant(now: datetime, taken: Collection[datetime]) -> datetime:
    while now in taken:
        now += _TICK
    return now


def _write(plan: _Plan, stored: list[PricedRate], *, organization_id: int | None, now: datetime, using: str) -> None:
    if plan.outdated:
        Rate.objects.using(using).filter(pk__in=plan.outdated).delete()
    if plan.renamed:
        rows = [Rate(pk=pk, aliases=list(aliases), updated_at=now) for pk, aliases in plan.renamed.items()]
        Rate.objects.using(using).bulk_update(rows, ["aliases", "updated_at"], batch_size=_BATCH)
    rates = [_row(rate, organization_id) for rate in plan.new]
    Rate.objects.using(using).bulk_create(rates, batch_size=_BATCH)
    tiers = [
        RateTier(rate=row, above_input_tokens=tier.above_input_tokens, **_columns(tier.prices.values()))
        for row, rate in zip(rates, plan.new, strict=True)
        for tier in rate.tiers
    ]
    RateTier.objects.using(using).bulk_create(tiers, batch_size=_BATCH)


def _row(rate: PricedRate, organization_id: int | None) -> Rate:
    return Rate(
        provider=rate.provider,
        model=rate.model,
        aliases=list(rate.aliases),
        organization_id=organization_id,
        resource_type=rate.resource_type,
        service_tier=rate.service_tier,
        effective_from=rate.effective_from,
        window_start=rate.window_start,
        window_end=rate.window_end,
        request_usd=rate.request_usd,
        unit_price_usd=rate.unit_price_usd,
        source=rate.source,
        source_version=rate.source_version,
        **_columns(rate.prices.values()),
    )


def _columns(prices: tuple[object, ...]) -> dict[str, object]:
    return dict(zip(PRICE_FIELDS, prices, strict=True))
