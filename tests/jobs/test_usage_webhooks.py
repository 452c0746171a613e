"""Usage to a billing system: each recorded row once in the outbox, sent in signed batches, corrections too."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

import costtrack
from costtrack.jobs.usage_webhooks import deliver_usage
from costtrack.metering import spool
from costtrack.metering.corrections import void_usage
from costtrack.metering.ledger import record_events
from costtrack.metering.ledger.usage_outbox import _kept
from costtrack.models import AlertChannel, Organization, ResourceUsage, UsageDelivery
from tests.alerts.receivers import webhook_receiver
from tests.api.callers import ROOT, robot
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme() -> Organization:
    make_rate()
    return make_organization()


def hook(organization: Organization | None, receiver: Any, settings: Any) -> AlertChannel:
    settings.COSTTRACK = {**settings.COSTTRACK, "WEBHOOK_PRIVATE_HOSTS": [receiver.address]}
    return AlertChannel.objects.create(
        organization=organization,
        name="billing",
        kind="webhook",
        target=receiver.url,
        sends_alerts=False,
        sends_usage=True,
    )


def sent(receiver: Any) -> list[dict[str, Any]]:
    events = [event for _, body in receiver.received for event in json.loads(body)["data"]["events"]]
    return sorted(events, key=lambda event: event["id"])


def test_every_row_is_sent_once_with_its_cost_and_a_correction_too(acme: Organization, settings: Any) -> None:
    with webhook_receiver() as receiver:
        hook(acme, receiver, settings)
        record_events([make_event(key="a"), make_event(key="b"), make_event(key="a")])
        void_usage(ResourceUsage.objects.get(idempotency_key="b").id, reason="not ours")
        assert deliver_usage().sent == 2
        assert deliver_usage().sent == 0
    assert sorted((one["idempotency_key"], one["kind"], one["cost_usd"]) for one in sent(receiver)) == [
        ("", "void", "-0.0045"),
        ("a", "usage", "0.0045"),
        ("b", "usage", "0.0045"),
    ]
    assert {json.loads(body)["type"] for _, body in receiver.received} == {"usage.recorded"}


def test_c2_what_is_rolled_back_is_not_sent(acme: Organization, settings: Any) -> None:
    with webhook_receiver() as receiver:
        hook(acme, receiver, settings)
        with transaction.atomic():
            record_events([make_event()])
            transaction.set_rollback(True)
        assert (deliver_usage().sent, UsageDelivery.objects.count()) == (0, 0)


def test_a_channel_gets_its_own_organization_s_and_one_of_the_site_all(acme: Organization, settings: Any) -> None:
    make_organization("globex")
    with webhook_receiver() as own, webhook_receiver() as everything:
        hook(acme, own, settings)
        hook(None, everything, settings)
        settings.COSTTRACK = {**settings.COSTTRACK, "WEBHOOK_PRIVATE_HOSTS": [own.address, everything.address]}
        record_events([make_event(attribution={"organization": slug}) for slug in ("acme", "globex", "acme")])
        deliver_usage()
    assert [one["organization"] for one in sent(own)] == ["acme", "acme"]
    assert sorted(one["organization"] for one in sent(everything)) == ["acme", "acme", "globex"]


def test_a_large_batch_is_sent_200_at_a_time(acme: Organization, settings: Any) -> None:
    with webhook_receiver() as receiver:
        hook(acme, receiver, settings)
        record_events([make_event() for _ in range(450)])
        deliver_usage()
    assert sorted(len(json.loads(body)["data"]["events"]) for _, body in receiver.received) == [50, 200, 200]
    assert len({one["id"] for one in sent(receiver)}) == 450


def test_fa_28_a_receiver_that_was_away_gets_it_all_with_the_same_ids(acme: Organization, settings: Any) -> None:
    with webhook_receiver(status=500) as receiver:
        hook(acme, receiver, settings)
        record_events([make_event()])
        assert deliver_usage().failed == 1
        receiver.status = 200
        assert deliver_usage(now=NOON + timedelta(seconds=30)).sent == 1
    (first, _), (second, _) = receiver.received
    assert first["webhook-id"] == second["webhook-id"]


def test_nobody_asks_for_usage_and_nothing_is_kept(acme: Organization) -> None:
    record_events([make_event()])
    assert not UsageDelivery.objects.exists()


def test_what_was_sent_is_cleared_away_after_a_week(acme: Organization, settings: Any) -> None:
    with webhook_receiver() as receiver:
        hook(acme, receiver, settings)
        record_events([make_event()])
        deliver_usage()
    deliver_usage(now=NOON + timedelta(days=6))
    assert UsageDelivery.objects.count() == 1
    deliver_usage(now=NOON + timedelta(days=8))
    assert UsageDelivery.objects.count() == 0


def test_a_batch_whose_message_can_not_be_made_keeps_no_other_from_being_sent(
    acme: Organization, settings: Any
) -> None:
    with webhook_receiver() as receiver:
        hook(acme, receiver, settings)
        record_events([make_event(key="a")])
        UsageDelivery.objects.update(usage=["no such thing"])
        record_events([make_event(key="b")])
        done = deliver_usage()
        assert (done.sent, done.failed) == (1, 1)
    assert [one["idempotency_key"] for one in sent(receiver)] == ["b"]
    assert "can not be made: ValueError" in UsageDelivery.objects.get(state="pending").last_error


def test_a_channel_that_is_deleted_takes_no_usage_with_it(acme: Organization, settings: Any) -> None:
    """Deleted after it was read, before the commit: the database would refuse the row that names it."""
    with webhook_receiver() as receiver:
        channel = hook(acme, receiver, settings)
        stale = [channel]
        channel_id = channel.pk
        AlertChannel.objects.filter(pk=channel_id).delete()
        if connection.vendor == "postgresql":
            with transaction.atomic():
                assert _kept(stale, using="default") == []
        record_events([make_event()])
    assert (ResourceUsage.objects.count(), UsageDelivery.objects.count()) == (1, 0)


def test_events_over_rest_are_named_in_the_outbox(acme: Organization, settings: Any) -> None:
    with webhook_receiver() as receiver:
        hook(acme, receiver, settings)
        event = {"provider": "openai", "model": "test-model", "input_tokens": 1, "idempotency_key": "by-rest"}
        answer = robot(acme).post(ROOT + "usage", {"events": [event]}, content_type="application/json")
        assert answer.status_code == 202, answer.content
        deliver_usage()
    assert [one["idempotency_key"] for one in sent(receiver)] == ["by-rest"]


def test_events_that_the_spool_s_flusher_books_are_named_in_the_outbox(
    acme: Organization, settings: Any, tmp_path: Path
) -> None:
    with time_machine.travel(NOON, tick=True), webhook_receiver() as receiver:
        hook(acme, receiver, settings)
        settings.COSTTRACK = {**settings.COSTTRACK, "TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "spool"}
        try:
            costtrack.record_usage(
                organization="acme", provider="openai", model="test-model", input_tokens=1, idempotency_key="spooled"
            )
            assert costtrack.flush(10)
        finally:
            spool.stop(5.0)
        deliver_usage()
    assert [one["idempotency_key"] for one in sent(receiver)] == ["spooled"]
