"""A row of a YAML or CSV rate file, checked and turned into a draft. Every fault is reported, with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal

from costtrack.domain.events import ResourceType
from costtrack.domain.money import COST_PLACES, parse_decimal
from costtrack.exceptions import InvalidUsage
from costtrack.models.rates import FROM_EVER, PRICE_FIELDS
from costtrack.pricing.canonical import canonical_tier
from costtrack.pricing.loading.drafts import DraftRate, is_storable, round_price
from costtrack.pricing.priced_rate import NO_PRICES, PricedRate, Prices, PriceTier
from costtrack.pricing.providers import rate_provider

MAX_PRICE = Decimal(10) ** 10
_LONGEST = 60
"""Characters of a bad value that a message shows."""
_CLASSES = {name.removesuffix("_usd_per_million"): name for name in PRICE_FIELDS}
_CLASSES |= {"prompt": _CLASSES["input"], "completion": _CLASSES["output"]}
PRICE_COLUMNS: dict[str, tuple[str, int]] = {
    f"{name}{suffix}": (column, factor)
    for name, column in _CLASSES.items()
    for suffix, factor in (("_usd_per_million", 1), ("_per_1m", 1), ("_per_1k", 1000))
}
"""A file's price column to the rate's, and by what to multiply it for a million tokens."""
_LENGTHS = {"model": 200, "provider": 100, "resource_type": 50, "service_tier": 20, "source": 100, "source_version": 50}
COLUMNS = (
    *_LENGTHS,
    "aliases",
    "effective_from",
    "window_start",
    "window_end",
    "request_usd",
    "unit_price_usd",
    "withdrawn",
    "tiers",
    *PRICE_COLUMNS,
)

Problems = list[tuple[int, str]]
"""Line and reason, one for each bad row."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One entry of a file as read, with the line that it and each of its values stands on."""

    line: int
    values: Mapping[str, object]
    lines: Mapping[str, int] = field(default_factory=dict)
    fault: str = ""
    """What is wrong with the entry as a whole; without `values` it could not be read at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDefaults:
    """What holds for rows that do not say it."""

    provider: str = ""
    effective_from: datetime | None = None
    source: str = "file"
    source_version: str = ""


def price_per_million(value: object, *, factor: int) -> Decimal:
    """`value` times `factor` as a price that can be stored; raises ValueError with the reason."""
    price = _number(value) * factor
    if price >= MAX_PRICE:
        raise ValueError("is 10 billion USD per million tokens or more")
    if not is_storable(price):
        raise ValueError(f"is {price:f} USD per million tokens; at most 6 decimals can be stored")
    return round_price(price)


def _number(value: object) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("is a boolean, expected a number")
    try:
        number = parse_decimal("price", value)
    except InvalidUsage as fault:
        raise ValueError(f"is {_shown(value)}, expected {fault.expected}") from None
    if number < 0:
        raise ValueError(f"is negative ({_shown(number)})")
    return number


def _shown(value: object) -> str:
    """A value as its file has it, not as Python writes it."""
    if isinstance(value, list | Mapping):
        return "a list" if isinstance(value, list) else "a mapping"
    text = f"{value:f}" if isinstance(value, Decimal) and abs(value.adjusted()) < _LONGEST else str(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return repr(text) if isinstance(value, str) else text


def add_row(problems: Problems, found: Problems) -> None:
    """Add what was `found` in one row to `problems`, as one entry with the line of the first and those of others."""
    if found:
        (first, reason), *others = sorted(found, key=lambda problem: problem[0])
        reasons = [reason, *(text if line == first else f"line {line}: {text}" for line, text in others)]
        problems.append((first, "; ".join(reasons)))


def draft_of(row: FileRow, *, defaults: FileDefaults, problems: Problems) -> DraftRate | None:
    """The draft that `row` states; None after adding to `problems` what is wrong with it."""
    reader = _RowReader(row)
    if row.fault:
        reader.problems.append((row.line, row.fault))
    if row.fault and not row.values:
        problems += reader.problems
        return None
    provider = rate_provider(reader.text("provider") or defaults.provider)
    effective_from = reader.instant("effective_from") or defaults.effective_from
    rate = PricedRate(
        provider=provider,
        model=reader.text("model").lower(),
        aliases=reader.names("aliases"),
        resource_type=reader.text("resource_type") or "llm_tokens",
        service_tier=canonical_tier(reader.text("service_tier")),
        effective_from=effective_from or FROM_EVER,
        window_start=reader.clock("window_start"),
        window_end=reader.clock("window_end"),
        prices=reader.prices(),
        tiers=reader.tiers(),
        request_usd=reader.usd("request_usd"),
        unit_price_usd=reader.usd("unit_price_usd"),
        source=reader.text("source") or defaults.source[: _LENGTHS["source"]],
        source_version=reader.text("source_version") or defaults.source_version,
    )
    for name in row.values:
        if name not in COLUMNS:
            reader.fail(name, "is not known; see `load_rates --help` for the columns")
    if not rate.model:
        reader.fail("model", "is missing")
    elif not reader.problems and rate.is_withdrawn != (reader.text("withdrawn").lower() in ("true", "yes", "1")):
        reader.fail(
            rate.model,
            "has no price; `withdrawn: true` ends a rate on purpose"
            if rate.is_withdrawn
            else "is withdrawn but priced",
        )
    if rate.resource_type == ResourceType.LLM_TOKENS and rate.unit_price_usd is not None and rate.prices == NO_PRICES:
        reader.fail("unit_price_usd", "needs a resource_type such as api_call: llm_tokens have prices of tokens")
    add_row(problems, reader.problems)
    return None if reader.problems else DraftRate(rate, is_dated=effective_from is not None)


class _RowReader:
    """Takes values from a row and notes what is wrong with them."""

    def __init__(self, row: FileRow) -> None:
        self.row = row
        self.problems: Problems = []

    def fail(self, name: str, reason: str) -> None:
        self.problems.append((self.row.lines.get(name, self.row.line), f"{name} {reason}"))

    def value(self, name: str) -> object:
        value = self.row.values.get(name)
        return None if value == "" else value

    def text(self, name: str) -> str:
        value = self.value(name)
        text = "" if value is None else str(value).strip()
        longest = _LENGTHS.get(name, 200)
        if len(text) > longest or "\x00" in text:
            self.fail(name, "has a NUL" if "\x00" in text else f"is longer than {longest} characters")
            return ""
        return text

    def names(self, name: str) -> tuple[str, ...]:
        value = self.value(name)
        parts = value if isinstance(value, list) else [] if value is None else str(value).split(";")
        return tuple(dict.fromkeys(str(part).strip().lower() for part in parts if str(part).strip()))

    def usd(self, name: str) -> Decimal | None:
        value = self.value(name)
        if value is None:
            return None
        try:
            number = _number(value)
        except ValueError as fault:
            self.fail(name, str(fault))
            return None
        exponent = number.normalize().as_tuple().exponent
        if number >= 10**12 or (isinstance(exponent, int) and exponent < -COST_PLACES):
            self.fail(name, f"is {_shown(value)}, expected below 1e12 USD and at most {COST_PLACES} decimals")
            return None
        return number

    def prices(self) -> Prices:
        return Prices(**self._prices_in(self.row.values))

    def _prices_in(self, values: Mapping[str, object]) -> dict[str, Decimal]:
        prices: dict[str, Decimal] = {}
        for name, value in values.items():
            if name not in PRICE_COLUMNS or value is None or value == "":
                continue
            column, factor = PRICE_COLUMNS[name]
            if column in prices:
                self.fail(name, "is the second price for the same tokens")
            try:
                prices[column] = price_per_million(value, factor=factor)
            except ValueError as fault:
                self.fail(name, str(fault))
        return prices

    def tiers(self) -> tuple[PriceTier, ...]:
        value = self.value("tiers")
        tiers = {}
        for tier in value if isinstance(value, list) else [] if value is None else [value]:
            if not isinstance(tier, Mapping):
                self.fail("tiers", "need a mapping of prices each")
                continue
            above = tier.get("above_input_tokens")
            if not isinstance(above, int) or isinstance(above, bool) or above < 0 or above in tiers:
                self.fail("tiers", "need a whole number `above_input_tokens` each, no two the same")
                continue
            if unknown := [str(name) for name in tier if name not in PRICE_COLUMNS and name != "above_input_tokens"]:
                self.fail("tiers", f"do not know {', '.join(unknown)}")
            tiers[above] = PriceTier(above_input_tokens=above, prices=Prices(**self._prices_in(tier)))
        return tuple(tiers[above] for above in sorted(tiers))

    def instant(self, name: str) -> datetime | None:
        text = self.text(name)
        if not text:
            return None
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            self.fail(name, f"is {text!r}, expected an ISO date or time such as 2026-01-31")
            return None
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)

    def clock(self, name: str) -> time:
        text = self.text(name)
        try:
            return time.fromisoformat(text).replace(tzinfo=None) if text else time.min
        except ValueError:
            self.fail(name, f"is {text!r}, expected a UTC time such as 16:30")
            return time.min
