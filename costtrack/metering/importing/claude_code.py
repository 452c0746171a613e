"""The preset of Claude Code sessions: the JSONL files under ~/.claude/projects.

A session repeats a message as its response streams in: several lines share one `message.id`, their `usage` grows,
the last one is final. Resumed sessions repeat old messages in new files. So a message's id is its key, and of the
lines of one message that stand near one another the one with the most output counts. A message at the end of the
file that is still streaming is left to the next import.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import PurePath, PureWindowsPath
from typing import Any

from costtrack.domain.events import ServiceTier
from costtrack.exceptions import InvalidUsage
from costtrack.extraction import trusted_id
from costtrack.metering.importing.columns import ColumnMapping
from costtrack.metering.importing.errors import UnusableMapping
from costtrack.metering.importing.reasons import reason_of
from costtrack.metering.importing.records import Draft, Record
from costtrack.metering.importing.values import count, dollars, instant, mapping_or_empty, text

OPEN_MESSAGES = 64
"""How many messages may be open at once: a message's lines are never further apart (tools run in parallel)."""
OTHER_LINES = "other lines"
REPEATED_LINES = "repeated lines of a message"
UNFINISHED = "messages still being written"
SYNTHETIC_LINES = "<synthetic> messages"
SYNTHETIC = "<synthetic>"
ANTHROPIC_ID = "msg_"
STILL_STREAMING = timedelta(minutes=10)


class ClaudeCodeTranslator:
    """Fields of an event from the assistant's messages; `columns` (field: path) are laid over them."""

    def __init__(
        self, columns: Mapping[str, str], *, now: datetime, zone: tzinfo = UTC, folder_is_project: bool = True
    ) -> None:
        """With `folder_is_project` the folder that a session worked in names the project."""
        self._now = now
        self.skipped: Counter[str] = Counter()
        self._given = ColumnMapping(columns, zone=zone)
        self._folder_is_project = folder_is_project

    def check(self, columns: Sequence[str] | None, sample: Sequence[Record]) -> None:
        """UnusableMapping if the file is CSV; its lines may be of any type."""
        if columns is not None:
            raise UnusableMapping("Claude Code sessions are JSONL files.")
        self._given.check(None, [record for record in sample if record.row.get("type") == "assistant"])

    def drafts(self, records: Iterable[Record]) -> Iterator[Draft]:
        """One draft for each message of the assistant, once no further line of it is expected."""
        opened: OrderedDict[str, Draft] = OrderedDict()
        for record in records:
            if record.problem:
                yield Draft(record, problem=record.problem)
                continue
            if record.row.get("type") != "assistant" or not isinstance(record.row.get("message"), dict):
                self.skipped[OTHER_LINES] += 1
                continue
            message = record.row["message"]
            if message.get("model") == SYNTHETIC or not isinstance(message.get("usage"), dict):
                self.skipped[SYNTHETIC_LINES if message.get("model") == SYNTHETIC else OTHER_LINES] += 1
                continue
            try:
                draft = Draft(record, self._fields(record.row))
            except InvalidUsage as error:
                yield Draft(record, problem=reason_of(error))
                continue
            key = draft.fields["idempotency_key"]
            if key in opened:
                self.skipped[REPEATED_LINES] += 1
                opened[key] = _final(opened[key], draft)
                opened.move_to_end(key)
            else:
                opened[key] = draft
                if len(opened) > OPEN_MESSAGES:
                    yield opened.popitem(last=False)[1]
        for draft in opened.values():
            if self._is_being_written(draft):
                self.skipped[UNFINISHED] += 1
            else:
                yield draft

    def _fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        fields = _fields(row)
        if self._folder_is_project:
            fields["project"] = _folder(row.get("cwd"))
        fields |= self._given.fields_of(row)
        return {name: value for name, value in fields.items() if value != ""}

    def _is_being_written(self, draft: Draft) -> bool:
        """Whether the message began just now and has not said why it stopped: its usage is not final yet."""
        is_recent = self._now - draft.fields["occurred_at"] < STILL_STREAMING
        return is_recent and not draft.record.row["message"].get("stop_reason")


def _final(earlier: Draft, later: Draft) -> Draft:
    """The draft with the final usage, at the time of the first."""
    final = later if later.fields["output_tokens"] >= earlier.fields["output_tokens"] else earlier
    final.fields["occurred_at"] = min(earlier.fields["occurred_at"], later.fields["occurred_at"])
    return final


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    message, usage = row["message"], row["message"]["usage"]
    trusted = _trusted_key(message)
    fields: dict[str, Any] = {
        "idempotency_key": trusted or _session_key(row),
        "key_from_provider": bool(trusted),
        "occurred_at": instant("timestamp", row.get("timestamp")),
        "model": _text(message, "model"),
        "provider": "anthropic" if trusted else "",
        "service_tier": _service_tier(usage),
        "thread_id": _text(row, "sessionId"),
        "request_id": _text(row, "requestId"),
        "metadata": {
            name: row[key]
            for name, key in (("version", "version"), ("git_branch", "gitBranch"), ("is_sidechain", "isSidechain"))
            if row.get(key)
        },
        **_tokens(usage),
    }
    if row.get("costUSD") is not None:
        fields["cost_usd"] = dollars("costUSD", row["costUSD"])
    return fields


def _trusted_key(message: Mapping[str, Any]) -> str:
    """The key that every capture of this message has; "" unless Anthropic gave the id."""
    message_id = _text(message, "id")
    return trusted_id("anthropic", message_id) if message_id.startswith(ANTHROPIC_ID) else ""


def _session_key(row: Mapping[str, Any]) -> str:
    """The ids of other servers behind Claude Code may repeat: they count within their session only."""
    local_id = _text(row["message"], "id") or _text(row, "uuid")
    if not local_id:
        raise InvalidUsage("message.id", None, "the id of the message")
    return f"claude-code:{_text(row, 'sessionId')}:{local_id}"


def _tokens(usage: Mapping[str, Any]) -> dict[str, int]:
    """Anthropic counts cached tokens apart from input_tokens; ours include them."""
    written = mapping_or_empty(usage.get("cache_creation"))
    hour = _count(written, "ephemeral_1h_input_tokens")
    five_minutes = _count(written, "ephemeral_5m_input_tokens")
    five_minutes += max(0, _count(usage, "cache_creation_input_tokens") - hour - five_minutes)
    read = _count(usage, "cache_read_input_tokens")
    return {
        "input_tokens": _count(usage, "input_tokens") + read + five_minutes + hour,
        "output_tokens": _count(usage, "output_tokens"),
        "cache_read_tokens": read,
        "cache_write_tokens": five_minutes,
        "cache_write_1h_tokens": hour,
    }


def _service_tier(usage: Mapping[str, Any]) -> str:
    if usage.get("speed") == "fast":
        return ServiceTier.FAST.value
    tier = _text(usage, "service_tier")
    return tier if tier in (ServiceTier.BATCH, ServiceTier.PRIORITY) else ServiceTier.STANDARD.value


def _folder(cwd: object) -> str:
    """The last part of the folder that the session worked in."""
    if not isinstance(cwd, str):
        return ""
    return (PureWindowsPath(cwd) if "\\" in cwd else PurePath(cwd)).name[:100]


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else text(name, value)


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return 0 if value is None else count(name, value)
