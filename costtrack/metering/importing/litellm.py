"""The preset of LiteLLM spend logs: rows of its table LiteLLM_SpendLogs, exported as CSV or JSONL.

Columns as in schema.prisma of BerriAI/litellm (read on 2026-11-24). `prompt_tokens` includes cached tokens;
the parts of the counts are in `metadata`, which LiteLLM writes as JSON: `usage_object`, in later versions, and
`additional_usage_values`. Prompts and responses in the log are never read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any

import orjson

from costtrack.domain.events import Outcome, ResourceType
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.exceptions import InvalidUsage
from costtrack.metering.importing.columns import ColumnMapping, value_at
from costtrack.metering.importing.errors import UnusableMapping
from costtrack.metering.importing.reasons import reason_of
from costtrack.metering.importing.records import Draft, Record
from costtrack.metering.importing.values import count, dollars, instant, mapping_or_empty, text

NEEDED = ("request_id", "startTime", "spend", "prompt_tokens", "completion_tokens")
TEXTS = {"customer": "end_user", "user": "user", "thread_id": "session_id", "request_id": "request_id"}
KEPT_AS_METADATA = ("call_type", "model_group", "team_id", "organization_id", "agent_id", "cache_hit")
MCP_CALL = "call_mcp_tool"


class LiteLLMTranslator:
    """Fields of an event from a spend log row; `columns` (field: column) are laid over them."""

    def __init__(self, columns: Mapping[str, str], *, zone: tzinfo = UTC) -> None:
        self.skipped: Counter[str] = Counter()
        self._zone = zone
        self._given = ColumnMapping(columns, zone=zone, unpacked=("metadata",))

    def check(self, columns: Sequence[str] | None, sample: Sequence[Record]) -> None:
        """UnusableMapping if the columns are not those of a spend log."""
        present = columns if columns is not None else [key for record in sample for key in record.row]
        missing = [name for name in NEEDED if name not in present]
        if missing and (columns is not None or present):
            raise UnusableMapping(
                f"This is no LiteLLM spend log: it has no {', '.join(missing)}. "
                f"The columns are: {', '.join(map(repr, dict.fromkeys(present)))}."
            )
        self._given.check(columns, [Record(one.line, one.raw, _unpacked(one.row), one.problem) for one in sample])

    def drafts(self, records: Iterable[Record]) -> Iterator[Draft]:
        """A draft for every record."""
        for record in records:
            if record.problem:
                yield Draft(record, problem=record.problem)
                continue
            try:
                row = _unpacked(record.row)
                yield Draft(record, _fields(row, self._zone) | self._given.fields_of(row))
            except InvalidUsage as error:
                yield Draft(record, problem=reason_of(error))


def _unpacked(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "metadata": mapping_or_empty(row.get("metadata"))}


def _fields(row: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    request_id = _text(row, "request_id")
    if not request_id:
        raise InvalidUsage("request_id", row.get("request_id"), "LiteLLM's id of the call")
    started_at = instant("startTime", row.get("startTime"), zone)
    is_failure = "failure" in (row.get("status"), row["metadata"].get("status"))
    is_tool = _text(row, "call_type") == MCP_CALL
    fields: dict[str, Any] = {
        "idempotency_key": f"litellm:{request_id}",
        "key_from_provider": True,
        "occurred_at": started_at,
        "gateway": "litellm",
        "provider": _text(row, "custom_llm_provider"),
        "model": _text(row, "model") or _text(row, "model_group"),
        "tags": _tags(row.get("request_tags")),
        "metadata": {name: row[name] for name in KEPT_AS_METADATA if row.get(name)},
    }
    fields |= {name: _text(row, column) for name, column in TEXTS.items()}
    if is_tool:
        fields |= {"resource_type": ResourceType.API_CALL.value, "amount": Decimal(0 if is_failure else 1)}
    else:
        fields |= _tokens(row)
    latency_ms = _latency_ms(row, zone)
    if latency_ms is not None:
        fields["latency_ms"] = latency_ms
    if is_failure:
        fields["outcome"] = Outcome.ERROR.value
        fields["error_type"] = str(value_at(row, "metadata.error_information.error_class") or "")
    spend = dollars("spend", row["spend"]) if row.get("spend") not in (None, "") else Decimal(0)
    if spend or is_failure or _text(row, "cache_hit").lower() == "true" or not any(fields.get(n) for n in TOKEN_FIELDS):
        fields["cost_usd"] = spend
    # Else LiteLLM logged 0 for tokens that it served: it knew no price. Ours decides; no price is no price of 0.
    return {name: value for name, value in fields.items() if value != ""}


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return "" if value is None else text(column, value)


def _tags(value: object) -> dict[str, str]:
    """`["team:search", "beta"]` as {"team": "search", "beta": "true"}."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value or "[]")
        except orjson.JSONDecodeError:
            return {}
    if isinstance(value, Mapping):
        return {str(key): str(one) for key, one in value.items()}
    tags = {}
    for one in value if isinstance(value, list) else []:
        key, _, content = str(one).partition(":")
        tags[key.strip()] = content.strip() or "true"
    return tags


def _latency_ms(row: Mapping[str, Any], zone: tzinfo) -> int | None:
    if row.get("endTime") in (None, ""):
        return None
    taken = instant("endTime", row["endTime"], zone) - instant("startTime", row["startTime"], zone)
    return max(0, round(taken.total_seconds() * 1000))


def _tokens(row: Mapping[str, Any]) -> dict[str, int]:
    """The token counts, by our convention: what exceeds its whole (an uncounted cache) is added to it."""
    usage = {**mapping_or_empty(row["metadata"].get("usage_object"))}
    more = mapping_or_empty(row["metadata"].get("additional_usage_values"))
    usage |= {key: value for key, value in more.items() if value is not None}
    prompt = mapping_or_empty(usage.get("prompt_tokens_details"))
    completion = mapping_or_empty(usage.get("completion_tokens_details"))
    written = mapping_or_empty(prompt.get("cache_creation_token_details")) or mapping_or_empty(
        usage.get("cache_creation")
    )
    tokens = {
        "input_tokens": _count(row, "prompt_tokens"),
        "output_tokens": _count(row, "completion_tokens"),
        "cache_read_tokens": _count(usage, "cache_read_input_tokens") or _count(prompt, "cached_tokens"),
        "input_audio_tokens": _count(prompt, "audio_tokens"),
        "reasoning_tokens": _count(completion, "reasoning_tokens"),
        "output_audio_tokens": _count(completion, "audio_tokens"),
    }
    all_written = _count(usage, "cache_creation_input_tokens") or _count(prompt, "cache_creation_tokens")
    hour = min(_count(written, "ephemeral_1h_input_tokens"), all_written)
    tokens |= {"cache_write_tokens": all_written - hour, "cache_write_1h_tokens": hour}
    cached = tokens["cache_read_tokens"] + all_written
    if cached > tokens["input_tokens"]:
        tokens["input_tokens"] += cached
    tokens["input_audio_tokens"] = min(tokens["input_audio_tokens"], tokens["input_tokens"] - cached)
    tokens["reasoning_tokens"] = min(tokens["reasoning_tokens"], tokens["output_tokens"])
    tokens["output_audio_tokens"] = min(
        tokens["output_audio_tokens"], tokens["output_tokens"] - tokens["reasoning_tokens"]
    )
    return {name: one for name, one in tokens.items() if one or name in ("input_tokens", "output_tokens")}


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return 0 if value is None or value == "" else count(name, value)
