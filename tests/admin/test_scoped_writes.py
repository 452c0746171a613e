"""What staff may change follows their role in the row's organization; nothing is saved into one that is not theirs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client

from costtrack.admin.scoping import ScopedScreen
from costtrack.models import Agent, AgentKey, AlertChannel, Budget, Membership, Organization, Project, Rate
from tests.admin.rows import adding, changing, deleting, form_of, listing, page
from tests.admin.scoped import own_rate, rows_of_everything, staff
from tests.budgets.asked import make_budget

pytestmark = pytest.mark.django_db

CHANGED = {
    "organization": {"name": "changed"},
    "project": {"name": "changed"},
    "agent": {"name": "changed"},
    "budget": {"limit": "11"},
    "membership": {"role": "viewer"},
    "rate": {"input_usd_per_million": "31"},
    "alertchannel": {"name": "changed"},
}
"""A change of a row of each screen that changes rows."""
MANAGERS = {"project", "agent", "budget"}


@pytest.fixture
def ours(db: None) -> dict[str, Model]:
    """Acme's rows; its price has priced nothing yet."""
    rows = rows_of_everything("acme")
    rows["rate"] = own_rate(Organization.objects.get(), "unused")
    return rows


def values(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = type(row).objects.filter(pk=row.pk).values().get()
    return found


def act(client: Client, name: str, action: str, *rows: Model) -> int:
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows], "post": "yes"}
    return client.post(listing(name), chosen).status_code


@pytest.mark.parametrize("role", ["viewer", "manager", "admin"])
def test_what_may_be_changed_follows_the_role(ours: dict[str, Model], browser: Client, role: str) -> None:
    clerk = staff(acme=role)
    for name, change in CHANGED.items():
        row, before = ours[name], values(ours[name])
        sent = form_of(browser, changing(row), **change)
        status = clerk.post(changing(row), sent).status_code
        if role == "admin" or (role == "manager" and name in MANAGERS):
            assert status == 302, name
            (field, value), *_ = change.items()
            assert str(values(row)[field]).removesuffix(".000000000000").removesuffix(".000000") == value, name
        else:
            assert (status, values(row)) == (403, before), name
            assert clerk.post(deleting(row), {"post": "yes"}).status_code == 403, name


@pytest.mark.parametrize("role", ["viewer", "manager", "admin"])
def test_what_may_be_added_follows_the_role(ours: dict[str, Model], role: str) -> None:
    clerk = staff(acme=role)
    may = {"viewer": set(), "manager": MANAGERS, "admin": MANAGERS | {"membership", "rate", "alertchannel"}}[role]
    for name in CHANGED:
        assert clerk.get(adding(name)).status_code == (200 if name in may else 403), name
        assert clerk.post(adding(name), {"slug": "new"}).status_code == (200 if name in may else 403), name


