"""Finished message batches of Anthropic: every request is a row, at the batch tier, once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anthropic
import pytest
from asgiref.sync import async_to_sync

from costtrack.exceptions import InvalidUsage
from costtrack.integrations.anthropic import record_batch, record_batch_async
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import json_answer, json_lines
from tests.integrations.wire.anthropic_bodies import MESSAGE_ID, error, message, usage
from tests.integrations.wire.server import Wire

pytestmark = pytest.mark.django_db

BATCH = "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"


def batch(wire: Wire, **more: Any) -> dict[str, Any]:
    return {
        "id": BATCH,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 1},
        "ended_at": "2026-11-06T12:00:00Z",
        "created_at": "2026-11-06T11:00:00Z",
        "expires_at": "2026-11-07T11:00:00Z",
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"{wire.url}/v1/messages/batches/{BATCH}/results",
        **more,
    }


@pytest.fixture
def served(wire: Wire) -> Wire:
    make_organization("default")
    make_rate("claude-test", "anthropic")
    make_rate("claude-test", "anthropic", per_million=("1.5", "7.5"), service_tier="batch")
    wire.gives_at(f"/v1/messages/batches/{BATCH}", json_answer(batch(wire)))
    answers = [
        {"type": "succeeded", "message": message({**usage(), "service_tier": "batch"})},
        {"type": "errored", "error": error("invalid_request_error", "No such model.")},
        {"type": "expired"},
    ]
    lines = [{"custom_id": str(number), "result": answer} for number, answer in enumerate(answers, start=1)]
    wire.gives_at(f"/v1/messages/batches/{BATCH}/results", json_lines(lines))
    return wire


def check_rows() -> None:
    rows = sorted(ResourceUsage.objects.all(), key=lambda row: str(row.metadata["custom_id"]))
    # 1000 x 1.5 + 100 x 7.5 = 2,250 per million; what failed costs nothing
    assert [(row.outcome, row.service_tier, row.cost_usd, row.error_message) for row in rows] == [
        ("success", "batch", Decimal("0.00225"), ""),
        ("error", "batch", 0, "invalid_request_error: No such model."),
        ("error", "batch", 0, "expired"),
    ]
    assert rows[0].idempotency_key == f"anthropic:{MESSAGE_ID}"
    assert rows[2].idempotency_key == f"anthropic:{BATCH}:3"
    assert {row.occurred_at for row in rows} == {datetime(2026, 11, 6, 12, tzinfo=UTC)}


def test_a_finished_batch_is_recorded_once_at_the_batch_tier(served: Wire) -> None:
    client = anthropic.Anthropic(api_key="test", base_url=served.url)
    assert [row.status for row in record_batch(client, BATCH)] == ["recorded"] * 3
    assert [row.status for row in record_batch(client, BATCH)] == ["duplicate"] * 3
    check_rows()


def test_an_async_client_records_the_same(served: Wire) -> None:
    async def main() -> None:
        async with anthropic.AsyncAnthropic(api_key="test", base_url=served.url) as client:
            await record_batch_async(client, BATCH)

    async_to_sync(main)()
    check_rows()


def test_a_batch_that_is_under_way_is_not_recorded(wire: Wire) -> None:
    under_way = batch(wire, processing_status="in_progress", ended_at=None, results_url=None)
    wire.gives(json_answer(under_way))
    with pytest.raises(InvalidUsage, match=r"in_progress.*has ended"):
        record_batch(anthropic.Anthropic(api_key="test", base_url=wire.url), BATCH)
