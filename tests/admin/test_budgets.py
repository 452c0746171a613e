"""Budgets in the admin: every change goes through their one writer, who keeps the history of who it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client

from costtrack.budgets.changes import change_budget
from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetCounter, BudgetThreshold, Hold, Membership, Organization, Project
from tests.admin.rows import adding, changing, deleting, form_of, listing, page
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_rate

pytestmark = pytest.mark.django_db

NEW = {"limit": "12.5", "period": "day", "enforcement": "hard", "name": "October"}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return Organization.objects.create(slug="acme", name="Acme")


def told(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def epoch(organization: Organization) -> int:
    organization.refresh_from_db()
    return organization.budget_epoch


def rows(text: str) -> list[list[str]]:
    """The cells of the list's rows, without markup."""
    body = text[text.index("<tbody>") : text.index("</tbody>")]
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL):
        cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        found.append([re.sub(r"<[^>]+>", "", cell).strip() for cell in cells[1:]])
    return found


def test_a_budget_is_made_by_its_one_writer_with_who(browser: Client, acme: Organization) -> None:
    project = Project.objects.create(organization=acme, slug="website")
    sent = form_of(browser, adding("budget"), **NEW, organization=str(acme.pk), project=str(project.pk), model="gpt-4o")
    sent |= {"thresholds-TOTAL_FORMS": "1", "thresholds-0-level": "80"}
    sent |= {"thresholds-0-unit": "percent", "thresholds-0-basis": "actual", "thresholds-0-severity": "warning"}
    sent |= {"thresholds-0-cooldown_minutes": "0"}
    response = browser.post(adding("budget"), sent)
    assert response.headers["Location"] == listing("budget"), response.content.decode()
    budget = Budget.objects.get()
    assert (budget.name, budget.limit, budget.scope) == (
        "October",
        Decimal("12.5"),
        {"project_id": project.pk, "model": "gpt-4o"},
    )
    assert epoch(acme) == 1
    change = budget.changes.get()
    assert (str(change.changed_by), change.after["limit"]) == ("root", "12.5")
    assert [str(threshold) for threshold in budget.thresholds.all()] == ["80 % spent"]


def made(browser: Client, acme: Organization, **fields: str) -> Budget:
    """The budget that the form makes of these fields."""
    sent = form_of(browser, adding("budget"), limit="10", organization=str(acme.pk), **fields)
    assert browser.post(adding("budget"), sent).status_code == 302
    return Budget.objects.latest("id")


@pytest.mark.parametrize(
    ("period", "enforcement", "levels"),
    [("day", "hard", []), ("week", "soft", ["80 % spent", "100 % spent"]), ("total", "hard", [])],
)
def test_d7_how_a_new_budget_holds_need_not_be_said(
    browser: Client, acme: Organization, period: str, enforcement: str, levels: list[str]
) -> None:
    assert "by default: soft for a week or a month, else hard" in page(browser, adding("budget"))
    budget = made(browser, acme, period=period)
    assert (budget.enforcement, [str(one) for one in budget.thresholds.all()]) == (enforcement, levels)
    assert "by default:" not in page(browser, changing(budget))
    sent = form_of(browser, changing(budget)) | {"enforcement": ""}
    assert "This field is required." in browser.post(changing(budget), sent).content.decode()


def test_d7_what_is_said_of_a_new_budget_wins(browser: Client, acme: Organization) -> None:
    for enforcement in ("hard", "soft", "shadow"):
        budget = made(browser, acme, period="month", enforcement=enforcement)
        assert (budget.enforcement, budget.thresholds.count()) == (enforcement, 0)
    row = {"level": "80", "unit": "percent", "basis": "actual", "severity": "info", "cooldown_minutes": "0"}
    rows = {f"thresholds-0-{name}": value for name, value in row.items()} | {"thresholds-TOTAL_FORMS": "1"}
    own = made(browser, acme, period="month", **rows)
    assert (own.enforcement, own.thresholds.get().severity) == ("soft", "info")


def test_half_a_call_is_no_limit(browser: Client, acme: Organization) -> None:
    said = "Give a whole number: of calls and tokens there is no part."
    sent = form_of(browser, adding("budget"), **NEW | {"limit": "0.5", "metric": "calls"}, organization=str(acme.pk))
    assert said in browser.post(adding("budget"), sent).content.decode()
    assert not Budget.objects.exists()
    budget = make_budget(acme, "5", metric="calls")
    sent = form_of(browser, changing(budget), limit="5.5")
    assert said in browser.post(changing(budget), sent).content.decode()
    assert Budget.objects.get().limit == 5


