"""What is said of a call before it is made, so that budgets can hold its worst case."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from costtrack.domain.money import parse_usd
from costtrack.domain.tokens import MAX_TOKENS
from costtrack.exceptions import InvalidUsage
from costtrack.metering.cleaning import clean_flag, whole_number


class Expected(NamedTuple):
    """How much an LLM call reads and may answer, and what any call may cost."""

    input_tokens: int | None = None
    """None: counted from the inputs."""
    max_output_tokens: int | None = None
    """None: COSTTRACK["MAX_OUTPUT_TOKENS"]. No source of prices that costtrack loads knows the maximum of a model."""
    inputs: tuple[object, ...] = ()
    """What the model is given to read."""
    writes_cache: bool = False
    """The input may be written to a cache, which some providers charge more for than plain input."""
    max_cost_usd: Decimal | None = None
    """The caller's own figure; wins over any rate."""


NOTHING_EXPECTED = Expected()


def expected_of(
    *,
    input_tokens: object = None,
    max_output_tokens: object = None,
    input: object = None,
    writes_cache: bool = False,
    max_cost_usd: object = None,
) -> Expected:
    """What a caller said; raises InvalidUsage, naming the argument, for what is no number of tokens, cost or bool."""
    if input_tokens is max_output_tokens is input is max_cost_usd is None and not writes_cache:
        return NOTHING_EXPECTED
    return Expected(
        input_tokens=_token_count("input_tokens", input_tokens),
        max_output_tokens=_token_count("max_output_tokens", max_output_tokens),
        inputs=() if input is None else (input,),
        writes_cache=clean_flag("writes_cache", writes_cache),
        max_cost_usd=None if max_cost_usd is None else parse_usd("max_cost_usd", max_cost_usd),
    )


def _token_count(field: str, value: object) -> int | None:
    if value is None:
        return None
    count = whole_number(field, value)
    if not 0 <= count <= MAX_TOKENS:
        raise InvalidUsage(field, value, f"a number of tokens from 0 to {MAX_TOKENS:,}")
    return count


def token_count_or_none(value: object) -> int | None:
    """A number of tokens among a function's arguments; None for anything else: it may take what it likes."""
    try:
        return _token_count("max_output_tokens", value)
    except InvalidUsage:
        return None
