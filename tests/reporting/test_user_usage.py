from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costtrack.domain.periods import DayRange
from costtrack.reporting.user_usage import user_usage
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db

NOVEMBER = DayRange(date(2023, 11, 1), date(2023, 12, 1))


def test_a_user_s_usage_is_what_names_that_user() -> None:
    acme, globex = organization(), organization("globex")
    book(acme, "1", user="7", day=date(2023, 11, 1))
    book(acme, "2", user="7", model="claude", day=date(2023, 11, 30))
    book(acme, "4", user="70")
    book(acme, "8")
    book(acme, "16", user="7", day=date(2023, 12, 1))
    book(globex, "32", user="7")
    taken_back = book(acme, "64", user="7", day=date(2023, 11, 1))
    book(acme, "-64", user="7", day=date(2023, 11, 1), kind="void", corrects=taken_back, calls=-1)
    found = user_usage("7", NOVEMBER, organizations=[acme])
    assert found.figures.cost_usd == Decimal(3)  # 1 + 2 + 64 - 64
    assert {day: one.cost_usd for day, one in found.by_day.items()} == {
        date(2023, 11, 1): Decimal(1),
        date(2023, 11, 30): Decimal(2),
    }
    assert [(line.name, line.figures.cost_usd) for line in found.by_model] == [
        ("claude", Decimal(2)),
        ("gpt-4", Decimal(1)),
    ]
    assert [one.cost_usd for one in found.days_in(DayRange(date(2023, 11, 29), date(2023, 12, 1)))] == [0, 2]


def test_nobody_has_used_nothing() -> None:
    acme = organization()
    book(acme, "8")
    found = user_usage("", NOVEMBER, organizations=[acme])
    assert (found.figures.calls, found.by_model) == (0, ())