def test_a_change_is_made_by_its_one_writer_with_who(browser: Client, acme: Organization) -> None:
    budget = make_budget(acme, "10", name="October")
    sent = form_of(browser, changing(budget), limit="20", enforcement="soft")
    assert browser.post(changing(budget), sent).status_code == 302
    budget.refresh_from_db()
    assert (budget.limit, budget.enforcement, budget.name) == (Decimal(20), "soft", "October")
    change = budget.changes.first()
    assert change is not None
    assert str(change.changed_by) == "root"
    assert (change.before, change.after) == (
        {"limit": "10", "enforcement": "hard"},
        {"limit": "20", "enforcement": "soft"},
    )
    assert epoch(acme) == 2


def test_what_says_which_budget_it_is_has_no_field_once_it_exists(browser: Client, acme: Organization) -> None:
    budget = make_budget(acme, model="gpt-4o")
    sent = form_of(browser, changing(budget))
    fixed = ("organization", "project", "agent", "metric", "period", "per", "thread_id", "model")
    assert not set(fixed) & set(sent)
    browser.post(changing(budget), sent | {"model": "gpt-4", "period": "month", "limit": "3"})
    budget.refresh_from_db()
    assert (budget.model, budget.period, budget.limit) == ("gpt-4o", "day", Decimal(3))


def test_a_form_that_changes_nothing_raises_no_epoch_of_ours(browser: Client, acme: Organization) -> None:
    budget = make_budget(acme, "10")
    assert browser.post(changing(budget), form_of(browser, changing(budget))).status_code == 302
    assert budget.changes.count() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"limit": ""}, "Give a limit of 0 or more, or say that it is unlimited"),
        ({"limit": "-1"}, "greater than or equal to 0"),
        ({"limit": "NaN"}, "Enter a number."),
        ({"limit": "1e30"}, "Ensure that there are no more than"),
        ({"is_unlimited": "on"}, "Give a limit of 0 or more, or say that it is unlimited"),
        ({"metric": "amount"}, "needs the resource type"),
        ({"entity_id": "42"}, "An entity id needs its type."),
        ({"organization": ""}, "This field is required."),
        ({"project": "999"}, "Select a valid choice."),
    ],
)
def test_bad_input_is_said_beside_its_field(
    browser: Client, acme: Organization, changes: dict[str, str], said: str
) -> None:
    sent = form_of(browser, adding("budget"), **{**NEW, "organization": str(acme.pk), **changes})
    response = browser.post(adding("budget"), sent)
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not Budget.objects.exists()
    assert epoch(acme) == 0


def test_thresholds_are_checked_and_raise_no_epoch(browser: Client, acme: Organization) -> None:
    """The list [80, 80, 0, 101, -5, NaN]: only 80, once, and 101 are taken."""
    budget = make_budget(acme)

    def sent(levels: list[str]) -> dict[str, str]:
        form = form_of(browser, changing(budget))
        form["thresholds-TOTAL_FORMS"] = str(len(levels))
        for number, level in enumerate(levels):
            row = {"level": level, "unit": "percent", "basis": "actual", "severity": "warning", "cooldown_minutes": "0"}
            form |= {f"thresholds-{number}-{name}": value for name, value in row.items()}
            form |= {f"thresholds-{number}-id": "", f"thresholds-{number}-budget": str(budget.pk)}
        return form

    response = browser.post(changing(budget), sent(["80", "80", "0", "101", "-5", "NaN"]))
    text = response.content.decode()
    assert response.status_code == 200
    assert text.count("Ensure this value is greater than or equal to 0.01.") == 2
    assert text.count("Enter a number.") == 1
    response = browser.post(changing(budget), sent(["80", "80"]))
    assert "Please correct the duplicate data" in response.content.decode()
    assert not BudgetThreshold.objects.exists()
    assert browser.post(changing(budget), sent(["80", "101"])).status_code == 302
    assert [str(one) for one in budget.thresholds.all()] == ["80 % spent", "101 % spent"]
    assert epoch(acme) == 1


def test_the_list_shows_what_is_spent_and_held_in_the_running_period(browser: Client, acme: Organization) -> None:
    make_budget(acme, "10", name="a day")
    make_budget(acme, "100000", name="b month", metric="tokens", period="month", enforcement="shadow")
    make_budget(acme, "5", name="c threads", per="thread")
    make_budget(acme, None, name="d all", period="total")
    record_events([make_event(attribution={"thread_id": "t1"})])  # 0.0045 USD, 1,100 tokens
    hold("0.25", tokens=2500)
    BudgetCounter.objects.filter(budget__name="d all").delete()
    cells = rows(page(browser, listing("budget"), o="1"))
    assert [[row[0], *row[3:9], row[10]] for row in cells] == [
        [
            "a day",
            "$10.000000",
            "0 % spent, 2 % held, 0 % by the end of the period",  # 0.0045, 0.25 and 0.009 of 10
            "$0.004500",
            "$0.250000",
            "$0.009000",  # half of the day has passed
            "day",
            "Nov. 21, 2026, midnight",
        ],
        [
            "b month",
            "100,000",
            "1 % spent, 2 % held, 2 % by the end of the period",  # 1.1, 2.5 (half-even) and 1.69
            "1,100",
            "2,500",
            "1,692.307692307692",  # 1,100 / 19.5 x 30 days
            "month",
            "Dec. 1, 2026, midnight",
        ],
        ["c threads", "$5.000000", "-", "each", "-", "-", "day", "-"],
        ["d all", "unlimited", "-", "$0.004500", "$0.000000", "-", "total: never begins anew", "-"],
    ]
    link = re.search(r'href="([^"]+)">each<', page(browser, listing("budget"), o="1"))
    assert link
    (counter,) = rows(page(browser, link[1]))
    assert "t1" in counter


