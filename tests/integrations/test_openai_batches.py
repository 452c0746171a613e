"""Finished batches of OpenAI: every request of the output and the error file is a row, at the batch tier, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import openai
import pytest
from asgiref.sync import async_to_sync

from costtrack.exceptions import InvalidUsage
from costtrack.integrations.openai import instrument, record_batch, record_batch_async
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import json_answer, json_lines, text_answer
from tests.integrations.wire.openai_bodies import CHAT_ID, chat_completion, embeddings
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget

pytestmark = pytest.mark.django_db


def batch(**more: Any) -> dict[str, Any]:
    return {
        "id": "batch_abc123",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-in",
        "completion_window": "24h",
        "status": "completed",
        "created_at": 1793880000,
        "completed_at": 1793966400,  # 2026-11-06 12:00 UTC
        "output_file_id": "file-out",
        "error_file_id": "file-err",
        **more,
    }


def line(custom_id: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = {"status_code": status, "request_id": f"req_{custom_id}", "body": body}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": answer, "error": None}


@pytest.fixture
def served(wire: Wire) -> Wire:
    """Two chats and an embedding that were answered; one chat that was not, and one that the provider refused."""
    make_rate("gpt-test")
    make_rate("gpt-test", per_million=("1.5", "7.5"), service_tier="batch")
    make_rate("embed-test", per_million=("0.01", "0"), service_tier="batch")
    expired = {
        "id": "batch_req_4",
        "custom_id": "4",
        "response": None,
        "error": {"code": "batch_expired", "message": "This request could not be executed in time."},
    }
    refused = line("5", {"error": {"message": "Unknown parameter.", "type": "invalid_request_error"}}, 400)
    chats = [chat_completion(response_id=f"{CHAT_ID}{number}") for number in (1, 2)]
    wire.gives_at("/batches/batch_abc123", json_answer(batch()))
    results = [line("1", chats[0]), line("2", chats[1]), line("3", embeddings(1000))]
    wire.gives_at("/files/file-out/content", json_lines(results))
    wire.gives_at("/files/file-err/content", json_lines([expired, refused]))
    return wire


def rows() -> list[ResourceUsage]:
    return sorted(ResourceUsage.objects.all(), key=lambda row: str(row.metadata["custom_id"]))


def figures() -> list[tuple[Any, ...]]:
    return [(row.outcome, row.service_tier, row.cost_usd) for row in rows()]


EXPECTED = [
    *[("success", "batch", Decimal("0.00225"))] * 2,  # 1000 x 1.5 + 100 x 7.5 = 2,250 per million
    ("success", "batch", Decimal("0.00001")),  # 1000 x 0.01
    *[("error", "batch", Decimal(0))] * 2,
]


def test_a_finished_batch_is_recorded_once_at_the_batch_tier_and_never_refused(served: Wire) -> None:
    organization = make_organization()
    client = instrument(openai.OpenAI(api_key="test", base_url=served.url))
    make_budget(organization, "0")
    said: Any = {"provider": "openai", "organization": "acme", "endpoint": "nightly"}
    recorded = record_batch(client, "batch_abc123", **said)
    again = record_batch(client, "batch_abc123", **said)
    assert figures() == EXPECTED
    assert [row.status for row in recorded] == ["recorded"] * 5
    assert [row.status for row in again] == ["duplicate"] * 5
    first, *_, expired, refused = rows()
    assert (first.endpoint, first.latency_ms, first.idempotency_key) == ("nightly", None, f"openai:{CHAT_ID}1")
    assert first.occurred_at == datetime(2026, 11, 6, 12, tzinfo=UTC)
    assert first.metadata == {"batch_id": "batch_abc123", "custom_id": "1", "finish_reason": "stop"}
    assert expired.error_message == "batch_expired: This request could not be executed in time."
    assert refused.error_message == "invalid_request_error: Unknown parameter."


def test_an_async_client_records_the_same(served: Wire) -> None:
    make_organization("default")

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="test", base_url=served.url) as client:
            assert len(await record_batch_async(client, "batch_abc123")) == 5

    async_to_sync(main)()
    assert figures() == EXPECTED


def test_a_batch_that_is_under_way_is_not_recorded(wire: Wire) -> None:
    wire.gives(json_answer(batch(status="in_progress", completed_at=None)))
    with pytest.raises(InvalidUsage, match=r"batch_abc123 \(in_progress\)'.*completed"):
        record_batch(openai.OpenAI(api_key="test", base_url=wire.url), "batch_abc123")


def test_a_result_whose_text_has_separators_of_lines_is_one(wire: Wire) -> None:
    make_organization("default")
    make_rate("gpt-test", per_million=("1.5", "7.5"), service_tier="batch")
    told = line("1", chat_completion(content="one\u2028two\x85three"))
    wire.gives_at("/batches/batch_abc123", json_answer(batch(error_file_id=None)))
    text = json.dumps(told, ensure_ascii=False)
    wire.gives_at("/files/file-out/content", text_answer(f"{text}\n", content_type="application/octet-stream"))
    with openai.OpenAI(api_key="test", base_url=wire.url) as client:
        record_batch(client, "batch_abc123", provider="openai")
    assert figures() == EXPECTED[:1]
