"""An invoice beside the books: whose usage, of which provider and days, however far it is folded."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costtrack.aggregation import fold_pending
from costtrack.domain.periods import DayRange
from costtrack.models import Organization
from costtrack.reporting.invoice_file import Invoice
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.reconciliation import invoicing_provider, reconcile_invoice, reconciliation_shape
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db
FIRST, SECOND = date(2023, 11, 1), date(2023, 11, 2)


@pytest.fixture
def acme() -> Organization:
    """Usage of two days: 3.5 USD of gpt-4o, 2 of o1, a call without a price; and what is another's."""
    owner = organization()
    book(owner, "1.25", day=FIRST, provider="openai", model="gpt-4o", endpoint="chat")
    book(owner, "0.75", day=FIRST, provider="openai", model="openai/GPT-4o", endpoint="draft")
    book(owner, "1.5", day=SECOND, provider="openai", model="gpt-4o")
    book(owner, "2", day=SECOND, provider="openai", model="o1")
    book(owner, None, day=SECOND, provider="openai", model="new")
    book(owner, "70", day=SECOND, provider="azure", model="gpt-4o")
    book(owner, "80", day=date(2023, 11, 3), provider="openai", model="gpt-4o")
    book(organization("globex"), "90", day=FIRST, provider="openai", model="gpt-4o")
    return owner


INVOICE = Invoice(
    provider="openai",
    amounts={(FIRST, "gpt-4o"): Decimal("2.00"), (SECOND, "gpt-4o"): Decimal("1.6"), (SECOND, "o3"): Decimal("0.4")},
)


@pytest.mark.parametrize("is_folded", [False, True])
def test_the_books_of_one_organization_and_provider_are_compared(acme: Organization, is_folded: bool) -> None:
    if is_folded:
        fold_pending()
    found = reconcile_invoice(INVOICE, organization=acme)
    assert found.days == DayRange(FIRST, date(2023, 11, 3))
    lines = [
        (line.day, line.model, line.invoiced_usd, line.metered_usd, line.calls, line.unpriced_calls)
        for line in found.found.lines
    ]
    assert lines == [
        (FIRST, "gpt-4o", Decimal("2.00"), Decimal("2.00"), 2, 0),
        (SECOND, "gpt-4o", Decimal("1.6"), Decimal("1.5"), 1, 0),
        (SECOND, "new", None, None, 1, 1),
        (SECOND, "o1", None, Decimal("2"), 1, 0),
        (SECOND, "o3", Decimal("0.4"), None, 0, 0),
    ]
    # 4 - 5.5
    assert found.found.total.difference_usd == Decimal("-1.5")
    assert found.other_providers == ()


def test_a_longer_period_has_what_the_invoice_does_not_name(acme: Organization) -> None:
    days = DayRange(FIRST, date(2023, 11, 4))
    found = reconcile_invoice(INVOICE, organization=acme, days=days)
    last = found.found.lines[-1]
    assert (last.day, last.model, last.metered_usd) == (date(2023, 11, 3), "gpt-4o", Decimal("80"))


def test_a_period_without_a_day_of_the_invoice_is_refused(acme: Organization) -> None:
    with pytest.raises(InvalidParameter, match="date: got '2023-11-02', expected days from 2023-11-01 to 2023-11-01"):
        reconcile_invoice(INVOICE, organization=acme, days=DayRange(FIRST, SECOND))


def test_where_nothing_was_metered_the_providers_that_were_used_are_told(acme: Organization) -> None:
    invoice = Invoice(provider="opnai", amounts=INVOICE.amounts)
    found = reconcile_invoice(invoice, organization=acme)
    assert (found.found.total.metered_usd, found.other_providers) == (None, ("azure", "openai"))


@pytest.mark.parametrize(("text", "provider"), [(" OpenAI ", "openai"), ("bedrock", "aws"), ("my own", "my own")])
def test_a_provider_is_known_by_what_people_call_it(text: str, provider: str) -> None:
    assert invoicing_provider(text) == provider


def test_no_provider_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="provider: got '', expected who sent the invoice"):
        invoicing_provider(" ")


def test_the_shape_has_exact_texts(acme: Organization) -> None:
    shape = reconciliation_shape(reconcile_invoice(INVOICE, organization=acme), zone=acme.zone_history())
    assert shape["total"] == {
        "invoiced_usd": "4",
        "metered_usd": "5.5",
        "difference_usd": "-1.5",
        "difference_percent": "-37.5",
        "calls": 5,
        "unpriced_calls": 1,
    }
    assert (shape["period_start"], shape["period_end"]) == ("2023-11-01T00:00:00+00:00", "2023-11-03T00:00:00+00:00")
    assert shape["days"][2] == {
        "date": "2023-11-02",
        "model": "new",
        "invoiced_usd": None,
        "metered_usd": None,
        "difference_usd": "0",
        "difference_percent": None,
        "calls": 1,
        "unpriced_calls": 1,
    }


@pytest.mark.any_database
def test_an_invoice_to_the_last_decimal_of_the_books_does_not_differ() -> None:
    acme = organization()
    book(acme, "0.782345678951", day=FIRST, provider="openai", model="gpt-4o")
    invoice = Invoice(provider="openai", amounts={(FIRST, "gpt-4o"): Decimal("0.782345678951")})
    found = reconcile_invoice(invoice, organization=acme).found
    assert (found.total.difference_usd, [line.difference_usd for line in found.lines]) == (0, [0])
