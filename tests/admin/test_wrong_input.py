"""What people send that can not be: each is told what is wrong, and none is a server error."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from costtrack.budgets.changes import change_budget, delete_budget
from costtrack.models import Budget, Organization
from tests.admin.rows import adding, form_of, listing
from tests.admin.scoped import staff
from tests.budgets.asked import make_budget

pytestmark = pytest.mark.django_db


def raised(client: Client, *budgets: Budget, percent: str) -> str:
    """What is said when the limits of these are to be raised."""
    keys = [str(budget.pk) for budget in budgets]
    sent: dict[str, Any] = {"action": "raise_limit", "percent": percent, "_selected_action": keys, "index": "0"}
    response = client.post(listing("budget"), sent)
    assert response.status_code == 302
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def test_a_limit_that_would_be_too_large_stays_and_the_others_are_raised(browser: Client, acme: Organization) -> None:
    large, small = make_budget(acme, "900000000000000", name="large"), make_budget(acme, "3", name="small")
    said = raised(browser, large, small, percent="33.33")
    assert said.startswith("large: Give a limit below 10^15") or said.startswith("large: Ensure that there are no more")
    assert said.endswith("1 raised.")
    assert dict(Budget.objects.values_list("name", "limit")) == {
        "large": Decimal("900000000000000"),
        "small": Decimal("3.9999"),
    }


def test_one_that_somebody_has_deleted_meanwhile_is_said(
    browser: Client, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = make_budget(acme, "10", name="gone")

    def deleted_first(budget: Budget, **changes: Any) -> Budget:
        delete_budget(budget)
        return change_budget(budget, **changes)

    monkeypatch.setattr("costtrack.admin.budgets.change_budget", deleted_first)
    said = raised(browser, budget, percent="10")
    assert "gone" in said
    assert "raised" not in said


@pytest.mark.parametrize("field", ["organization", "project", "agent"])
@pytest.mark.parametrize("value", ["abc", "9" * 30, "-1", "77777"])
def test_what_is_no_key_is_no_choice(browser: Client, acme: Organization, field: str, value: str) -> None:
    new = {"organization": str(acme.pk), "limit": "1", "period": "day", "enforcement": "hard", field: value}
    response = browser.post(adding("budget"), form_of(browser, adding("budget"), **new))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors[field] == [
        "Select a valid choice. That choice is not one of the available choices."
    ]
    assert not Budget.objects.exists()


def test_staff_of_another_organization_raise_nothing(acme: Organization) -> None:
    Organization.objects.create(slug="globex")
    budget = make_budget(acme, "10")
    raised(staff("clerk", globex="admin"), budget, percent="10")
    budget.refresh_from_db()
    assert budget.limit == 10
