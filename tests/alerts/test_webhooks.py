"""Webhooks: signed, to public addresses, within a deadline."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from costtrack.alerts.channels.addresses import destination_of
from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing
from costtrack.alerts.channels.signing import is_signed, signature_headers
from costtrack.alerts.channels.webhook import send_webhook
from tests.alerts.receivers import webhook_receiver

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of 32 characters!").decode()


def message(**fields: Any) -> Outgoing:
    values = {"id": "m1", "type": "alert.raised", "created_at": datetime.now(UTC), "subject": "s", "text": "t"}
    return Outgoing(**{**values, "data": {"cost": "1.5"}, **fields})


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTTRACK_HOOK_SECRET", SECRET)
    monkeypatch.setenv("COSTTRACK_HOOK_SECRET_NEW", OTHER)


def test_in_48_what_is_sent_verifies_by_the_scheme_s_own_package(settings: Any) -> None:
    with webhook_receiver() as receiver:
        settings.COSTTRACK = {**settings.COSTTRACK, "WEBHOOK_PRIVATE_HOSTS": [receiver.address]}
        both = "env:COSTTRACK_HOOK_SECRET env:COSTTRACK_HOOK_SECRET_NEW"
        send_webhook(receiver.url, both, message(), now=datetime.now(UTC))
    headers, body = receiver.received[0]
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(body, headers)
    assert headers["webhook-id"] == "m1"
    told = json.loads(body)
    assert (told["type"], told["data"]) == ("alert.raised", {"cost": "1.5"})


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))


def signed(**changes: Any) -> bool:
    body = changes.pop("sent", b"{}")
    made = signature_headers(message_id="m1", sent_at=NOW, body=body, secrets=[SECRET])
    given = {
        "message_id": "m1",
        "timestamp": made["webhook-timestamp"],
        "signature": made["webhook-signature"],
        "body": body,
        "secrets": [SECRET],
        "now": NOW,
    }
    return is_signed(**{**given, **changes})


def test_in_48_the_helper_for_receivers_accepts_what_is_genuine_and_new() -> None:
    assert signed()
    assert signed(secrets=[OTHER, SECRET])
    assert signed(now=NOW + timedelta(minutes=5))
    assert signed(
        signature="v1,AAAA "
        + signature_headers(message_id="m1", sent_at=NOW, body=b"{}", secrets=[SECRET])["webhook-signature"]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b"{} "},
        {"message_id": "m2"},
        {"timestamp": str(int(STAMP) + 1)},
        {"timestamp": "now"},
        {"timestamp": "9" * 400},
        {"timestamp": "²"},
        {"secrets": [OTHER]},
        {"secrets": []},
        {"signature": ""},
        {"signature": "v1,é"},
        {"now": NOW + timedelta(minutes=6)},
        {"now": NOW - timedelta(minutes=6)},
    ],
)
def test_in_48_a_tampered_an_old_and_a_foreign_one_are_refused(changes: dict[str, Any]) -> None:
    assert not signed(**changes)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "169.254.169.254",
        "[::1]",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "127.1",
        "017700000001",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "224.0.0.1",
        "localhost",
    ],
)
def test_in_44_an_address_inside_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        destination_of(f"https://{host}/hook-that-is-secret")
    assert caught.value.is_permanent or "no such host" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///x",
        "ftp://8.8.8.8/",
        "file:///etc/passwd",
        "http://8.8.8.8/",
        "https://user:pass@8.8.8.8/",
        "https://8.8.8.8:22/",
        "https://8.8.8.8:99999/",
        "https://8.8.8.8/\nHost: x",
        "https://8.8.8.8/a b",
        "https://[::1",
        "https://8.8.8.8/" + "a" * 1000,
        "gopher://8.8.8.8/",
    ],
)
def test_only_https_on_its_ports_without_a_password_is_taken(url: str) -> None:
    with pytest.raises(DeliveryFailed):
        destination_of(url)


def test_a_public_address_is_connected_to_as_it_was_checked() -> None:
    found = destination_of("https://8.8.8.8/hook?a=1")
    assert (found.host, found.port, found.path, found.address) == ("8.8.8.8", 443, "/hook?a=1", "8.8.8.8")


def send_to(receiver: Any, settings: Any) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "WEBHOOK_PRIVATE_HOSTS": [receiver.address]}
    send_webhook(receiver.url, "", message(), now=datetime.now(UTC))


@pytest.mark.parametrize(("status", "is_permanent"), [(500, False), (429, False), (404, True), (410, True)])
def test_a_receiver_s_error_is_a_failure(status: int, is_permanent: bool, settings: Any) -> None:
    with webhook_receiver(status=status) as receiver, pytest.raises(DeliveryFailed, match=str(status)) as caught:
        send_to(receiver, settings)
    assert caught.value.is_permanent is is_permanent


def test_in_47_a_redirect_is_not_followed(settings: Any) -> None:
    with webhook_receiver() as inside, webhook_receiver(status=302, headers={"Location": inside.url}) as receiver:
        with pytest.raises(DeliveryFailed, match="302"):
            send_to(receiver, settings)
        assert inside.received == []


def test_in_47_a_slow_drip_ends_at_the_deadline(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.alerts.channels.webhook.DEADLINE_SECONDS", 1.0)
    began = time.monotonic()
    slow = webhook_receiver(drip_seconds=0.05)
    with slow as receiver, pytest.raises(DeliveryFailed, match="no answer within 1 s"):
        send_to(receiver, settings)
    assert time.monotonic() - began < 30


def test_a_receiver_that_is_away_is_a_failure_that_names_its_host_alone(settings: Any) -> None:
    with webhook_receiver() as receiver:
        pass
    with pytest.raises(DeliveryFailed) as caught:
        send_to(receiver, settings)
    assert "127.0.0.1" in str(caught.value)
    assert "hook" not in str(caught.value)


@pytest.mark.parametrize("name", ["SECRET_KEY", "env:SECRET_KEY", "env:DATABASE_URL", "env:COSTTRACK_", "whsec_plain"])
def test_only_variables_that_are_meant_for_it_are_read(name: str, settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    with webhook_receiver() as receiver:
        settings.COSTTRACK = {**settings.COSTTRACK, "WEBHOOK_PRIVATE_HOSTS": [receiver.address]}
        with pytest.raises(DeliveryFailed) as caught:
            send_webhook(receiver.url, name, message(), now=datetime.now(UTC))
        assert receiver.received == []
    assert "postgres" not in str(caught.value)


def test_a_path_with_other_letters_is_refused_and_a_host_with_them_is_looked_up() -> None:
    with pytest.raises(DeliveryFailed, match="percent-encode"):
        destination_of("https://8.8.8.8/h\u00fc")
    with pytest.raises(DeliveryFailed, match="it is inside"):
        destination_of("https://\uff11\uff12\uff17.0.0.1/")


def test_in_48_a_time_past_all_calendars_is_refused() -> None:
    for timestamp in ("9" * 12, "9" * 11):
        assert not signed(timestamp=timestamp)
