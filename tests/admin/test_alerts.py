"""The screens of alerts and channels: what people do there, and what they never see."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client

from costtrack.alerts.evaluate import raise_findings
from costtrack.models import AlertAction, AlertChannel, AlertDelivery, BudgetAlert, Membership, Organization
from tests.admin.rows import adding, changing, listing, page
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Organization:
    return make_organization()


def staff(organization: Organization, role: str, *codenames: str) -> Client:
    user = get_user_model().objects.create_user(username=role, is_staff=True)
    Membership.objects.create(user=user, organization=organization, role=role)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def alert(organization: Organization | None, key: str = "k") -> BudgetAlert:
    (found,) = raise_findings(
        [
            BudgetAlert(
                organization=organization, kind="unpriced", key=key, severity="warning", message="m", raised_at=NOON
            )
        ],
        now=NOON,
        using="default",
    )
    return found


def act(client: Client, action: str, *alerts: BudgetAlert) -> Any:
    chosen = {"action": action, "_selected_action": [str(one.pk) for one in alerts]}
    return client.post(listing("budgetalert"), chosen, follow=True)


SEES, ACTS = "view_budgetalert", "change_budgetalert"


def test_a_manager_acknowledges_and_resolves_and_it_says_who(acme: Organization) -> None:
    one = alert(acme)
    client = staff(acme, "manager", SEES, ACTS)
    assert "1 alert changed." in act(client, "acknowledge", one).content.decode()
    assert "0 alerts changed." in act(client, "acknowledge", one).content.decode()
    act(client, "resolve", one)
    assert "is resolved. Reopen it first" in act(client, "acknowledge", one).content.decode()
    found = AlertAction.objects.values_list("action", "by__username")
    assert list(found) == [("acknowledged", "manager"), ("resolved", "manager")]
    assert "manager" in page(client, changing(one))


@pytest.mark.parametrize(("role", "permissions"), [("viewer", (SEES, ACTS)), ("manager", (SEES,))])
def test_who_lacks_the_role_or_the_permission_only_looks(
    role: str, permissions: tuple[str, ...], acme: Organization
) -> None:
    one = alert(acme)
    client = staff(acme, role, *permissions)
    assert "unpriced" in client.get(listing("budgetalert")).content.decode()
    act(client, "acknowledge", one)
    assert not AlertAction.objects.exists()


def test_alerts_of_another_organization_and_of_the_site_are_not_there(acme: Organization) -> None:
    foreign, sites = alert(make_organization("globex"), "globex-model"), alert(None, "site-key")
    client = staff(acme, "admin", SEES, ACTS)
    for one in (foreign, sites):
        act(client, "resolve", one)
        assert client.get(changing(one)).status_code == 302
    assert not AlertAction.objects.exists()


CHANNEL = {"name": "mail", "kind": "email", "target": "team@example.org", "secret": "", "min_severity": "info"}
CHANNEL |= {"report_period": "daily"}


def save_channel(client: Client, acme: Organization, **fields: Any) -> Any:
    form = {**CHANNEL, "organization": acme.pk, "sends_alerts": "on", "is_active": "on", **fields}
    return client.post(adding("alertchannel"), form)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target": "nobody"}, "is no e-mail address"),
        ({"kind": "webhook", "target": "https://127.0.0.1/x"}, "it is inside"),
        ({"kind": "webhook", "target": "https://2130706433/x"}, "it is inside"),
        ({"kind": "webhook", "target": "http://8.8.8.8/x"}, "expected https"),
        ({"kind": "webhook", "target": "https://8.8.8.8/x", "secret": "whsec_plain"}, "Expected env:NAME"),
        ({"kind": "apprise", "target": "slack://token"}, "Expected env:NAME"),
        ({"kind": "apprise", "target": "env:SECRET_KEY"}, "Expected env:NAME"),
        ({"sends_usage": "on"}, "Usage goes to webhooks only."),
        ({"kind": "webhook", "target": "https://8.8.8.8/x", "sends_reports": "on"}, "Reports go by e-mail only."),
    ],
)
def test_in_44_a_channel_that_can_not_be_right_is_refused_with_words(
    browser: Client, acme: Organization, fields: dict[str, str], said: str
) -> None:
    answer = save_channel(browser, acme, **fields)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not AlertChannel.objects.exists()


def test_a_secret_does_not_follow_a_webhook_to_another_host(browser: Client, acme: Organization) -> None:
    known = {"kind": "webhook", "target": "https://8.8.8.8/path", "secret": "env:COSTTRACK_HOOK"}
    assert save_channel(browser, acme, **known).status_code == 302
    channel = AlertChannel.objects.get()
    form = {**CHANNEL, **known, "organization": acme.pk, "sends_alerts": "on", "is_active": "on"}
    moved = browser.post(changing(channel), {**form, "target": "https://8.8.4.4/path"})
    assert "another host now" in moved.content.decode()
    assert browser.post(changing(channel), {**form, "target": "https://8.8.8.8/other"}).status_code == 302


def test_the_list_shows_no_path_of_a_target(browser: Client, acme: Organization) -> None:
    AlertChannel.objects.create(
        organization=acme, name="hook", kind="webhook", target="https://hooks.example.org/services/T0/B0/secret"
    )
    shown = browser.get(listing("alertchannel")).content.decode()
    assert "hooks.example.org" in shown
    assert "secret" not in shown.replace("csrf", "")


def test_a_test_is_sent_at_once_and_says_how_it_went(browser: Client, acme: Organization) -> None:
    save_channel(browser, acme)
    AlertChannel.objects.create(organization=acme, name="chat", kind="apprise", target="env:COSTTRACK_NO_SUCH")
    chosen = [str(key) for key in AlertChannel.objects.values_list("pk", flat=True)]
    answer = browser.post(listing("alertchannel"), {"action": "try_out", "_selected_action": chosen}, follow=True)
    said = [str(message) for message in answer.context["messages"]]
    assert "mail: sent." in said
    assert any("COSTTRACK_NO_SUCH is not set" in one for one in said)
    assert [message.subject for message in mail.outbox] == ["[test] acme: this channel works"]
    assert AlertChannel.objects.get(name="chat").last_error


def test_the_dead_are_tried_again(browser: Client, acme: Organization) -> None:
    save_channel(browser, acme)
    alert(acme)
    delivery = AlertDelivery.objects.get()
    AlertDelivery.objects.update(state="dead", attempts=24)
    chosen = {"action": "try_again", "_selected_action": [str(delivery.pk)]}
    browser.post(listing("alertdelivery"), chosen)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("pending", 0)


def test_an_organization_s_admin_makes_no_channel_of_the_site(acme: Organization) -> None:
    client = staff(acme, "admin", "add_alertchannel", "view_alertchannel")
    answer = save_channel(client, acme, organization="")
    assert answer.status_code in (200, 403)
    assert save_channel(client, make_organization("globex")).status_code in (200, 403)
    assert not AlertChannel.objects.exists()
    assert save_channel(client, acme).status_code == 302
    assert AlertChannel.objects.get().organization == acme