def test_the_list_takes_as_many_queries_for_many_budgets_as_for_one(
    browser: Client, acme: Organization, django_assert_num_queries: Callable[..., Any]
) -> None:
    make_budget(acme)
    record_events([make_event()])
    page(browser, listing("budget"))
    with django_assert_num_queries(8):
        page(browser, listing("budget"))
    for _ in range(5):
        make_budget(acme, period="month")
    record_events([make_event()])
    with django_assert_num_queries(8):
        assert len(rows(page(browser, listing("budget")))) == 6


def test_budgets_are_laid_to_rest_and_woken_by_their_one_writer(browser: Client, acme: Organization) -> None:
    budget = make_budget(acme)
    make_budget(acme)
    chosen = {"_selected_action": [str(one.pk) for one in Budget.objects.all()]}
    response = browser.post(listing("budget"), {"action": "let_rest", **chosen})
    assert told(response) == "2 rest."
    assert not Budget.objects.filter(is_active=True).exists()
    change_budget(budget, is_active=True)
    response = browser.post(listing("budget"), {"action": "wake", **chosen})
    assert told(response).endswith(" 1 woken.")
    assert Budget.objects.filter(is_active=True).count() == 2
    assert [str(change.changed_by) for change in budget.changes.all()] == ["None", "root", "None"]
    assert epoch(acme) == 6  # 2 made, 2 rest, 2 woken


def test_a_budget_with_many_counters_is_deleted_with_them(
    browser: Client, acme: Organization, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    budget = make_budget(acme, per="thread")
    record_events([make_event(attribution={"thread_id": f"t{number}"}) for number in range(20)])
    with django_assert_max_num_queries(12):
        text = page(browser, deleting(budget))
    assert "Counters: 20" in text
    assert browser.post(deleting(budget), {"post": "yes"}).status_code == 302
    assert (Budget.objects.count(), BudgetCounter.objects.count(), epoch(acme)) == (0, 0, 2)


def test_many_budgets_are_deleted_by_their_one_writer(browser: Client, acme: Organization) -> None:
    budgets = [make_budget(acme), make_budget(acme)]
    chosen = {"action": "delete_selected", "_selected_action": [str(one.pk) for one in budgets], "post": "yes"}
    assert browser.post(listing("budget"), chosen).status_code == 302
    assert (Budget.objects.count(), epoch(acme)) == (0, 4)


def test_who_may_only_view_changes_nothing(acme: Organization) -> None:
    budget = make_budget(acme, "10")
    person = get_user_model().objects.create_user("viewer", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_budget"))
    Membership.objects.create(user=person, organization=acme, role="admin")
    client = Client()
    client.force_login(person)
    assert "let_rest" not in page(client, listing("budget"))
    assert client.post(changing(budget), {"limit": "0"}).status_code == 403
    assert client.post(deleting(budget), {"post": "yes"}).status_code == 403
    client.post(listing("budget"), {"action": "let_rest", "_selected_action": str(budget.pk)})
    budget.refresh_from_db()
    assert (budget.limit, budget.is_active) == (Decimal(10), True)


def test_holds_are_filtered_by_their_state_and_say_what_they_take(browser: Client, acme: Organization) -> None:
    make_budget(acme, "10", name="day")
    hold("0.25")
    record_events([make_event(hold_id=hold("0.5").hold_id.hex)])  # type: ignore[union-attr]
    for state, count in (("held", 1), ("settled", 1), ("expired", 0)):
        assert len(browser.get(listing("hold"), {"state__exact": state}).context["cl"].result_list) == count
    assert "model test-model" in page(browser, listing("hold"))
    shown = page(browser, changing(Hold.objects.get(state="held")))
    assert re.search(r">day\s*</th><td>.*\$0\.250000", shown)


def test_counters_and_holds_can_only_be_read(browser: Client, acme: Organization) -> None:
    make_budget(acme)
    hold()
    for row in (BudgetCounter.objects.get(), Hold.objects.get()):
        assert browser.get(changing(row)).status_code == 200
        assert browser.post(changing(row), {"held": "0"}).status_code == 403
        assert browser.post(deleting(row), {"post": "yes"}).status_code == 403
        assert browser.get(adding(str(row._meta.model_name))).status_code == 403
