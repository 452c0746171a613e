from __future__ import annotations

from datetime import date

import pytest

from costtrack.aggregation import fold_pending
from costtrack.domain.periods import DayRange
from costtrack.models import Organization
from costtrack.reporting import unpriced
from costtrack.reporting.unpriced import UnpricedUsage, unpriced_usage
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db

NOVEMBER = DayRange(date(2023, 11, 1), date(2023, 12, 1))


@pytest.fixture
def acme(db: None) -> Organization:
    return organization()


@pytest.mark.parametrize("folded", [False, True])
def test_what_has_no_price_is_told_with_its_last_day(acme: Organization, folded: bool) -> None:
    book(acme, "1")
    book(acme, None, model="rare", provider="vllm", day=date(2023, 11, 3))
    book(acme, None, model="often", provider="vllm", day=date(2023, 11, 4))
    book(acme, None, model="often", provider="vllm", day=date(2023, 11, 5))
    book(acme, "2", model="often", provider="vllm", day=date(2023, 11, 9))  # priced meanwhile
    book(acme, None, model="", provider="pubmed", resource_type="api_call", day=date(2023, 11, 6))
    book(acme, None, model="before", day=date(2023, 10, 31))
    if folded:
        fold_pending()
    found = unpriced_usage(NOVEMBER, organizations=[acme])
    assert (found.calls, found.unpriced_calls, found.others) == (6, 4, 0)

    def line(provider: str, model: str, calls: int, day: int, kind: str = "llm_tokens") -> UnpricedUsage:
        last = date(2023, 11, day)
        return UnpricedUsage(provider=provider, model=model, resource_type=kind, unpriced_calls=calls, last_day=last)

    assert found.models == (
        line("vllm", "often", 2, 5),
        line("pubmed", "", 1, 6, "api_call"),
        line("vllm", "rare", 1, 3),
    )


def test_a_price_that_came_later_is_one(acme: Organization) -> None:
    row = book(acme, None, model="late")
    book(acme, "3", model="late", kind="adjustment", corrects=row, calls=0, unpriced_calls=-1, cost_source="reported")
    found = unpriced_usage(NOVEMBER)
    assert (found.calls, found.unpriced_calls, found.models) == (1, 0, ())


def test_another_organization_s_are_not_told(acme: Organization) -> None:
    book(organization("globex"), None)
    found = unpriced_usage(NOVEMBER, organizations=[acme])
    assert (found.calls, found.unpriced_calls, found.models) == (0, 0, ())


def test_of_very_many_the_first_are_told_and_how_many_more(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpriced, "MODELS_SHOWN", 2)
    for name in "abcd":
        book(acme, None, model=name)
    found = unpriced_usage(NOVEMBER)
    assert ([one.model for one in found.models], found.others) == (["a", "b"], 2)
