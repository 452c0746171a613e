"""genai-prices' data as drafts: every model with its tiers, dates, times of day and service tiers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import NamedTuple

from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from costtrack.domain.events import ServiceTier
from costtrack.models.rates import FROM_EVER
from costtrack.pricing.loading.drafts import DraftRate, round_price, without_stolen_aliases
from costtrack.pricing.loading.genai_match import dateless_names, names_of
from costtrack.pricing.priced_rate import PricedRate, Prices, PriceTier

SOURCE = "genai-prices"

TOKEN_PRICES = {
    "input_mtok": "input_usd_per_million",
    "output_mtok": "output_usd_per_million",
    "cache_read_mtok": "cache_read_usd_per_million",
    "cache_write_mtok": "cache_write_usd_per_million",
    "cache_write_5m_mtok": "cache_write_usd_per_million",
    "cache_write_1h_mtok": "cache_write_1h_usd_per_million",
    "input_audio_mtok": "input_audio_usd_per_million",
    "output_audio_mtok": "output_audio_usd_per_million",
    "output_reasoning_mtok": "reasoning_usd_per_million",
}
UNIT_PRICES = {
    "web_searches_kcount": ("web_search", 1000),
    "storage_searches_kcount": ("storage_search", 1000),
    "audio_hours": ("audio_hours", 1),
    "input_mchars": ("input_chars", 1_000_000),
    "input_document_kpages": ("document_page", 1000),
    "input_annotated_document_kpages": ("annotated_document_page", 1000),
    "input_text_messages_kcount": ("text_message", 1000),
}
"""Their price key to our resource type, and how many of our units the price is for."""

_TIER_OF = {
    ("processing", "batch"): ServiceTier.BATCH,
    ("service_tier", "flex"): ServiceTier.FLEX,
    ("service_tier", "priority"): ServiceTier.PRIORITY,
    ("service_tier", "fast"): ServiceTier.FAST,
    ("speed", "fast"): ServiceTier.FAST,
}

PriceValues = dict[str, Decimal | TieredPrices]


@dataclass(frozen=True, slots=True)
class GenaiRates:
    """The drafts, and what was left out: price keys and variants that rates have no place for."""

    drafts: list[DraftRate]
    version: str
    ignored: Counter[str] = field(default_factory=Counter)


def installed_rates() -> GenaiRates:
    """Every model of the installed genai-prices."""
    from genai_prices.data import providers

    return rates_of(providers, source_version=version("genai-prices"))


def rates_of(providers: Iterable[Provider], *, source_version: str) -> GenaiRates:
    """The drafts of `providers`."""
    ignored: Counter[str] = Counter()
    drafts: list[DraftRate] = []
    for provider in providers:
        of_provider: list[DraftRate] = []
        for model in provider.models:
            aliases = names_of(model)
            if provider.id == "aws":
                aliases += dateless_names([*aliases, model.id.lower()])
            base = PricedRate(
                provider=provider.id,
                model=model.id.lower(),
                aliases=tuple(aliases),
                source=SOURCE,
                source_version=source_version,
            )
            of_provider += _drafts_of(model, base, ignored)
        drafts += without_stolen_aliases(of_provider)
    return GenaiRates(drafts, source_version, ignored)


class _Segment(NamedTuple):
    """Standard prices from a date on, all day or within a daily window."""

    starts: datetime | None
    window: tuple[time, time]
    prices: PriceValues


_ALL_DAY = (time.min, time.min)


def _drafts_of(model: ModelInfo, base: PricedRate, ignored: Counter[str]) -> Iterator[DraftRate]:
    segments = list(_segments(model.prices))
    for segment in segments:
        yield from _rates_of(segment, base, ServiceTier.STANDARD, ignored)
    by_tier: dict[ServiceTier, list[PriceVariant]] = {}
    for variant in model.price_variants or ():
        names = list(variant.when.items())
        tier = _TIER_OF.get(names[0]) if len(names) == 1 else None
        if tier is not None:
            by_tier.setdefault(tier, []).append(variant)
        elif names != [("service_tier", "default")]:
            ignored[f"variant {', '.join(f'{name}={value}' for name, value in names)}"] += 1
    for tier, variants in by_tier.items():
        for segment in _varied(segments, variants):
            yield from _rates_of(segment, base, tier, Counter())


def _segments(prices: ModelPrice | list[ConditionalPrice]) -> Iterator[_Segment]:
    """The standard prices. A window begins with the dated price listed before it, whose peak or discount it is."""
    if isinstance(prices, ModelPrice):
        yield _Segment(None, _ALL_DAY, _values(prices))
        return
    begins: datetime | None = None
    for conditional in prices:
        window = _ALL_DAY
        match conditional.constraint:
            case StartDateConstraint(start_date=day):
                begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
            case TimeOfDateConstraint(start_time=start, end_time=end):
                window = (_utc(start), _utc(end))
        yield _Segment(begins, window, _values(conditional.prices))


def _utc(clock: time) -> time:
    return (
        clock.replace(tzinfo=None)
        if clock.tzinfo is None
        else datetime.combine(FROM_EVER, clock).astimezone(UTC).time()
    )


def _varied(segments: list[_Segment], variants: list[PriceVariant]) -> Iterator[_Segment]:
    """The prices of one service tier: where a variant has none for a key, the standard price in force then."""
    variant_starts = [_start(variant) for variant in variants]
    for window in dict.fromkeys(segment.window for segment in segments):
        of_window = [segment for segment in segments if segment.window == window]
        first = of_window[0].starts or FROM_EVER
        starts = {segment.starts or FROM_EVER for segment in of_window}
        for instant in sorted(starts | {start for start in variant_starts if start >= first}):
            active = [variant for variant in variants if _start(variant) <= instant]
            overrides: PriceValues = {}
            for variant in active:
                overrides = _values(variant.prices) | overrides
            if overrides:
                standard = [segment for segment in of_window if (segment.starts or FROM_EVER) <= instant][-1]
                inherited = {key: value for key, value in standard.prices.items() if key not in UNIT_PRICES}
                yield _Segment(None if instant == FROM_EVER else instant, window, inherited | overrides)


def _start(variant: PriceVariant) -> datetime:
    match variant.constraint:
        case StartDateConstraint(start_date=day):
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        case None:
            return FROM_EVER
        case _:
            raise ValueError(f"A variant with a {type(variant.constraint).__name__} is not known to this loader.")


def _values(prices: ModelPrice) -> PriceValues:
    return {name: value for name, value in vars(prices).items() if value is not None}


def _rates_of(segment: _Segment, base: PricedRate, tier: ServiceTier, ignored: Counter[str]) -> Iterator[DraftRate]:
    """The rate of the tokens, and one for each other unit."""
    tokens: dict[str, Decimal | TieredPrices] = {}
    units: dict[str, Decimal] = {}
    request: Decimal | None = None
    for key, value in segment.prices.items():
        if key in TOKEN_PRICES:
            tokens[TOKEN_PRICES[key]] = value
        elif key in UNIT_PRICES and isinstance(value, Decimal):
            resource_type, per = UNIT_PRICES[key]
            units[resource_type] = value / per
        elif key == "requests_kcount" and isinstance(value, Decimal):
            request = value / 1000
        elif key != "input_audio_hours" or value != segment.prices.get("audio_hours"):
            ignored[f"price {key}"] += 1
    if not segment.prices and base.model.endswith(":free"):
        tokens = {"input_usd_per_million": Decimal(0), "output_usd_per_million": Decimal(0)}
    begun = replace(
        base,
        service_tier=tier.value,
        effective_from=segment.starts or FROM_EVER,
        window_start=segment.window[0],
        window_end=segment.window[1],
    )
    is_dated = segment.starts is not None
    if tokens or request is not None or not units:
        prices, tiers = _token_prices(tokens)
        yield DraftRate(replace(begun, prices=prices, tiers=tiers, request_usd=request), is_dated)
    for resource_type, price in units.items():
        yield DraftRate(replace(begun, resource_type=resource_type, unit_price_usd=price), is_dated)


def _token_prices(tokens: Mapping[str, Decimal | TieredPrices]) -> tuple[Prices, tuple[PriceTier, ...]]:
    """Base prices, and one tier for each threshold that any class has."""
    tiered = {name: value for name, value in tokens.items() if isinstance(value, TieredPrices)}
    base = {name: value.base if isinstance(value, TieredPrices) else value for name, value in tokens.items()}
    tiers = []
    for above in sorted({tier.start for value in tiered.values() for tier in value.tiers}):
        prices = {
            name: round_price(max((tier.start, tier.price) for tier in value.tiers if tier.start <= above)[1])
            for name, value in tiered.items()
            if value.tiers[0].start <= above
        }
        tiers.append(PriceTier(above_input_tokens=above, prices=Prices(**prices)))
    return Prices(**{name: round_price(value) for name, value in base.items()}), tuple(tiers)
