"""The proof of the proof: with one line of the fold broken, verify sees it, whatever the line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costtrack.aggregation import fold, fold_pending, verify_books
from costtrack.aggregation.sql import SUMMARY_TABLE, insert_grain
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary
from costtrack.models.summaries import AGENT_DIMENSIONS, GRAINS, SUMS
from tests.factories import make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


def book_some() -> None:
    """Usage that makes every sum more than 0."""
    record_events(
        [
            make_event(
                cache_read_tokens=1,
                cache_write_tokens=2,
                cache_write_1h_tokens=3,
                input_audio_tokens=4,
                output_audio_tokens=5,
                reasoning_tokens=6,
                outcome="error",
                saving_usd=Decimal("0.01"),
            ),
            make_event(reported_cost_usd=Decimal("0.02")),
            make_event(model="unknown"),
        ]
    )


def fold_twice() -> None:
    make_rate()
    make_organization()
    for _ in range(2):
        book_some()
        fold_pending()


def test_every_sum_takes_part() -> None:
    fold_twice()
    assert verify_books() == []
    totals = {name: sum(getattr(row, name) for row in DailyCostSummary.objects.all()) for name in SUMS}
    assert all(total > 0 for total in totals.values()), totals


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("name", SUMS)
def test_a_sum_that_is_not_added_is_seen(name: str, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(vendor: str, of_grain: str, *rest: Any) -> str:
        sql = insert_grain(vendor, of_grain, *rest)
        addition = f"{name} = {SUMMARY_TABLE}.{name} + excluded.{name}"
        assert addition in sql
        return sql.replace(addition, f"{name} = {SUMMARY_TABLE}.{name}") if of_grain == grain else sql

    monkeypatch.setattr(fold, "insert_grain", broken)
    fold_twice()
    assert {difference.grain for difference in verify_books()} == {grain}


@pytest.mark.parametrize("name", [name for name in AGENT_DIMENSIONS if name not in ("organization_id", "day")])
def test_a_dimension_that_the_hash_forgets_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_rate()
    make_rate("other")
    make_rate("other", "other")
    make_organization()

    def forgetful(vendor: str, *rest: Any) -> str:
        sql = insert_grain(vendor, *rest)
        assert (f"coalesce(CAST({name} AS text), '')" in sql) == (name in GRAINS[rest[0]])
        return sql.replace(f"coalesce(CAST({name} AS text), '')", "''")

    monkeypatch.setattr(fold, "insert_grain", forgetful)
    differing: dict[str, dict[str, Any]] = {
        "project_id": {"attribution": {"project": "q"}},
        "agent_id": {"attribution": {"project": "p", "agent": "b"}},
        "provider": {"provider": "other", "model": "other", "attribution": {"project": "p", "agent": "a"}},
        "model": {"model": "other", "attribution": {"project": "p", "agent": "a"}},
        "resource_type": {"resource_type": "api_call", "attribution": {"project": "p", "agent": "a"}},
    }
    other = differing.get(name, {"attribution": {"project": "p", "agent": "a", name: "x"}})
    first = {"model": "other"} if name == "provider" else {}
    record_events([make_event(**{"attribution": {"project": "p", "agent": "a"}, **first})])
    fold_pending()
    record_events([make_event(**other)])
    fold_pending()
    with_it = {grain for grain, dimensions in GRAINS.items() if name in dimensions}
    if name == "project_id":  # the agent differs with it
        with_it.discard("agent")
    assert {difference.grain for difference in verify_books()} == with_it
