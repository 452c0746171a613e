"""What the body of a request says before it is sent: the model, and the most that the call may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costtrack.domain.events import ServiceTier
from costtrack.domain.tokens import MAX_TOKENS
from costtrack.extraction.fields import items, read
from costtrack.metering.arguments import ANSWERS_NAMES, INPUT_NAMES, MAX_OUTPUT_NAMES
from costtrack.metering.expected import Expected, token_count_or_none
from costtrack.metering.given_fields import EventFields

_FAST = ServiceTier.FAST.value
_OWN_PRICE = frozenset((ServiceTier.BATCH, ServiceTier.FLEX, ServiceTier.PRIORITY))
_CACHED_PLACES = ("system", "tools", "messages")


def fields_of(body: Mapping[str, Any]) -> EventFields:
    """Model and service tier, as they are asked for; the response's own words win over them later."""
    fields: EventFields = {}
    model = body.get("model")
    if isinstance(model, str) and model:
        fields["model"] = model
    tier = body.get("service_tier")
    if body.get("speed") == _FAST:
        tier = _FAST
    elif not isinstance(tier, str) or tier not in _OWN_PRICE:
        return fields
    fields["service_tier"] = str(tier)
    return fields


def inputs_of(body: Mapping[str, Any]) -> tuple[object, ...]:
    """What the model is given to read."""
    return tuple([body[name] for name in INPUT_NAMES if name in body and body[name] is not None])


def expected_of_body(
    body: Mapping[str, Any], *, writes_cache: bool = False, max_output_tokens: int | None = None
) -> Expected:
    """The worst case of the request; `max_output_tokens` is for an API that has no such argument."""
    inputs = inputs_of(body)
    most = max_output_tokens
    for name in MAX_OUTPUT_NAMES:
        value = body.get(name)
        told = None if value is None else token_count_or_none(value)
        if told is not None:
            most = told
            break
    for name in ANSWERS_NAMES:
        answers = body.get(name)
        if most is not None and type(answers) is int and answers > 1:
            most = min(most * answers, MAX_TOKENS)
    return Expected(
        input_tokens=_tokens_given(body.get("input")),
        max_output_tokens=most,
        inputs=inputs,
        writes_cache=writes_cache,
    )


def marks_cache(body: Mapping[str, Any]) -> bool:
    """Whether a part of the request is marked to be written to a cache, as Anthropic's API has it."""
    if body.get("cache_control") is not None:
        return True
    for name in _CACHED_PLACES:
        for part in items(body.get(name)):
            if read(part, "cache_control") is not None:
                return True
            for block in items(read(part, "content")) if name == "messages" else ():
                if read(block, "cache_control") is not None:
                    return True
    return False


def without_iterators(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with lists where it has iterators, which could be read once only: by the count, or by the client."""
    once = [name for name in INPUT_NAMES if hasattr(type(body.get(name)), "__next__")]
    return {**body, **{name: list(body[name]) for name in once}}


def _tokens_given(value: object) -> int | None:
    """How many tokens an embedding's input has that is given as tokens: one list of numbers, or several."""
    lists = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    if not all(isinstance(one, list) and one and type(one[0]) is int for one in lists):
        return None
    return min(sum(map(len, lists)), MAX_TOKENS)
