"""Checks of an event's single fields: each gives a clean value or raises InvalidUsage naming the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from costtrack.domain.events import Outcome, ResourceType, ServiceTier, UsageEvent
from costtrack.domain.money import COST_PLACES, MAX_COST_USD, parse_decimal, parse_usd, round_cost
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.exceptions import InvalidUsage
from costtrack.metering.cleaning import MAX_LATENCY_MS, clean_text, redacted_text, whole_number

T = TypeVar("T")

LLM_TOKENS = ResourceType.LLM_TOKENS.value
SUCCESS = Outcome.SUCCESS.value
ZERO = Decimal(0)
MAX_AMOUNT = Decimal(10) ** 12
FIRST_YEAR, LAST_YEAR = 1970, 9000
_FIRST_INSTANT = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
KNOWN_TIERS = frozenset(tier.value for tier in ServiceTier)
STANDARD_TIERS = {"", "default", "auto", "on_demand", "standard_only", "standard"}
MAX_ERROR_MESSAGE = 500
NOTHING: Set[str] = frozenset()


class FieldCheck:
    """How a bad field is met: before a call it raises, after one it is left out and noted."""

    __slots__ = ("problems", "strict")

    def __init__(self, *, strict: bool) -> None:
        """`strict` raises; else `problems` collects what was wrong."""
        self.strict = strict
        self.problems: list[str] = []

    def take(self, field: str, clean: Callable[[Any], T], value: object, otherwise: T) -> T:
        """The cleaned `value`; where it can not be cleaned, raise, or note that and take `otherwise`."""
        try:
            return clean(value)
        except Exception as error:  # after a call no value, whatever its class does, may cost us the event
            if self.strict:
                raise
            self.note(field, error)
            return otherwise

    def note(self, field: str, error: Exception) -> None:
        """Remember that a field was left out."""
        text = str(error) if isinstance(error, InvalidUsage) else f"{field}: {type(error).__name__}"
        self.problems.append(redacted_text("problem", text, 200))


def is_clean(name: str, value: object) -> bool:
    """Whether such a field is as it should be, as in nearly every call."""
    if name == "latency_ms":
        return type(value) is int and 0 <= value <= MAX_LATENCY_MS
    return name == "service_tier" and type(value) is str and value in KNOWN_TIERS


def is_past(value: object, now: datetime) -> bool:
    """Whether it is an instant in UTC that is acceptable as it is."""
    return type(value) is datetime and value.tzinfo is UTC and _FIRST_INSTANT <= value <= now


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


def clean_reported_cost(value: object) -> Decimal:
    """A cost that the provider reported; errors name it `cost_usd`, as callers do."""
    return parse_usd("cost_usd", value)


def clean_outcome(value: object) -> str:
    """`success` or `error`."""
    if value is Outcome.SUCCESS:
        return "success"
    try:
        return Outcome(value).value  # type: ignore[arg-type]
    except ValueError:
        raise InvalidUsage("outcome", value, "'success' or 'error'") from None


def clean_error_message(value: object) -> str:
    """What an error said, in one line of at most 500 characters without secrets."""
    return redacted_text("error_message", value, MAX_ERROR_MESSAGE)


def clean_tier(value: object) -> str:
    """A service tier in lower case; `default`, `auto` and the like are `standard`."""
    if type(value) is str and value in STANDARD_TIERS:
        return "standard"
    tier = clean_text("service_tier", value, 20).lower()
    return "standard" if tier in STANDARD_TIERS else tier


def clean_resource_type(value: object) -> str:
    """A resource type, never empty."""
    if value is ResourceType.LLM_TOKENS:
        return "llm_tokens"
    resource_type = clean_text("resource_type", value, 50)
    if not resource_type:
        raise InvalidUsage("resource_type", value, "a name such as 'llm_tokens', 'api_call' or 'gpu_seconds'")
    return resource_type


def refuse_empty(event: UsageEvent) -> None:
    """Raise InvalidUsage for an event that says neither what was used nor how much, what it cost or that it failed.

    Nobody could ever price or correct it. For usage that is told by its figures: a call that was metered here is kept.
    """
    if (
        event.usage_missing
        and not (event.model or event.provider or event.gateway or event.saving_usd)
        and not (event.amount or event.tokens.total_tokens)
        and event.resource_type == LLM_TOKENS
    ):
        expected = "at least one of model, provider, a count of tokens, amount, cost_usd, resource_type and error"
        raise InvalidUsage("event", "nothing that was used", expected)


def tokens_of(tokens: object, counts: Mapping[str, Any], check: FieldCheck) -> tuple[TokenUsage | None, Set[str]]:
    """The tokens, None if none were given or usable; and the names of the counts that had to be left out."""
    if tokens is None:
        if not counts:
            return None, NOTHING
        try:
            return TokenUsage(**counts), NOTHING
        except InvalidUsage:  # or a number of another type that is whole
            pass
    return (strict_tokens(tokens, counts), NOTHING) if check.strict else mended_tokens(tokens, counts, check)


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


def lacks_input(counts: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether of an LLM call without a reported cost the output alone is told: input alone is that of an embedding."""
    return (
        "output_tokens" in counts
        and "input_tokens" not in counts
        and "tokens" in values
        and values["resource_type"] == LLM_TOKENS
        and "reported_cost_usd" not in values
    )


def amount_of(
    values: Mapping[str, Any], given: object, tokens: TokenUsage | None, check: FieldCheck
) -> tuple[Decimal | None, bool]:
    """The amount, None for the tokens in all; and whether the usage of a successful call is unknown."""
    resource_type = values["resource_type"]
    if resource_type == LLM_TOKENS and tokens is not None and given is None:
        return None, False
    succeeded = values.get("outcome", SUCCESS) == SUCCESS
    if resource_type == ResourceType.API_CALL and not succeeded:
        return ZERO, False
    amount = None if given is None else check.take("amount", clean_amount, given, None)
    if resource_type == LLM_TOKENS:
        if tokens is None:
            return amount or ZERO, succeeded
        if amount is not None and amount != tokens.total_tokens:
            problem = InvalidUsage("amount", given, f"{tokens.total_tokens} (input plus output tokens), or none at all")
            if check.strict:
                raise problem
            check.note("amount", problem)
        return None, False
    if amount is None:
        if resource_type == ResourceType.API_CALL:
            return Decimal(1), False
        if check.strict and succeeded and values.get("reported_cost_usd") is None:
            raise InvalidUsage("amount", given, f"a number: how many {resource_type} were used")
        return ZERO, succeeded
    return amount, False
