"""The alerts: filtered, paged, acknowledged with the session's CSRF token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from costtrack.alerts.acknowledge import resolve_alert
from costtrack.models import AlertAction, BudgetAlert, Membership, Organization
from tests.dashboard.everything import world
from tests.dashboard.reading import ROOT, document, opened

pytestmark = pytest.mark.django_db

NOON = datetime(2023, 11, 16, 12, tzinfo=UTC)


def finding(owner: Organization | None, key: str, *, minutes: int = 0, **fields: str) -> BudgetAlert:
    """An alert about something else than a budget."""
    values = {"kind": "unpriced", "severity": "info", "message": f"about {key}", **fields}
    return BudgetAlert.objects.create(
        organization=owner, key=key, raised_at=NOON - timedelta(minutes=minutes), **values
    )


def messages(client: Client, **query: str) -> list[str]:
    return [one.text for one in opened(client, "alerts/", **query).all(class_="ct-message")]


def test_alerts_are_told_newest_first_with_their_budget_and_deliveries(superuser: Client) -> None:
    one = world("acme")
    finding(one.organization, "older", minutes=5)
    page = opened(superuser, "alerts/")
    first, second = page.by_id("ct-alerts").all("li")
    assert first.one(class_="ct-message").text == "acme-message"
    assert first.one(class_="ct-alert-head").text == "warning open a budget of acme, 16 Nov 2023, 12:00"
    assert first.one(class_="ct-alert-foot").text == "acme-budget acme-hook: pending (boom)"
    assert first.one("a").attributes["href"] == f"/costs/budgets/{one.budget.pk}/"
    assert second.one(class_="ct-message").text == "about older"
    assert page.by_id("ct-open-alerts").one(class_="ct-number").text == "2"


def test_they_are_filtered(superuser: Client, acme: Organization) -> None:
    finding(acme, "a")
    finding(acme, "b", severity="critical", minutes=1)
    resolve_alert(finding(acme, "c", kind="books", minutes=2), by=None)
    assert messages(superuser) == ["about a", "about b", "about c"]
    assert messages(superuser, state="open") == ["about a", "about b"]
    assert messages(superuser, state="resolved") == ["about c"]
    assert messages(superuser, severity="critical") == ["about b"]
    assert messages(superuser, kind="books") == ["about c"]
    page = opened(superuser, "alerts/", state="acknowledged")
    assert "No alert is like that." in page.text
    links = {link.text: link.attributes["href"] for link in page.all("a")}
    assert links["Critical"] == "/costs/alerts/?state=acknowledged&severity=critical"


def test_those_about_the_site_are_superusers_and_not_of_an_organization(
    superuser: Client, viewer: Client, acme: Organization
) -> None:
    finding(None, "site", kind="metering")
    finding(acme, "own", minutes=1)
    assert messages(superuser) == ["about site", "about own"]
    assert messages(superuser, organization="acme") == ["about own"]
    assert messages(viewer) == ["about own"]


def test_pages_of_alerts_reach_each_once(viewer: Client, acme: Organization) -> None:
    for number in range(53):
        finding(acme, f"{number:02}", minutes=number // 10)
    page = opened(viewer, "alerts/")
    [following] = [link for link in page.all("a") if link.attributes.get("rel") == "next"]
    second = opened(viewer, following.attributes["href"].removeprefix("/costs/"))
    texts = [one.text for shown in (page, second) for one in shown.all(class_="ct-message")]
    assert len(texts) == 53
    assert set(texts) == {f"about {number:02}" for number in range(53)}


def test_acknowledging_needs_the_token_of_the_page(acme: Organization) -> None:
    alert = finding(acme, "a")
    user = get_user_model().objects.create_user("mary")
    Membership.objects.create(user=user, organization=acme, role="manager")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    page = document(client.get(f"{ROOT}alerts/?state=open").content.decode())
    button = page.by_id(f"ct-acknowledge-{alert.pk}")
    form = page.by_id(button.attributes["form"])
    fields = {one.attributes["name"]: one.attributes["value"] for one in form.all("input")}
    assert form.attributes["method"] == "post"
    address = button.attributes["formaction"]
    assert client.post(address, {"next": "/costs/"}).status_code == 403
    answer = client.post(address, fields)
    assert (answer.status_code, answer["Location"]) == (302, "/costs/alerts/?state=open")
    assert AlertAction.objects.get().action == "acknowledged"
    seen = opened(client, "alerts/").by_id("ct-alerts").one("li")
    assert "acknowledged by mary, 16 Nov 2023, 12:00" in seen.text
    assert seen.all("button") == []


def test_acknowledging_again_changes_nothing_and_a_resolved_one_says_so(manager: Client, acme: Organization) -> None:
    alert = finding(acme, "a")
    path = f"{ROOT}alerts/{alert.pk}/acknowledge/"
    assert [manager.post(path).status_code for _ in range(2)] == [302, 302]
    assert AlertAction.objects.count() == 1
    resolve_alert(alert, by=None)
    answer = manager.post(path)
    assert answer.status_code == 403
    assert "This alert is resolved." in document(answer.content.decode()).text


@pytest.mark.parametrize("said", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "alerts", ""])
def test_one_is_sent_back_to_this_site_only(manager: Client, acme: Organization, said: str) -> None:
    answer = manager.post(f"{ROOT}alerts/{finding(acme, 'a').pk}/acknowledge/", {"next": said})
    assert answer["Location"] == "/costs/alerts/"
