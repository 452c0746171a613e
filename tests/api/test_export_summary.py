from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from costtrack.metering.ledger import record_events
from costtrack.models import Organization
from tests.api.callers import ROOT, person
from tests.api.exporting import read_csv, read_parquet
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db
QUESTION = {"from": "2026-11-19", "to": "2026-11-21", "group_by": "model", "granularity": "day", "limit": "1"}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    """Two calls of test-model on the 20th, 0.009 USD; one of =cheap, 0.001; one without a price."""
    make_rate()
    organization = make_organization()
    record_events([make_event(), make_event(), make_event(model="=cheap", reported_cost_usd=Decimal("0.001"))])
    record_events([make_event(model="unheard-of")])
    return organization


def test_a_summary_is_exported_a_row_for_each_group_of_each_day(acme: Organization) -> None:
    client = person(roles={acme: "viewer"})
    asked = {**QUESTION, "limit": "2"}
    rows = read_csv(client, f"{ROOT}summary", **asked)
    assert [
        (row["start"], row["end"], row["model"], row["cost"], row["calls"], row["unpriced_calls"]) for row in rows
    ] == [
        ("2026-11-19", "2026-11-20", "test-model", "0", "0", "0"),
        ("2026-11-19", "2026-11-20", "'=cheap", "0", "0", "0"),
        ("2026-11-19", "2026-11-20", "", "0", "0", "0"),
        ("2026-11-20", "2026-11-21", "test-model", "0.009", "2", "0"),
        ("2026-11-20", "2026-11-21", "'=cheap", "0.001", "1", "0"),
        ("2026-11-20", "2026-11-21", "", "", "1", "1"),
    ]


def test_in_parquet_it_has_the_same_rows_with_types(acme: Organization) -> None:
    rows = read_parquet(person(roles={acme: "viewer"}), f"{ROOT}summary", **QUESTION)
    told = [(row["start"], row["model"], row["cost"], row["calls"]) for row in rows if row["calls"]]
    assert told == [
        (date(2026, 11, 20), "test-model", Decimal("0.009"), 2),
        (date(2026, 11, 20), None, Decimal("0.001"), 2),
    ]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_tells_how_many_calls_have_no_price_and_is_named(acme: Organization, form: str) -> None:
    answer: Any = person(roles={acme: "viewer"}).get(f"{ROOT}summary", {**QUESTION, "format": form})
    assert b"test-model" in answer.getvalue()
    assert answer["Costtrack-Unpriced-Calls"] == "1"
    assert answer["Content-Disposition"] == f'attachment; filename="costtrack-summary-acme-2026-11-20.{form}"'
    assert "ETag" not in answer


def test_the_figures_that_are_asked_for_are_the_columns(acme: Organization) -> None:
    rows = read_csv(person(roles={acme: "viewer"}), f"{ROOT}summary", figures="calls,cost", **{"from": "2026-11-01"})
    assert rows == [{"start": "2026-11-01", "end": "2026-11-21", "calls": "4", "cost": "0.01"}]


def test_a_bad_question_is_a_problem_in_every_format(acme: Organization) -> None:
    for form in ("csv", "parquet"):
        answer = person(form, roles={acme: "viewer"}).get(f"{ROOT}summary", {"format": form, "granularity": "x"})
        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
