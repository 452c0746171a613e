"""The picture of a budget, and raising a limit."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.test import Client

from costtrack.admin.budget_bar import budget_bar
from costtrack.models import Budget, BudgetChange, Organization
from tests.admin.rows import changing, listing, page
from tests.budgets.asked import make_budget
from tests.factories import make_organization


def places(limit: str, spent: str, held: str = "0", forecast: str | None = None) -> list[str]:
    """Beginning and width of the three bars, then where the forecast is."""
    said = budget_bar(
        limit=Decimal(limit),
        spent=Decimal(spent),
        held=Decimal(held),
        forecast=None if forecast is None else Decimal(forecast),
    )
    bars = re.findall(r'<rect [^>]*x="(\d+)" y="1" width="(\d+)"', said)
    return [*(f"{x}+{width}" for x, width in bars), *re.findall(r'<line [^>]*x1="(\d+)"', said)]


def test_the_limit_is_at_four_fifths_and_what_is_over_it_is_seen() -> None:
    assert places("10", "5", "2.5", "9") == ["0+128", "0+64", "64+32", "115"]  # 128 x 0.5, 0.25, 0.9
    assert places("10", "11", "1", "100") == ["0+128", "0+140", "140+13", "159"]  # 128 x 1.1 and 1.2; the end
    assert places("10", "-3") == ["0+128", "0+0", "0+0"]
    assert places("0", "0") == ["0+128", "0+128", "128+0"]


@pytest.mark.parametrize(
    ("spent", "held", "state"),
    [("7.9", "0", ""), ("7.9", "0.1", "is-near"), ("9.99", "5", "is-near"), ("10", "0", "is-over")],
)
def test_what_is_near_and_over_is_marked(spent: str, held: str, state: str) -> None:
    said = budget_bar(limit=Decimal(10), spent=Decimal(spent), held=Decimal(held), forecast=None)
    assert re.findall(r'class="costtrack-budget-spent ([a-z-]*)"', said) == [state]


def test_it_says_the_same_in_words_and_without_inline_style() -> None:
    said = budget_bar(limit=Decimal(10), spent=Decimal(5), held=Decimal(1), forecast=Decimal("12.5"))
    words = "50 % spent, 10 % held, 125 % by the end of the period"
    assert f'aria-label="{words}"' in said
    assert f"<title>{words}</title>" in said
    assert "style=" not in said


@pytest.mark.django_db
def test_a_budget_s_own_page_shows_its_period(browser: Client) -> None:
    budget = make_budget(make_organization(), "10")
    assert "0 % spent" in page(browser, changing(budget))


@pytest.fixture
def raised(browser: Client) -> tuple[Budget, Budget]:
    acme = make_organization()
    return make_budget(acme, "10", name="a"), make_budget(acme, None, name="b", period="total")


def act(browser: Client, budgets: tuple[Budget, ...], percent: str) -> str:
    chosen = {"action": "raise_limit", "percent": percent, "_selected_action": [str(one.pk) for one in budgets]}
    answer = browser.post(listing("budget"), chosen, follow=True)
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.mark.django_db
def test_a_limit_is_raised_by_percent_and_the_history_says_so(browser: Client, raised: tuple[Budget, Budget]) -> None:
    assert act(browser, raised, "12.5") == "1 raised."
    assert [budget.limit for budget in Budget.objects.order_by("name")] == [Decimal("11.25"), None]
    change = BudgetChange.objects.filter(budget=raised[0]).latest("changed_at")
    assert (change.before["limit"], change.after["limit"]) == ("10", "11.25")
    assert str(change.changed_by) == "root"


@pytest.mark.django_db
@pytest.mark.parametrize("percent", ["", "0", "-5", "NaN", "abc", "1001", "1e400", "1.234"])
def test_a_wrong_percent_changes_nothing(browser: Client, raised: tuple[Budget, Budget], percent: str) -> None:
    assert act(browser, raised, percent) == "Say by how many percent, from 0.01 to 1,000."
    assert Budget.objects.get(name="a").limit == 10


@pytest.mark.django_db
def test_calls_are_raised_to_the_next_whole_one(browser: Client, acme: Organization) -> None:
    budget = make_budget(acme, "10", metric="calls")
    assert act(browser, (budget,), "12.5") == "1 raised."
    budget.refresh_from_db()
    assert budget.limit == 12  # 11.25


@pytest.mark.django_db
def test_a_third_of_a_nano_dollar_is_rounded_half_even(browser: Client, acme: Organization) -> None:
    budget = make_budget(acme, "0.000000000005")
    act(browser, (budget,), "10")
    budget.refresh_from_db()
    assert budget.limit == Decimal("0.000000000006")  # 0.0000000000055, to the even one
