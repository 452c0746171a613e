"""What may be said of a rate that is made or ended: the fields of Rate by their names, prices as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import time
from decimal import Decimal
from typing import Any

from costtrack.api.event_input import Clean, UnknownField, cleaned, instant
from costtrack.api.fields import one_of, text_up_to
from costtrack.domain.events import ServiceTier
from costtrack.domain.tokens import MAX_TOKENS
from costtrack.exceptions import InvalidUsage
from costtrack.models.rates import PRICE_FIELDS
from costtrack.reporting.parameters import MAX_TEXT

MAX_ALIASES = 50
MAX_TIERS = 20
PER_MILLION = r"[0-9]{1,9}(\.[0-9]{1,6})?"
"""A price of a million tokens, as it is stored."""
DOLLARS = r"[0-9]{1,9}(\.[0-9]{1,12})?"
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"


def written(pattern: str, expected: str) -> Clean:
    """A decimal number as text."""

    def clean(field: str, value: object) -> Decimal:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise InvalidUsage(field, value, expected)
        return Decimal(value)

    return clean


def clock(field: str, value: object) -> time:
    """A time of the day, in UTC."""
    if not isinstance(value, str) or not re.fullmatch(CLOCK, value):
        raise InvalidUsage(field, value, "a time of the day in UTC, such as 16:30")
    return time.fromisoformat(value)


def aliases(field: str, value: object) -> list[str]:
    """Other spellings of a model's id."""
    return _each(
        text_up_to(MAX_TEXT), field, value, most=MAX_ALIASES, expected=f"a list of at most {MAX_ALIASES} model ids"
    )


def tiers(field: str, value: object) -> list[dict[str, Any]]:
    """Prices of long requests; what is wrong with one is told as `tiers[0].above_input_tokens`."""
    expected = f"a list of at most {MAX_TIERS} objects, each with above_input_tokens and prices"
    return _each(_tier, field, value, most=MAX_TIERS, expected=expected)


def threshold(field: str, value: object) -> int:
    """A number of tokens; to JSON 7.0 is one, too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TOKENS:
        raise InvalidUsage(field, value, f"a whole number from 0 to {MAX_TOKENS:,}")
    return value


def _each(clean: Callable[[str, Any], Any], field: str, value: object, *, most: int, expected: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise InvalidUsage(field, value, expected)
    return [clean(f"{field}[{index}]", one) for index, one in enumerate(value)]


def _tier(place: str, value: object) -> dict[str, Any]:
    try:
        return cleaned(value, TIER, what="")
    except UnknownField as error:
        raise UnknownField(f"{place}.{error.field}", f" The fields are {', '.join(TIER)}.") from error
    except InvalidUsage as error:
        raise InvalidUsage(f"{place}.{error.field}".removesuffix("."), error.seen, error.expected) from error


PRICES: Mapping[str, Clean] = dict.fromkeys(
    PRICE_FIELDS,
    written(PER_MILLION, 'US dollars per 1,000,000 tokens as text, with at most 6 decimals, such as "0.15"'),
)
TIER: Mapping[str, Clean] = {"above_input_tokens": threshold, **PRICES}
NEW: dict[str, Clean] = {
    **dict.fromkeys(
        ("organization", "provider", "model", "resource_type", "source", "source_version"), text_up_to(MAX_TEXT)
    ),
    "aliases": aliases,
    "service_tier": one_of(tuple(ServiceTier)),
    "effective_from": instant,
    "window_start": clock,
    "window_end": clock,
    **PRICES,
    **dict.fromkeys(
        ("request_usd", "unit_price_usd"),
        written(DOLLARS, 'US dollars as text, with at most 12 decimals, such as "0.01"'),
    ),
    "tiers": tiers,
}
"""What may be said of a new rate: never that it is everybody's, nor that it has priced something."""
END: dict[str, Clean] = {"ends_at": instant}
