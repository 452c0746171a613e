"""`manage.py deliver_alerts`: sends what is due, shows the channels, tries one out."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command

from costtrack.alerts.evaluate import raise_findings
from costtrack.models import AlertChannel, BudgetAlert, Organization
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme() -> Organization:
    return make_organization()


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("deliver_alerts", *arguments, stdout=out)
    return out.getvalue()


def channel(organization: Organization | None, name: str, target: str = "a@example.org", **fields: Any) -> AlertChannel:
    return AlertChannel.objects.create(
        **{"organization": organization, "name": name, "kind": "email", "target": target, **fields}
    )


def finding(organization: Organization) -> None:
    alert = BudgetAlert(
        organization=organization, kind="unpriced", key="k", severity="warning", message="m", raised_at=NOON
    )
    raise_findings([alert], now=NOON, using="default")


def test_what_is_due_is_sent_and_it_says_how_much_in_text_and_as_json(acme: Organization) -> None:
    channel(acme, "mail")
    channel(acme, "bad", "nobody")
    channel(acme, "chat", "env:COSTTRACK_NO_SUCH_CHAT", kind="apprise")
    finding(acme)
    assert printed() == "Sent 1, to be tried again 1, given up 1.\n"
    assert printed("--json") == '{"sent": 0, "failed": 0, "dead": 0}\n'
    assert len(mail.outbox) == 1


def test_the_channels_are_shown_with_what_was_wrong_last_and_without_their_targets(acme: Organization) -> None:
    assert "There are no channels yet" in printed("--channels")
    channel(acme, "mail", "team@example.org")
    channel(None, "hook", "https://hooks.example.org/secret", kind="webhook", last_error="away", is_active=False)
    text = printed("--channels")
    assert sorted(line.split() for line in text.splitlines()[1:]) == [
        ["(site)", "hook", "webhook", "rests", "never", "away"],
        ["acme", "mail", "email", "active", "never"],
    ]
    shown = printed("--channels", "--json")
    assert "secret" not in text + shown
    assert {(one["organization"], one["name"], one["last_error"]) for one in json.loads(shown)["channels"]} == {
        (None, "hook", "away"),
        ("acme", "mail", ""),
    }


def test_one_channel_is_tried_out_by_its_name_and_organization(acme: Organization) -> None:
    channel(acme, "mail")
    channel(make_organization("globex"), "mail")
    with pytest.raises(CommandError, match="several channels 'mail'"):
        printed("--test", "mail")
    with pytest.raises(CommandError, match="no channel 'pager'"):
        printed("--test", "pager")
    assert printed("--test", "mail", "--organization", "acme") == "Sent over mail.\n"
    assert printed("--test", "mail", "--organization", "globex", "--json") == '{"sent": true}\n'
    assert [message.subject for message in mail.outbox] == [
        "[test] acme: this channel works",
        "[test] globex: this channel works",
    ]


def test_a_test_that_fails_in_a_way_that_nobody_thought_of_says_so_and_is_noted(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel(acme, "mail")

    def fail(*arguments: object) -> None:
        raise LookupError("secret")

    monkeypatch.setattr("costtrack.alerts.channels.send.send_email", fail)
    with pytest.raises(CommandError, match="LookupError: an unexpected error, see the log"):
        printed("--test", "mail")
    assert AlertChannel.objects.get().last_error == "LookupError: an unexpected error, see the log."
