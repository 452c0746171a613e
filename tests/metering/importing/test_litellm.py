"""LiteLLM spend logs, as its table LiteLLM_SpendLogs exports them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from costtrack.metering.importing.csv_records import CsvRecords
from costtrack.metering.importing.errors import UnusableMapping
from costtrack.metering.importing.json_records import JsonRecords
from costtrack.metering.importing.litellm import LiteLLMTranslator
from costtrack.metering.importing.source import Source

ROW = {
    "request_id": "chatcmpl-2283081b-dc89-41f6-93e6-d4f914774027",
    "call_type": "acompletion",
    "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    "spend": 0.000225,
    "total_tokens": 30,
    "prompt_tokens": 10,
    "completion_tokens": 20,
    "startTime": "2025-01-24 09:20:46.847371",
    "endTime": "2025-01-24 09:20:48.097",
    "model": "gpt-4o",
    "model_group": "smart",
    "custom_llm_provider": "openai",
    "user": "u-7",
    "end_user": "customer-9",
    "team_id": "team-1",
    "cache_hit": "None",
    "request_tags": '["jobID:214590", "beta"]',
    "session_id": "s-1",
    "status": "success",
    "metadata": "{}",
    "messages": '{"role": "user", "content": "a prompt"}',
    "response": {"choices": "an answer", "usage": {"prompt_tokens": 999}},
}


def drafts(*rows: dict, columns=None):
    content = b"\n".join(orjson.dumps(row) for row in rows)
    sample = list(JsonRecords(Source(io.BytesIO(content), name="spend.jsonl")))
    translator = LiteLLMTranslator(columns or {})
    translator.check(None, sample)
    return list(translator.drafts(sample))


def fields(**changes) -> dict:
    (draft,) = drafts(ROW | changes)
    assert draft.problem == ""
    return draft.fields


def test_a_row_becomes_a_call_with_the_cost_that_litellm_reported():
    seen = fields()
    metadata = seen.pop("metadata")
    assert seen == {
        "idempotency_key": "litellm:chatcmpl-2283081b-dc89-41f6-93e6-d4f914774027",
        "key_from_provider": True,
        "occurred_at": datetime(2025, 1, 24, 9, 20, 46, 847371, UTC),
        "latency_ms": 1250,
        "gateway": "litellm",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 10,
        "output_tokens": 20,
        "cost_usd": Decimal("0.000225000000"),
        "customer": "customer-9",
        "user": "u-7",
        "thread_id": "s-1",
        "request_id": "chatcmpl-2283081b-dc89-41f6-93e6-d4f914774027",
        "tags": {"jobID": "214590", "beta": "true"},
    }
    assert metadata == {"call_type": "acompletion", "model_group": "smart", "team_id": "team-1", "cache_hit": "None"}


def test_prompts_responses_and_keys_are_never_kept():
    text = str(fields())
    assert "a prompt" not in text
    assert "an answer" not in text
    assert ROW["api_key"] not in text


def test_a_csv_export_reads_the_same():
    names = [name for name in ROW if name not in ("messages", "response")]
    cells = ['"{}"'.format(str(ROW[name]).replace('"', '""')) for name in names]
    records = CsvRecords(Source(io.BytesIO(f"{','.join(names)}\n{','.join(cells)}\n".encode()), name="spend.csv"))
    sample = list(records)
    translator = LiteLLMTranslator({})
    translator.check(records.columns, sample)
    (draft,) = translator.drafts(sample)
    assert draft.fields == fields()


def test_cached_tokens_come_from_the_usage_in_the_metadata():
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "completion_tokens_details": {"reasoning_tokens": 30},
        "prompt_tokens_details": {"cached_tokens": 600},
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 600,
    }
    seen = fields(prompt_tokens=1000, completion_tokens=50, metadata={"usage_object": usage})
    assert seen["input_tokens"] == 1000
    assert (seen["cache_read_tokens"], seen["cache_write_tokens"], seen["reasoning_tokens"]) == (600, 300, 30)


def test_a_cache_that_the_prompt_tokens_leave_out_is_added_to_them():
    # 10 + 600 read + 300 written, 200 of them for an hour = 910.
    more = {
        "cache_read_input_tokens": 600,
        "cache_creation_input_tokens": 300,
        "prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 200}},
    }
    seen = fields(metadata=orjson.dumps({"additional_usage_values": more}).decode())
    assert seen["input_tokens"] == 910
    assert (seen["cache_write_tokens"], seen["cache_write_1h_tokens"]) == (100, 200)


def test_a_spend_of_zero_for_tokens_is_an_unknown_price_and_no_price():
    assert "cost_usd" not in fields(spend=0)
    assert "cost_usd" not in fields(spend="")


@pytest.mark.parametrize(
    "changes",
    [{"cache_hit": "True"}, {"status": "failure"}, {"prompt_tokens": 0, "completion_tokens": 0}],
    ids=["answered from LiteLLM's cache", "failed", "no tokens"],
)
def test_a_spend_of_zero_is_a_cost_of_zero_where_nothing_was_bought(changes):
    assert fields(spend=0, **changes)["cost_usd"] == 0


def test_a_failure_is_an_error_with_its_class():
    seen = fields(status="failure", metadata={"error_information": {"error_class": "RateLimitError"}})
    assert (seen["outcome"], seen["error_type"]) == ("error", "RateLimitError")


def test_a_tool_call_is_an_api_call():
    seen = fields(call_type="call_mcp_tool", spend=0.01, prompt_tokens=0, completion_tokens=0)
    assert (seen["resource_type"], seen["amount"], seen["cost_usd"]) == ("api_call", 1, Decimal("0.01"))


def test_given_columns_are_laid_over_the_preset_also_from_the_metadata():
    (draft,) = drafts(
        ROW | {"metadata": '{"user_api_key_project_alias": "search"}'},
        columns={"project": "metadata.user_api_key_project_alias", "agent": "team_id"},
    )
    assert (draft.fields["project"], draft.fields["agent"]) == ("search", "team-1")


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"request_id": ""}, "request_id"), ({"startTime": None}, "startTime"), ({"spend": -1}, "spend")],
)
def test_a_row_that_cannot_be_is_rejected_by_its_field(changes, field):
    (draft,) = drafts(ROW | changes)
    assert draft.problem.startswith(field)


def test_another_file_is_refused():
    with pytest.raises(UnusableMapping, match="no LiteLLM spend log: it has no request_id, startTime"):
        drafts({"spend": 1, "prompt_tokens": 1, "completion_tokens": 1})
