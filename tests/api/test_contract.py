"""That answers which break the contract are found out."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import JsonResponse
from django.test import Client
from jsonschema import ValidationError

from tests.api.callers import ROOT, person
from tests.api.contract import check_answer
from tests.factories import make_organization

TREND = [{"date": "2026-11-20", "cost": "0.0045"}]


def check(data: Any, *, path: str = "trend", status: int = 200, **headers: str) -> None:
    told = {"X-Request-ID": "a1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    check_answer(ROOT + path, "GET", JsonResponse(data, status=status, safe=False, headers=told))


def test_an_answer_that_is_as_the_contract_says_passes() -> None:
    check(TREND)
    check([{"date": "2026-11-20", "cost": None}])


@pytest.mark.parametrize(
    "day",
    [
        {"date": "2026-11-20", "cost": 0.0045},
        {"date": "2026-11-20", "cost": "4.5E-3"},
        {"date": "2026-11-20", "cost": "0.00450"},
        {"date": "2026-11-20"},
        {"date": "2026-11-20", "cost": "1", "calls": 1},
        {"date": "20 November", "cost": "1"},
        {"date": None, "cost": "1"},
    ],
)
def test_a_value_that_it_does_not_say_is_found(day: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check([day])


def test_a_status_a_header_and_a_media_type_that_it_does_not_say_are_found() -> None:
    with pytest.raises(AssertionError, match="trend: 418 is not described"):
        check(TREND, status=418)
    with pytest.raises(AssertionError, match="without Costtrack-Unpriced-Calls"):
        check({}, path="daily")
    with pytest.raises(AssertionError, match="400 is application/json"):
        check({}, status=400)


@pytest.mark.django_db
def test_every_answer_that_a_test_gets_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    client: Client = person(roles={make_organization(): "viewer"})
    monkeypatch.setattr("costtrack.api.views.trend_shape", lambda days: [{"date": "2026-11-20", "cost": 1}])
    with pytest.raises(ValidationError):
        client.get(ROOT + "trend")
