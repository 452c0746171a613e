"""Checks of an event's single fields: each gives a clean value or raises InvalidUsage naming the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from costtrack.domain.events import Outcome, ServiceTier
from costtrack.domain.money import COST_PLACES, MAX_COST_USD, parse_decimal, round_cost
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.exceptions import InvalidUsage
from costtrack.metering.cleaning import clean_text, whole_number

T = TypeVar("T")

MAX_AMOUNT = Decimal(10) ** 12
FIRST_YEAR, LAST_YEAR = 1970, 9000
STANDARD_TIERS = {"", "default", "auto", "on_demand", "standard_only"}


class FieldCheck:
    """How a bad field is met: before a call it raises, after one it is left out and noted."""

    def __init__(self, *, strict: bool) -> None:
        """`strict` raises; else `problems` collects what was wrong."""
        self.strict = strict
        self.problems: list[str] = []

    def take(self, field: str, clean: Callable[[], T], otherwise: Callable[[], T]) -> T:
        """What `clean` gives; if that fails, raise, or note it and take what `otherwise` gives."""
        try:
            return clean()
        except Exception as error:  # after a call no value, whatever its class does, may cost us the event
            if self.strict:
                raise
            self.note(field, error)
            return otherwise()

    def note(self, field: str, error: Exception) -> None:
        """Remember that a field was left out."""
        text = str(error) if isinstance(error, InvalidUsage) else f"{field}: {type(error).__name__}"
        self.problems.append(clean_text("problem", text, 200))


def clean_time(value: object, *, now: datetime, max_future_seconds: int) -> datetime:
    """An instant in UTC: aware, from 1970 on, at most `max_future_seconds` after `now`. None is `now`."""
    if value is None:
        return now
    if not isinstance(value, datetime):
        raise InvalidUsage("occurred_at", value, "an aware datetime")
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidUsage("occurred_at", value, "an aware datetime (this one has no time zone)")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise InvalidUsage("occurred_at", value, f"a year from {FIRST_YEAR} to {LAST_YEAR}")
    if value > now + timedelta(seconds=max_future_seconds):
        raise InvalidUsage("occurred_at", value, f"a time at most {max_future_seconds} seconds ahead of {now}")
    return value.astimezone(UTC)


def clean_amount(value: object) -> Decimal:
    """Units of a resource: from 0 to below 1e12, rounded only if it has more than 12 decimals."""
    amount = parse_decimal("amount", value)
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -COST_PLACES:
        amount = round_cost(amount)
    if amount < 0 or amount >= MAX_AMOUNT:
        raise InvalidUsage("amount", value, "a number from 0 to below 1e12")
    return amount


def clean_saving(value: object) -> Decimal:
    """A signed saving in US dollars, at 12 decimals."""
    saving = parse_decimal("saving_usd", value)
    if abs(saving) >= MAX_COST_USD:
        raise InvalidUsage("saving_usd", value, "US dollars below 1e12")
    return round_cost(saving)


def clean_outcome(value: object) -> Outcome:
    """`success` or `error`."""
    try:
        return Outcome(value)  # type: ignore[arg-type]
    except ValueError:
        raise InvalidUsage("outcome", value, "'success' or 'error'") from None


def clean_tier(value: object) -> str:
    """A service tier in lower case; `default`, `auto` and the like are `standard`."""
    tier = clean_text("service_tier", value, 20).lower()
    return ServiceTier.STANDARD.value if tier in STANDARD_TIERS else tier


def clean_resource_type(value: object) -> str:
    """A resource type, never empty."""
    resource_type = clean_text("resource_type", value, 50)
    if not resource_type:
        raise InvalidUsage("resource_type", value, "a name such as 'llm_tokens', 'api_call' or 'gpu_seconds'")
    return resource_type


def strict_tokens(tokens: object, counts: Mapping[str, object]) -> TokenUsage | None:
    """TokenUsage as given, or from counts by name; None if neither was given.

    Raises InvalidUsage for a count that is none, TypeError if both were given.
    """
    if tokens is None:
        return TokenUsage(**{name: whole_number(name, count) for name, count in counts.items()}) if counts else None
    if counts:
        raise TypeError(f"Give tokens=TokenUsage(...) or {', '.join(counts)}, not both.")
    if not isinstance(tokens, TokenUsage):
        raise InvalidUsage("tokens", type(tokens).__name__, "a TokenUsage")
    return tokens


def mended_tokens(
    tokens: object, counts: Mapping[str, object], check: FieldCheck
) -> tuple[TokenUsage | None, set[str]]:
    """What of the counts can be used, and the names of those that had to be left out."""
    if isinstance(tokens, TokenUsage):
        return tokens, set()
    usable: dict[str, int] = {}
    dropped: set[str] = set()
    for name, count in counts.items():
        try:
            usable[name] = whole_number(name, count)
        except InvalidUsage as error:
            dropped.add(name)
            check.note(name, error)
    for _ in TOKEN_FIELDS:
        try:
            return (TokenUsage(**usable) if usable else None), dropped
        except InvalidUsage as error:
            dropped.add(error.field)
            usable.pop(error.field)
            check.note(error.field, error)
    return None, dropped
