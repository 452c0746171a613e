"""LiteLLM's price file (`model_prices_and_context_window.json`) as drafts.

Its rules: prices are per token; `_above_200k_tokens` re-rates the whole request strictly above the threshold, xAI's
at or above it; `_batches`, `_flex` and `_priority` are service tiers, which take a standard price they do not have.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from costtrack.domain.events import ServiceTier
from costtrack.models.rates import FROM_EVER
from costtrack.pricing.loading.drafts import DraftRate, key_of
from costtrack.pricing.loading.json_lines import read_entries
from costtrack.pricing.loading.rows import FileDefaults, Problems, add_row, price_per_million
from costtrack.pricing.priced_rate import PricedRate, Prices, PriceTier
from costtrack.pricing.providers import rate_provider

_CLASS_OF = {
    "input_cost_per_token": "input_usd_per_million",
    "output_cost_per_token": "output_usd_per_million",
    "cache_read_input_token_cost": "cache_read_usd_per_million",
    "cache_creation_input_token_cost": "cache_write_usd_per_million",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_usd_per_million",
    "input_cost_per_audio_token": "input_audio_usd_per_million",
    "output_cost_per_audio_token": "output_audio_usd_per_million",
    "output_cost_per_reasoning_token": "reasoning_usd_per_million",
}
_TIER_OF = {
    None: ServiceTier.STANDARD,
    "batches": ServiceTier.BATCH,
    "flex": ServiceTier.FLEX,
    "priority": ServiceTier.PRIORITY,
}
_KEY = re.compile(
    rf"(?P<price>{'|'.join(sorted(_CLASS_OF, key=len, reverse=True))})"
    r"(?:_above_(?P<thousands>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority))?"
)
_BASE = -1
PricesByBand = dict[int, dict[str, Decimal]]
"""Threshold (`_BASE` for none) to the prices of the classes."""


@dataclass(frozen=True, slots=True)
class LitellmRates:
    """The drafts, and how many entries were left out, by reason."""

    drafts: list[DraftRate]
    ignored: Counter[str]


def read_litellm(text: str, *, defaults: FileDefaults, problems: Problems) -> LitellmRates:
    """Every entry with a price per token. Of two that mean one model the first counts. Faults go to `problems`."""
    ignored: Counter[str] = Counter()
    drafts: dict[object, DraftRate] = {}
    for key, entry, line in read_entries(text):
        if key == "sample_spec":
            continue
        if not isinstance(entry, Mapping):
            problems.append((line, f"{key} is no object"))
            continue
        base = _base(key, entry, defaults)
        faults: Problems = []
        by_tier = _prices_of(key, entry, line=line, is_at_or_above=base.provider == "x-ai", problems=faults)
        add_row(problems, faults)
        if not by_tier:
            ignored[f"no price per token ({entry.get('mode') or 'no mode'})"] += 1
        elif unit := _other_unit(entry, by_tier):
            ignored[f"0 per token, but {unit}"] += 1
            continue
        for rate in _rates(base, by_tier):
            if drafts.setdefault(key_of(rate), draft := DraftRate(rate, defaults.effective_from is not None)) != draft:
                ignored["same model at another price"] += 1
    return LitellmRates(list(drafts.values()), ignored)


def _base(key: str, entry: Mapping[str, object], defaults: FileDefaults) -> PricedRate:
    spelling = str(entry.get("litellm_provider") or "")
    provider = rate_provider(spelling) or rate_provider(defaults.provider)
    model = key.strip().lower()
    head, _, rest = model.partition("/")
    if rest and (head == spelling.lower() or rate_provider(head) == provider):
        model = rest
    return PricedRate(
        provider=provider,
        model=model,
        effective_from=defaults.effective_from or FROM_EVER,
        source=defaults.source,
        source_version=defaults.source_version,
    )


def _prices_of(
    key: str, entry: Mapping[str, object], *, line: int, is_at_or_above: bool, problems: Problems
) -> dict[ServiceTier, PricesByBand]:
    by_tier: dict[ServiceTier, PricesByBand] = defaultdict(lambda: defaultdict(dict))
    for name, value in entry.items():
        parts = _KEY.fullmatch(name)
        if parts is None or value is None:
            continue
        above = int(parts["thousands"]) * 1000 - is_at_or_above if parts["thousands"] else _BASE
        try:
            price = price_per_million(value, factor=1_000_000)
        except ValueError as fault:
            problems.append((line, f"{key}: {name} {fault}"))
            continue
        by_tier[_TIER_OF[parts["tier"]]][above][_CLASS_OF[parts["price"]]] = price
    return by_tier


def _other_unit(entry: Mapping[str, object], by_tier: Mapping[ServiceTier, PricesByBand]) -> str:
    """The cost above 0 of an entry whose tokens cost nothing: it is paid by another unit, and free it is not."""
    if any(price for bands in by_tier.values() for prices in bands.values() for price in prices.values()):
        return ""
    return next(_costs_above_0(entry), "")


def _costs_above_0(value: object, name: str = "") -> Iterator[str]:
    """The names of all costs above 0, those within lists and mappings included."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _costs_above_0(inner, str(key) if "cost" in str(key) else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _costs_above_0(inner, name)
    elif name and isinstance(value, int | Decimal) and Decimal(value).is_finite() and value > 0:
        yield name


def _rates(base: PricedRate, by_tier: Mapping[ServiceTier, PricesByBand]) -> list[PricedRate]:
    """One rate for each service tier.

    What a tier lacks is the standard price; but the batch tier without a long-context price keeps its plain one.
    """
    standard = by_tier.get(ServiceTier.STANDARD, {})
    rates = []
    for tier, own in by_tier.items():
        bands: PricesByBand = {above: dict(prices) for above, prices in own.items()}
        if tier != ServiceTier.STANDARD:
            kept = own.get(_BASE, {}) if tier == ServiceTier.BATCH else {}
            for above, prices in standard.items():
                missing = {name: price for name, price in prices.items() if name not in kept}
                bands[above] = missing | bands.get(above, {})
        rates.append(
            replace(
                base,
                service_tier=tier.value,
                prices=Prices(**bands.get(_BASE, {})),
                tiers=tuple(
                    PriceTier(above_input_tokens=above, prices=Prices(**bands[above]))
                    for above in sorted(bands)
                    if above != _BASE and bands[above]
                ),
            )
        )
    return rates