def test_organizations_are_made_and_deleted_by_superusers(ours: dict[str, Model], browser: Client) -> None:
    new = {"slug": "new", "timezone": "UTC", "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    clerk = staff(acme="admin")
    assert clerk.post(adding("organization"), new).status_code == 403
    assert browser.post(adding("organization"), new).status_code == 302
    unused = Organization.objects.get(slug="new")
    Membership.objects.create(
        user=Membership.objects.get(user__username="clerk").user, organization=unused, role="admin"
    )
    assert clerk.post(deleting(unused), {"post": "yes"}).status_code == 403
    assert browser.post(deleting(unused), {"post": "yes"}).status_code == 302


def test_prices_of_everybody_are_changed_and_deleted_by_superusers(ours: dict[str, Model], browser: Client) -> None:
    rate = own_rate(None)
    sent = form_of(browser, changing(rate), input_usd_per_million="1")
    clerk = staff(acme="admin")
    assert clerk.post(changing(rate), sent).status_code == 403
    assert clerk.post(deleting(rate), {"post": "yes"}).status_code == 403
    act(clerk, "rate", "delete_selected", rate)
    rate.refresh_from_db()
    assert rate.input_usd_per_million == Decimal(30)
    assert browser.post(changing(rate), sent).status_code == 302


def new_rows(acme: dict[str, Model], other: dict[str, Model]) -> dict[str, tuple[str, dict[str, str], str]]:
    """What staff of acme might send to save something into another organization: screen, changes, the wrong field."""
    ours, theirs = str(acme["organization"].pk), str(other["organization"].pk)
    person = str(Membership.objects.values_list("user", flat=True)[0])
    budget = {"period": "day", "enforcement": "hard", "limit": "1"}
    rate = {"provider": "openai", "model": "new", "input_usd_per_million": "30"}
    channel = {"name": "new", "kind": "email", "target": "new@example.invalid"}
    return {
        "project": ("project", {"organization": theirs, "slug": "new"}, "organization"),
        "agent": ("agent", {"project": str(other["project"].pk), "slug": "new"}, "project"),
        "budget": ("budget", {"organization": theirs, **budget}, "organization"),
        "budget of a project": (
            "budget",
            {"organization": ours, "project": str(other["project"].pk), **budget},
            "project",
        ),
        "budget of an agent": (
            "budget",
            {"organization": ours, "agent": str(other["agent"].pk), "project": str(acme["project"].pk), **budget},
            "agent",
        ),
        "rate": ("rate", {"organization": theirs, **rate}, "organization"),
        "rate of everybody": ("rate", {"organization": "", **rate}, "organization"),
        "membership": ("membership", {"organization": theirs, "user": person, "role": "admin"}, "organization"),
        "channel": ("alertchannel", {"organization": theirs, **channel}, "organization"),
        "channel of the site": ("alertchannel", {"organization": "", **channel}, "organization"),
    }


def counts() -> list[int]:
    return [model.objects.count() for model in (Project, Agent, Budget, Rate, Membership, AlertChannel)]


def test_nothing_is_added_to_another_organization(ours: dict[str, Model]) -> None:
    theirs = rows_of_everything("globex")
    nobodys = {name: type(theirs[name])(pk=999_999) for name in ("organization", "project", "agent")}
    clerk = staff(acme="admin")
    before = counts()
    unknown = new_rows(ours, nobodys)
    for what, (name, changes, field) in new_rows(ours, theirs).items():
        sent = form_of(clerk, adding(name), **changes)
        response = clerk.post(adding(name), sent)
        assert response.status_code == 200, what
        errors = response.context["adminform"].form.errors
        assert field in errors, what
        for_nobody = clerk.post(adding(name), {**sent, **unknown[what][1]}).context["adminform"].form.errors
        assert errors == for_nobody, what
        assert "globex" not in response.content.decode(), what
    assert counts() == before


def test_no_row_is_moved_to_another_organization(ours: dict[str, Model], browser: Client) -> None:
    theirs = rows_of_everything("globex")["organization"]
    clerk = staff(acme="admin")
    for name in ("rate", "membership"):
        before = values(ours[name])
        for target in (str(theirs.pk), ""):
            response = clerk.post(changing(ours[name]), form_of(browser, changing(ours[name]), organization=target))
            assert "organization" in response.context["adminform"].form.errors, name
        assert values(ours[name]) == before


def test_whatever_a_form_lets_pass_is_not_saved_elsewhere(
    ours: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = rows_of_everything("globex")
    clerk = staff(acme="admin")
    before = counts()
    monkeypatch.setattr(ScopedScreen, "_choices", lambda *arguments: None)
    for what, (name, changes, _) in new_rows(ours, theirs).items():
        status = clerk.post(adding(name), form_of(clerk, adding(name), **changes)).status_code
        # A budget's owners of somebody else are found by the budget itself.
        assert status == (200 if " of a" in what else 403), what
    assert counts() == before


def test_rows_of_others_are_not_reached_through_one_s_own(ours: dict[str, Model], browser: Client) -> None:
    theirs = rows_of_everything("globex")
    clerk = staff(acme="admin")
    lines = {"organization": ("memberships", {"role": "viewer"}), "rate": ("tiers", {})}
    for name, (prefix, change) in lines.items():
        tier = theirs["rate"].tiers.get()  # type: ignore[attr-defined]
        row = theirs["membership"] if name == "organization" else tier
        before = values(row)
        sent = form_of(browser, changing(ours[name]))
        answers = []
        for key in (row.pk, 999_999):
            crafted = {f"{prefix}-0-id": str(key), **{f"{prefix}-0-{field}": to for field, to in change.items()}}
            response = clerk.post(changing(ours[name]), sent | crafted)
            assert response.status_code == 200, name
            assert "globex" not in response.content.decode(), name
            answers.append(response.context["inline_admin_formsets"][0].formset.errors)
        assert answers[0] == answers[1], name
        assert values(row) == before, name


def test_a_budget_s_thresholds_tell_no_channel_of_another_organization(ours: dict[str, Model]) -> None:
    theirs = rows_of_everything("globex")
    clerk = staff(acme="admin", globex="viewer")
    level = ours["budget"].thresholds.get()  # type: ignore[attr-defined]
    address = changing(ours["budget"])
    for channel in (theirs["alertchannel"], ours["alertchannel"]):
        response = clerk.post(address, form_of(clerk, address, **{"thresholds-0-channels": str(channel.pk)}))
        assert response.status_code == (302 if channel is ours["alertchannel"] else 200)
    assert list(level.channels.all()) == [ours["alertchannel"]]


def test_a_role_is_good_for_its_own_organization_only(ours: dict[str, Model], browser: Client) -> None:
    theirs = rows_of_everything("globex")
    clerk = staff(acme="admin", globex="viewer")
    other = own_rate(Organization.objects.get(slug="globex"), "unused")
    rows = {**theirs, "rate": other}
    acts = {
        **{"project": "deactivate", "organization": "deactivate", "budget": "let_rest", "agentkey": "revoke"},
        **{"budgetalert": "acknowledge", "alertdelivery": "try_again", "usagedelivery": "try_again"},
    }
    before = {name: values(rows[name]) for name in (*CHANGED, *acts)}
    for name, change in CHANGED.items():
        page(clerk, changing(rows[name]))
        assert clerk.post(changing(rows[name]), form_of(browser, changing(rows[name]), **change)).status_code == 403
        assert clerk.post(deleting(rows[name]), {"post": "yes"}).status_code in (302, 403)
        act(clerk, name, "delete_selected", rows[name])
    ours_before = {name: values(ours[name]) for name in acts}
    for name, action in acts.items():
        act(clerk, name, action, rows[name], ours[name])
        assert values(ours[name]) != ours_before[name], name
    clerk.post(listing("budget"), {"action": "let_rest", "select_across": "1", "_selected_action": "1"})
    assert {name: values(rows[name]) for name in before} == before
    for what, (name, changes, field) in new_rows(ours, theirs).items():
        response = clerk.post(adding(name), form_of(clerk, adding(name), **changes))
        assert field in response.context["adminform"].form.errors, what


def test_managers_act_on_budgets_and_projects_but_not_on_keys(ours: dict[str, Model]) -> None:
    rows_of_everything("globex")
    clerk = staff(acme="manager", globex="admin")
    resting = make_budget(Organization.objects.get(slug="acme"), is_active=False)
    act(clerk, "budget", "wake", resting)
    act(clerk, "agent", "deactivate", ours["agent"])
    act(clerk, "agentkey", "revoke", ours["agentkey"])
    assert Budget.objects.get(pk=resting.pk).is_active
    assert not Agent.objects.get(pk=ours["agent"].pk).is_active
    assert AgentKey.objects.get(pk=ours["agentkey"].pk).revoked_at is None


def test_an_admin_lets_a_price_of_the_organization_follow_everybody_s(ours: dict[str, Model]) -> None:
    shared = own_rate(None)
    clerk = staff(acme="admin")
    form = f"{adding('rate')}?follow={shared.pk}"
    chosen = clerk.post(listing("rate"), {"action": "follow", "_selected_action": str(shared.pk)})
    assert chosen.headers["Location"] == form
    assert form in page(clerk, changing(shared)).replace("&amp;", "&")
    sent = form_of(clerk, form, organization=str(ours["organization"].pk), input_usd_per_million="25")
    assert clerk.post(form, sent).status_code == 302
    rate = Rate.objects.latest("id")
    assert (rate.model, rate.organization_id) == ("everybody-model", ours["organization"].pk)
    assert rate.input_usd_per_million == Decimal(25)
