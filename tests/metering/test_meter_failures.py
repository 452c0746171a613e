"""What raises and what does not: wrong arguments do, before the call; after it nothing does, and nothing is lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from costtrack.exceptions import InvalidUsage
from costtrack.metering import failures
from costtrack.metering.meter import meter
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db


def rows() -> list[ResourceUsage]:
    return list(ResourceUsage.objects.order_by("id"))


@pytest.fixture
def lost(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines of the log about lost events, after a check that the counter says the same."""
    before = failures()

    def lines() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert failures() - before == len(found)
        return found

    return lines


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"amount": float("nan")}, "amount"),
        ({"idempotency_key": "k" * 256}, "idempotency_key"),
        ({"resource_type": ""}, "resource_type"),
        ({"metadata": [1]}, "metadata"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"occurred_at": "now"}, "occurred_at"),
        ({"entity": "h-1"}, "entity"),
    ],
)
def test_wrong_arguments_raise_before_the_call(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidUsage) as refused:
        meter("chat", **arguments)
    assert refused.value.field == field
    with pytest.raises(TypeError, match=r"meter\(\).*'projekt'"):
        meter("chat", projekt="x")  # type: ignore[call-arg]


def test_absurd_figures_of_a_provider_never_raise_and_never_cost_nothing() -> None:
    make_rate()
    with meter(provider="openai", model="test-model") as call:
        call.set_usage(input_tokens=-1, output_tokens=float("nan"), cost_usd="lots", model="test-model")
        call.add_metadata(["no", "mapping"])
        call.add_metadata(circle=call)
        call.set_amount(object())
    [row] = rows()
    assert (row.usage_missing, row.cost_usd, row.metadata["circle"]) == (True, None, "[Call]")
    fields = {problem.split(":")[0] for problem in row.metadata["_problems"]}
    assert fields == {"metadata", "cost_usd", "input_tokens", "output_tokens", "amount"}


def test_an_unknown_organization_is_logged_with_its_event_and_counted(lost: Callable[[], list[str]]) -> None:
    with meter("chat", model="m", organization="acmee") as call:
        call.set_usage(input_tokens=5)
    assert (call.result, call.results, rows()) == (None, (), [])
    [line] = lost()
    assert "\n" not in line
    event = json.loads(line[line.index("{") :])
    assert (event["attribution"]["organization"], event["tokens"]["input_tokens"]) == ("acmee", 5)


def test_a_conflict_is_reported_and_the_first_stands(lost: Callable[[], list[str]]) -> None:
    for count in (5, 6):
        with meter("chat", model="m", idempotency_key="k") as call:
            call.set_usage(input_tokens=count)
    assert [row.input_tokens for row in rows()] == [5]
    assert call.result is None
    [line] = lost()
    assert "conflict" in line


@pytest.mark.parametrize("table", ['FROM "costtrack_organization"', "costtrack_usagekey"])
def test_a_failing_database_breaks_neither_the_caller_nor_his_transaction(
    table: str, lost: Callable[[], list[str]]
) -> None:
    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if table in sql:
            with connection.wrap_database_errors:
                context["cursor"].cursor.execute("SELECT * FROM no_such_table")
        return execute(sql, params, many, context)

    with transaction.atomic():
        make_organization("before")
        with connection.execute_wrapper(refuse), meter("chat", model="m") as call:
            call.set_usage(input_tokens=5)
        make_organization("after")
    assert call.result is None
    [line] = lost()
    assert "no_such_table" in line
    with meter("chat", model="m") as call:
        call.set_usage(input_tokens=5)
    assert len(rows()) == 1
