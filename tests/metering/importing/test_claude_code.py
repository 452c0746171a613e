"""Claude Code sessions, as their JSONL files hold them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest

from costtrack.metering.importing.claude_code import ClaudeCodeTranslator
from costtrack.metering.importing.errors import UnusableMapping
from costtrack.metering.importing.json_records import JsonRecords
from costtrack.metering.importing.source import Source

NOW = datetime(2025, 12, 1, 9, tzinfo=UTC)


def line(message_id: str = "msg_015oRrxAaM8CuSF2MFET9J3i", *, output: int = 159, stop="tool_use", **changes) -> dict:
    """One line of the assistant. Input: 4 plain, 100 read, 30 written for 5 minutes, 20 for an hour."""
    row = {
        "type": "assistant",
        "timestamp": "2025-11-21T10:00:14.000Z",
        "sessionId": "2ff46cd5-f4e7-4724-bb20-579dae7956ea",
        "requestId": "req_001",
        "cwd": "/home/dev/tenant-library",
        "version": "2.1.63",
        "gitBranch": "main",
        "isSidechain": False,
        "uuid": "u-1",
        "message": {
            "id": message_id,
            "model": "claude-opus-4-6",
            "role": "assistant",
            "stop_reason": stop,
            "content": [{"type": "text", "text": "an answer"}],
            "usage": {
                "input_tokens": 4,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 50,
                "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 20},
                "output_tokens": output,
                "service_tier": "standard",
            },
        },
    }
    return row | changes


def translated(*rows: dict, columns=None, **options):
    content = b"\n".join(orjson.dumps(row) for row in rows)
    sample = list(JsonRecords(Source(io.BytesIO(content), name="session.jsonl")))
    translator = ClaudeCodeTranslator(columns or {}, now=NOW, **options)
    translator.check(None, sample)
    return list(translator.drafts(sample)), dict(translator.skipped)


def fields(*rows: dict, **options) -> dict:
    (draft,), _ = translated(*rows, **options)
    assert draft.problem == ""
    return draft.fields


def test_a_message_becomes_one_call_by_our_counting_convention():
    # 4 + 100 + 30 + 20 = 154 input tokens.
    seen = fields(line())
    assert seen == {
        "idempotency_key": "anthropic:msg_015oRrxAaM8CuSF2MFET9J3i",
        "key_from_provider": True,
        "occurred_at": datetime(2025, 11, 21, 10, 0, 14, tzinfo=UTC),
        "provider": "anthropic",
        "model": "claude-opus-4-6",
        "service_tier": "standard",
        "thread_id": "2ff46cd5-f4e7-4724-bb20-579dae7956ea",
        "request_id": "req_001",
        "project": "tenant-library",
        "metadata": {"version": "2.1.63", "git_branch": "main"},
        "input_tokens": 154,
        "output_tokens": 159,
        "cache_read_tokens": 100,
        "cache_write_tokens": 30,
        "cache_write_1h_tokens": 20,
    }


def test_of_a_messages_lines_the_final_usage_counts_once_at_the_time_of_the_first():
    first = line(output=9, stop=None, timestamp="2025-11-21T10:00:01Z")
    answer = {"type": "user", "message": {"content": "a tool's result"}}
    drafts, skipped = translated(first, line(output=9, stop=None), answer, line(output=159))
    assert [draft.fields["output_tokens"] for draft in drafts] == [159]
    assert drafts[0].fields["occurred_at"] == datetime(2025, 11, 21, 10, 0, 1, tzinfo=UTC)
    assert skipped == {"repeated lines of a message": 2, "other lines": 1}


def test_a_later_line_with_less_usage_does_not_undo_the_final_one():
    assert fields(line(output=159), line(output=1, stop=None))["output_tokens"] == 159


def test_messages_that_interleave_are_each_charged_once():
    rows = [line(f"msg_{number % 10:022d}", output=number) for number in range(40)]
    drafts, _ = translated(*rows)
    assert sorted(draft.fields["output_tokens"] for draft in drafts) == list(range(30, 40))


def test_a_long_session_is_not_kept_in_memory_to_its_end():
    translator = ClaudeCodeTranslator({}, now=NOW)
    content = b"\n".join(orjson.dumps(line(f"msg_{number:022d}")) for number in range(200))
    drafts = translator.drafts(JsonRecords(Source(io.BytesIO(content), name="session.jsonl")))
    assert next(drafts).record.line == 1
    assert len(list(drafts)) == 199


def test_synthetic_messages_and_other_lines_are_skipped_and_counted():
    synthetic = line()
    synthetic["message"] = synthetic["message"] | {"model": "<synthetic>"}
    drafts, skipped = translated(synthetic, {"type": "summary"}, {"type": "assistant"}, {"type": "user", "message": {}})
    assert drafts == []
    assert skipped == {"<synthetic> messages": 1, "other lines": 3}


def test_ids_of_other_servers_count_within_their_session_only():
    seen = fields(line("chatcmpl-123"))
    assert seen["idempotency_key"] == "claude-code:2ff46cd5-f4e7-4724-bb20-579dae7956ea:chatcmpl-123"
    assert seen["key_from_provider"] is False
    assert "provider" not in seen


def test_a_cost_of_an_old_version_is_taken_as_reported():
    assert fields(line(costUSD=0.0123))["cost_usd"] == Decimal("0.0123")


def test_cache_writes_without_their_lifetimes_live_five_minutes():
    row = line()
    del row["message"]["usage"]["cache_creation"]
    assert (fields(row)["cache_write_tokens"], fields(row)["input_tokens"]) == (50, 154)


def test_fast_mode_is_a_service_tier():
    row = line()
    row["message"]["usage"]["speed"] = "fast"
    assert fields(row)["service_tier"] == "fast"


@pytest.mark.parametrize("folder", ["/home/dev/tenant-library/", r"C:\work\tenant-library"])
def test_the_project_is_the_folder_unless_one_is_given(folder):
    assert fields(line(cwd=folder))["project"] == "tenant-library"
    assert "project" not in fields(line(cwd=folder), folder_is_project=False)


def test_a_message_that_is_being_written_waits_for_the_next_import():
    minute_ago = (NOW - timedelta(minutes=1)).isoformat()
    drafts, skipped = translated(line(stop=None, timestamp=minute_ago))
    assert (drafts, skipped) == ([], {"messages still being written": 1})
    drafts, _ = translated(line(timestamp=minute_ago))
    assert len(drafts) == 1


def test_given_paths_are_laid_over_the_preset():
    assert fields(line(), columns={"agent": "gitBranch"})["agent"] == "main"
    with pytest.raises(UnusableMapping, match="'gitBranh'"):
        fields(line(), columns={"agent": "gitBranh"})


def test_a_line_without_a_time_is_rejected():
    (draft,), _ = translated(line(timestamp=None))
    assert draft.problem.startswith("timestamp is empty, ")


def test_a_csv_file_is_refused():
    with pytest.raises(UnusableMapping, match="JSONL"):
        ClaudeCodeTranslator({}, now=NOW).check(["a"], [])
