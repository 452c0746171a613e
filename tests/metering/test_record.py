"""record_usage and record_api_call: figures in, the event with its cost out, or a typed error and nothing stored."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from costtrack.domain.events import CostSource
from costtrack.domain.tokens import TokenUsage
from costtrack.exceptions import IdempotencyConflict, InvalidUsage, UnknownOrganization
from costtrack.metering.context import attribute
from costtrack.metering.meter import meter
from costtrack.metering.record import record_api_call, record_usage
from costtrack.models import ResourceUsage, UsageKey
from costtrack.testing import capture_usage
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_recording_returns_the_event_with_its_cost() -> None:
    make_rate()
    usage = record_usage(
        model="test-model",
        provider="openai",
        input_tokens=1000,
        output_tokens=500,
        latency_ms=820,
        thread_id="t-1",
        agent="writer",
        occurred_at=NOON,
        metadata={"temperature": 0.2},
    )
    # 1000 x 3 + 500 x 15 = 10,500 per million.
    assert (usage.cost_usd, usage.cost_source, usage.status) == (Decimal("0.0105"), CostSource.ESTIMATED, "recorded")
    assert (usage.day, usage.event.tokens.total_tokens) == (date(2026, 11, 20), 1500)
    row = ResourceUsage.objects.get(id=usage.usage_id)
    assert (row.cost_usd, row.latency_ms, row.thread_id) == (Decimal("0.0105"), 820, "t-1")
    assert row.agent is not None
    assert (row.agent.slug, row.agent.project.slug) == ("writer", "default")


def test_a_reported_cost_wins_over_the_rate() -> None:
    make_rate()
    usage = record_usage(model="test-model", provider="openai", tokens=TokenUsage(input_tokens=9), cost_usd=0.1)
    assert (usage.cost_usd, usage.cost_source) == (Decimal("0.1"), CostSource.REPORTED)


def test_zeros_are_said_and_not_left_out() -> None:
    """A free call is not unpriced, a job of no length is no error, and 0 is a key."""
    make_rate()
    usage = record_usage(
        model="test-model",
        provider="openai",
        input_tokens=0,
        output_tokens=0,
        reasoning_tokens=0,
        latency_ms=0,
        cost_usd=0,
        idempotency_key=0,
        saving_usd=0,
    )
    assert (usage.cost_usd, usage.cost_source) == (0, CostSource.REPORTED)
    assert (usage.event.idempotency_key, usage.event.latency_ms, usage.event.usage_missing) == ("0", 0, False)
    job = record_usage(resource_type="gpu_seconds", amount=0)
    assert (job.event.amount, job.event.usage_missing) == (0, False)
    with pytest.raises(InvalidUsage, match="resource_type"):
        record_usage(resource_type="", input_tokens=1)


def test_an_unknown_model_is_unpriced_never_free() -> None:
    for model in ("", "*", "../../x", "no-such-model", "m" * 5000):
        usage = record_usage(model=model, input_tokens=10)
        assert (usage.cost_usd, usage.cost_source) == (None, CostSource.UNPRICED)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"input_tokens": math.nan}, "input_tokens"),
        ({"input_tokens": -1}, "input_tokens"),
        ({"cost_usd": math.inf}, "cost_usd"),
        ({"cost_usd": 10**12}, "cost_usd"),
        ({"resource_type": "gpu_seconds", "amount": Decimal("-0.01")}, "amount"),
        ({"occurred_at": datetime(2026, 11, 20)}, "occurred_at"),
        ({"metadata": "text"}, "metadata"),
    ],
)
def test_a_bad_figure_is_a_typed_error_and_nothing_is_stored(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidUsage) as refused:
        record_usage(model="m", **fields)
    assert refused.value.field == field
    assert (ResourceUsage.objects.count(), UsageKey.objects.count()) == (0, 0)


@pytest.mark.parametrize("fields", [{}, {"model": " ", "latency_ms": 250, "endpoint": "chat", "idempotency_key": "k"}])
def test_usage_that_says_nothing_is_an_error_and_a_block_that_saw_nothing_is_kept(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidUsage, match=r"^event: got 'nothing that was used', expected at least one of model, "):
        record_usage(**fields)
    assert (ResourceUsage.objects.count(), UsageKey.objects.count()) == (0, 0)
    with meter("chat"):
        pass
    row = ResourceUsage.objects.get()
    assert (row.usage_missing, row.unpriced_calls) == (True, 1)


def test_tokens_are_given_once() -> None:
    with pytest.raises(TypeError, match="not both"):
        record_usage(model="m", tokens=TokenUsage(input_tokens=1), input_tokens=1)


def test_an_unknown_organization_is_an_error_and_is_not_created() -> None:
    with pytest.raises(UnknownOrganization, match="'acmee'"):
        record_usage(model="m", input_tokens=1, organization="acmee", project="p")
    assert ResourceUsage.objects.count() == 0


def test_an_organization_instance_stands_for_its_slug() -> None:
    acme = make_organization("acme", name="Acme Inc.")
    record_usage(model="m", input_tokens=1, organization=acme, entity=acme)
    row = ResourceUsage.objects.get()
    assert (row.organization_id, row.entity_type, row.entity_id) == (acme.id, "costtrack.organization", str(acme.pk))


def test_the_same_key_is_charged_once_and_other_usage_under_it_is_a_conflict() -> None:
    make_rate()
    first = record_usage(model="test-model", provider="openai", input_tokens=1000, idempotency_key="k")
    again = record_usage(model="test-model", provider="openai", input_tokens=1000, idempotency_key="k", latency_ms=9)
    assert (again.status, again.usage_id, again.cost_usd) == ("duplicate", first.usage_id, Decimal("0.003"))
    with pytest.raises(IdempotencyConflict, match="'k'"):
        record_usage(model="test-model", provider="openai", input_tokens=1001, idempotency_key="k")
    make_organization("acme")
    other = record_usage(
        model="test-model", provider="openai", input_tokens=7, idempotency_key="k", organization="acme"
    )
    assert other.status == "recorded"
    assert ResourceUsage.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_key_from_eight_threads_at_once_is_one_charge() -> None:
    make_organization("acme")

    def work(_: int) -> tuple[str, int | None]:
        try:
            usage = record_usage(model="m", input_tokens=1, organization="acme", idempotency_key="k")
            return usage.status, usage.usage_id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert sorted(status for status, _ in results) == ["duplicate"] * 7 + ["recorded"]
    assert {usage_id for _, usage_id in results} == {ResourceUsage.objects.get().id}


def test_an_api_call_is_billed_per_success() -> None:
    make_rate("*", "pubmed", per_million=("0", "0"), resource_type="api_call", unit_price_usd=Decimal("0.01"))
    with attribute(entity=("hypothesis", "h-1")):
        done = record_api_call("pubmed", latency_ms=120)
        failed = record_api_call("pubmed", error=TimeoutError("too slow"), cost_usd="0.01")
        also_failed = record_api_call("pubmed", success=False, amount=3)
    assert [usage.cost_usd for usage in (done, failed, also_failed)] == [Decimal("0.01"), Decimal(0), Decimal(0)]
    rows = ResourceUsage.objects.order_by("id")
    assert [(row.amount, row.errors, row.error_type) for row in rows] == [
        (1, 0, ""),
        (0, 1, "TimeoutError"),
        (0, 1, ""),
    ]
    assert {(row.resource_type, row.provider, row.entity_id) for row in rows} == {("api_call", "pubmed", "h-1")}


@pytest.mark.parametrize("name", ["", " ", "\n\x00", None])
def test_a_tool_has_a_name(name: Any) -> None:
    with pytest.raises(
        InvalidUsage, match=r'^name: got .*, expected the name of a tool or API: record_api_call\("pubmed"'
    ):
        record_api_call(name)
    assert ResourceUsage.objects.count() == 0


@pytest.mark.parametrize("value", ["false", "true", "", 0, 1, None])
def test_success_is_true_or_false_and_nothing_that_only_counts_as_one(value: Any) -> None:
    for record in (lambda: record_api_call("pubmed", success=value), lambda: record_usage(model="m", success=value)):
        with pytest.raises(InvalidUsage, match=r"^success: got .*, expected True or False\."):
            record()
    with pytest.raises(InvalidUsage, match=r"^success"):
        record_api_call("pubmed", success=value, error="Timeout")
    assert ResourceUsage.objects.count() == 0


def test_an_estimate_is_flagged_by_true_and_by_nothing_that_only_counts_as_true() -> None:
    with pytest.raises(InvalidUsage, match=r"^is_estimated: got 'false', expected True or False\."):
        record_usage(model="m", input_tokens=1, is_estimated="false")  # type: ignore[arg-type]
    with meter("chat", model="m") as call:
        call.set_usage(input_tokens=1, output_tokens=1, is_estimated="false")  # type: ignore[arg-type]
    row = ResourceUsage.objects.get()
    assert (row.is_estimated, row.metadata["_problems"]) == (
        False,
        ["is_estimated: got 'false', expected True or False."],
    )


def test_a_gpu_job_is_recorded_by_its_seconds_for_an_entity() -> None:
    make_rate("a100", "runpod", per_million=("0", "0"), resource_type="gpu_seconds", unit_price_usd=Decimal("0.0005"))
    usage = record_usage(
        provider="runpod", model="a100", resource_type="gpu_seconds", amount="90.5", entity=("analysis", 12)
    )
    # 90.5 x 0.0005
    assert (usage.cost_usd, usage.event.attribution.entity_id) == (Decimal("0.04525"), "12")


def test_captured_usage_is_everything_that_is_metered_and_the_ledger_gets_nothing() -> None:
    with capture_usage() as log:
        usage = record_usage(model="gpt-4o", input_tokens=3, cost_usd="0.25", metadata={"temperature": 1})
        with meter("chat", model="gpt-4o") as call:
            call.set_usage(input_tokens=4)
    assert (usage.status, usage.usage_id, usage.cost_usd) == ("recorded", None, Decimal("0.25"))
    assert [event.tokens.input_tokens for event in log] == [3, 4]
    assert (log[-1].attribution.endpoint, len(log), call.result is not None) == ("chat", 2, True)
    assert ResourceUsage.objects.count() == 0
    record_usage(model="gpt-4o", input_tokens=3)
    assert (len(log), ResourceUsage.objects.count()) == (2, 1)


def test_half_told_usage_is_booked_and_flagged_not_silently_too_low() -> None:
    make_rate()
    usage = record_usage(model="test-model", provider="openai", output_tokens=100)
    # 100 x 15 per million, and the input on top of that, which nobody knows.
    assert (usage.cost_usd, usage.cost_source) == (Decimal("0.0015"), CostSource.ESTIMATED)
    with meter("chat", model="test-model", provider="openai") as call:
        call.set_usage(output_tokens=100)
    with meter("chat", model="test-model", provider="openai") as call:
        call.observe({"model": "test-model", "usage": {"total_tokens": 100}})
    rows = ResourceUsage.objects.order_by("id")
    assert [(row.input_tokens, row.output_tokens, row.is_estimated) for row in rows] == [
        (0, 100, True),
        (0, 100, True),
        (100, 0, True),
    ]
    missing = ["the input count is missing, taken as 0"]
    total = ["only total_tokens is told: all of it is taken as input"]
    assert [row.metadata["_problems"] for row in rows] == [missing, missing, total]


def test_a_total_has_no_price_and_is_not_taken_for_an_output() -> None:
    with pytest.raises(TypeError, match="A total has no price: give input_tokens and output_tokens"):
        record_usage(model="gpt-4o", total_tokens=1)  # type: ignore[call-arg]


def test_a_mistyped_argument_is_named_with_the_right_one() -> None:
    with pytest.raises(TypeError, match="Did you mean 'input_tokens'"):
        record_usage(model="gpt-4o", input_token=1)  # type: ignore[call-arg]
