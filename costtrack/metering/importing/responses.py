"""Token counts from a provider's response, or the usage of one, that a row holds.

A row is charged under its content, so one that is mended later is another row. That is why figures which cannot be
read reject their row here, where `meter` would keep the call and note them: mended and imported again it counts once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from costtrack.domain.events import ResourceType
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.exceptions import InvalidUsage
from costtrack.extraction import Extracted, extract
from costtrack.extraction.counts import whole_number
from costtrack.extraction.locate import locate
from costtrack.metering.importing.errors import UnreadableFigures
from costtrack.metering.importing.values import mapping_or_empty

RESPONSE_KEYS = ("response", "usage")
"""A JSON row that names no token field itself may hold a provider's response, or the usage of one, under these."""

_IS_COUNT = re.compile(r"(?:tokens|token_?count)$", re.IGNORECASE)
_INVALID_COST = ": got "
"""What InvalidUsage writes: of what an extraction notes, only a cost that is no amount of dollars is told so."""


def with_usage(fields: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, their token counts taken from a response in the row if it names none itself.

    InvalidUsage or UnreadableFigures if the response has figures that cannot be read. One without any usage is fine.
    """
    if any(name in fields for name in TOKEN_FIELDS):
        return fields
    for key in RESPONSE_KEYS:
        value = row.get(key)
        body = mapping_or_empty(value) if key == "usage" else value
        if not isinstance(body, Mapping):
            continue
        response = body if key == "response" else {"usage": body or value}
        if _says_nothing_else(fields) and _is_foreign(response):
            path = key if key == "usage" else "response.usage"
            raise InvalidUsage(path, response["usage"], "an object with a provider's token counts, or --map to its own")
        found = extract(response, provider=fields.get("provider", ""), model=fields.get("model", ""))
        _check(found, response, key)
        _fill(fields, found)
        if found.tokens is not None:
            break
    return fields


def _fill(fields: dict[str, Any], found: Extracted) -> None:
    if found.tokens is not None:
        fields |= {name: getattr(found.tokens, name) for name in TOKEN_FIELDS}
    if found.is_adjusted:
        fields["is_estimated"] = True
    if found.reported_cost_usd is not None:
        fields.setdefault("cost_usd", found.reported_cost_usd)
    for name in ("model", "provider", "service_tier"):
        if getattr(found, name):
            fields.setdefault(name, getattr(found, name))


def _says_nothing_else(fields: Mapping[str, Any]) -> bool:
    """Whether the row is an LLM call that gives neither an amount nor a cost."""
    is_llm = fields.get("resource_type", ResourceType.LLM_TOKENS) == ResourceType.LLM_TOKENS
    return is_llm and "amount" not in fields and "cost_usd" not in fields


def _is_foreign(response: Mapping[str, Any]) -> bool:
    """Whether there is something under `usage`, but in no format that is known."""
    usage = response.get("usage")
    values = usage.values() if isinstance(usage, Mapping) else (usage,)
    return any(one not in (None, "", {}) for one in values) and locate(response) is None


def _check(found: Extracted, response: Mapping[str, Any], key: str) -> None:
    if not found.problems:
        return
    located = locate(response)
    if located is None:
        return
    is_whole_body = located.usage is located.body
    for path, value in _unread_counts(located.usage, key if is_whole_body or key == "usage" else f"{key}.usage"):
        raise InvalidUsage(path, value, "a whole number of tokens")
    bad_cost = any(_INVALID_COST in problem for problem in found.problems)
    if found.tokens is None or bad_cost:
        raise UnreadableFigures(f"{key}: {'; '.join(found.problems)}.")


def _unread_counts(usage: object, path: str) -> Iterator[tuple[str, object]]:
    """Token counts of the usage that are no whole number, each with its path."""
    for name, value in usage.items() if isinstance(usage, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _unread_counts(value, f"{path}.{name}")
        elif _IS_COUNT.search(name) and not isinstance(value, (list, type(None))) and whole_number(value) is None:
            yield f"{path}.{name}", value
