"""The channels among the alerts: for admins, how each fares, and a test over it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client

from costtrack.models import AlertChannel, Organization
from tests.api.callers import person
from tests.dashboard.reading import ROOT, document, opened

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(acme: Organization) -> Client:
    return person("anna", roles={acme: "admin"})


def channel(owner: Organization | None, name: str = "mail", **fields: Any) -> AlertChannel:
    values = {"kind": "email", "target": "team@example.org", **fields}
    return AlertChannel.objects.create(organization=owner, name=name, **values)


def test_channels_are_shown_to_who_may_change_them(
    admin: Client, manager: Client, viewer: Client, superuser: Client, acme: Organization
) -> None:
    globex = Organization.objects.create(slug="globex")
    channel(acme, "ours", last_error="550 no such mailbox", last_error_at="2023-11-16T11:00:00Z")
    channel(globex, "theirs", sends_alerts=False, is_active=False)
    channel(None, "of the site", min_severity="critical", last_sent_at="2023-11-16T11:30:00Z")
    ours = ["ours 550 no such mailbox", "acme", "e-mail", "info", "–", "Send a test"]  # noqa: RUF001
    assert opened(admin, "alerts/").by_id("ct-channel-list").rows == [ours]
    for client in (manager, viewer):
        assert not opened(client, "alerts/").has("ct-channels")
    assert opened(superuser, "alerts/").by_id("ct-channel-list").rows == [
        ["of the site", "the site", "e-mail", "critical", "16 Nov 2023, 11:30", "Send a test"],
        ours,
        ["theirs resting", "globex", "e-mail", "none", "–", "Send a test"],  # noqa: RUF001
    ]
    assert opened(superuser, "alerts/", organization="acme").by_id("ct-channel-list").rows == [ours]


def test_an_admin_without_channels_is_told_that_nobody_is(admin: Client) -> None:
    assert "Nobody is told. Add a channel in the admin" in opened(admin, "alerts/").by_id("ct-channels").text


def test_a_test_goes_out_at_once_and_the_page_says_so(admin: Client, acme: Organization) -> None:
    one = channel(acme)
    button = opened(admin, "alerts/").by_id(f"ct-test-{one.pk}")
    answer = admin.post(button.attributes["formaction"])
    assert (answer.status_code, answer["Location"]) == (
        302,
        f"/costs/alerts/?organization=acme&tested={one.pk}#ct-channels",
    )
    assert [(sent.to, sent.subject) for sent in mail.outbox] == [
        (["team@example.org"], "[test] acme: this channel works")
    ]
    page = document(admin.get(answer["Location"]).content.decode())
    assert page.by_id("ct-tested").text == "A test was sent over mail. It should be there within moments."
    assert page.by_id("ct-channel-list").rows[0][4] == "16 Nov 2023, 12:00"


def test_a_test_that_fails_says_why(admin: Client, acme: Organization) -> None:
    one = channel(acme, "pager", kind="handler", target="nobody")
    page = document(admin.post(f"{ROOT}alerts/channels/{one.pk}/test/", follow=True).content.decode())
    said = page.by_id("ct-tested").text
    assert said.startswith("The test over pager failed: ")
    assert "nobody" in said


def test_only_admins_send_tests_and_others_see_none(
    admin: Client, manager: Client, viewer: Client, acme: Organization
) -> None:
    ours, theirs = channel(acme), channel(Organization.objects.create(slug="globex"))
    site = channel(None)
    for client in (manager, viewer):
        answer = client.post(f"{ROOT}alerts/channels/{ours.pk}/test/")
        assert answer.status_code == 403
        assert "admins of its organization" in document(answer.content.decode()).text
    for other in (theirs, site):
        assert admin.post(f"{ROOT}alerts/channels/{other.pk}/test/").status_code == 404
    assert admin.get(f"{ROOT}alerts/channels/{ours.pk}/test/").status_code == 405
    assert mail.outbox == []


def test_a_test_needs_the_token_of_the_page(admin: Client, acme: Organization) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.get(username="anna"))
    assert client.post(f"{ROOT}alerts/channels/{channel(acme).pk}/test/").status_code == 403
    assert mail.outbox == []


def test_an_address_that_names_no_channel_says_nothing_and_no_id_is_refused(admin: Client, acme: Organization) -> None:
    theirs = channel(Organization.objects.create(slug="globex"))
    assert not opened(admin, "alerts/", tested=str(theirs.pk)).has("ct-tested")
    page = opened(admin, "alerts/", answers=400, tested="x")
    assert "tested: got 'x', expected the id of a channel" in page.text
