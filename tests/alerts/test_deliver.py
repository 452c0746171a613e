"""The outbox: who is told, how often it is tried, and that what is sent twice has the same id."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from threading import Event
from time import perf_counter_ns
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.smtp import EmailBackend
from django.db.models import QuerySet

from costtrack.alerts.channels.email import send_email
from costtrack.alerts.channels.handlers import alert_handler
from costtrack.alerts.channels.outgoing import Outgoing
from costtrack.alerts.deliver import MOST_ATTEMPTS, deliver_alerts
from costtrack.budgets.changes import delete_budget
from costtrack.models import AlertChannel, AlertDelivery, Budget, BudgetAlert
from tests.alerts.delivering import Receiver, channel, cross, states
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


def test_an_alert_goes_to_the_channels_of_its_organization_that_ask_for_it(budget: Budget) -> None:
    acme = budget.organization
    channel(acme, "all")
    channel(acme, "bad", min_severity="critical")
    channel(acme, "resting", is_active=False)
    channel(acme, "reports", sends_alerts=False)
    channel(make_organization("globex"), "other")
    AlertChannel.objects.create(name="site", kind="email", target="site@example.org")
    cross()
    assert deliver_alerts().sent == 1
    (message,) = mail.outbox
    assert message.to == ["all@example.org"]
    assert message.subject == (
        "[warning] acme: A day: $0.004500 of $0.004500 spent; that is 100.00 %, and you asked to be told at 100 %."
    )
    assert "It begins anew at 2026-11-21 00:00 UTC." in message.body
    assert message.extra_headers["Message-ID"] == f"<{AlertDelivery.objects.get().id}@costtrack>"
    assert deliver_alerts().sent == 0


def test_a_threshold_that_names_channels_is_told_to_those(budget: Budget) -> None:
    channel(budget.organization, "all")
    budget.thresholds.get().channels.add(channel(budget.organization, "boss"))
    cross()
    deliver_alerts()
    assert [message.to for message in mail.outbox] == [["boss@example.org"]]


def test_a_receiver_that_is_away_is_told_once_it_is_back_with_the_same_id(budget: Budget) -> None:
    receiver = Receiver("pager")
    channel(budget.organization, "pager", "handler", "pager")
    cross()
    receiver.is_away = True
    assert deliver_alerts().failed == 1
    assert deliver_alerts().failed == 0  # not yet: it waits for 30 seconds
    assert "ConnectionError: away" in AlertChannel.objects.get().last_error
    receiver.is_away = False
    assert deliver_alerts(now=NOON + timedelta(seconds=30)).sent == 1
    assert receiver.ids == [str(AlertDelivery.objects.get().id)] * 2
    assert states("pager") == ["sent"]
    assert deliver_alerts(now=NOON + timedelta(days=1)).sent == 0


def test_what_is_never_taken_is_given_up_after_a_day_of_attempts(budget: Budget) -> None:
    receiver = Receiver("pager")
    receiver.is_away = True
    channel(budget.organization, "pager", "handler", "pager")
    cross()
    now = NOON
    dead = 0
    while not dead:
        dead = deliver_alerts(now=now).dead
        now += timedelta(hours=1)
    assert len(receiver.ids) == MOST_ATTEMPTS
    assert states("pager") == ["dead"]


def test_a_sender_that_died_after_sending_sends_again_with_the_same_id(
    budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver("pager")
    channel(budget.organization, "pager", "handler", "pager")
    cross()
    with monkeypatch.context() as patch:
        patch.setattr("costtrack.alerts.deliver._update", _die)
        with pytest.raises(KeyboardInterrupt):
            deliver_alerts()
    assert deliver_alerts(now=NOON + timedelta(minutes=4)).sent == 0
    assert deliver_alerts(now=NOON + timedelta(minutes=5)).sent == 1
    assert receiver.ids == [str(AlertDelivery.objects.get().id)] * 2


def _die(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


def test_one_receiver_that_is_away_keeps_nobody_else_waiting(budget: Budget) -> None:
    away, there = Receiver("away"), Receiver("there")
    away.is_away = True
    for name in ("away", "there"):
        channel(budget.organization, name, "handler", name)
    for level in range(1, 6):
        budget.thresholds.create(level=level)
    cross()  # six alerts
    done = deliver_alerts()
    assert (done.sent, done.failed) == (6, 2)
    assert (len(away.ids), len(there.ids)) == (2, 6)


def test_an_apprise_channel_without_its_variable_says_so_and_waits(budget: Budget, monkeypatch: Any) -> None:
    monkeypatch.delenv("COSTTRACK_CHAT_URL", raising=False)
    channel(budget.organization, "chat", "apprise", "env:COSTTRACK_CHAT_URL")
    cross()
    assert deliver_alerts().failed == 1
    assert "COSTTRACK_CHAT_URL is not set" in AlertDelivery.objects.get().last_error
    assert Decimal(AlertDelivery.objects.get().alert.figures["cost"]) == Decimal("0.0045")


def test_a_long_queue_goes_in_one_run_and_keeps_nobody_else_waiting(budget: Budget) -> None:
    pager, chat = Receiver("pager"), Receiver("chat")
    for name in ("pager", "chat"):
        channel(budget.organization, name, "handler", name)
    cross()
    pending = [make_finding(str(number)) for number in range(45)]
    AlertDelivery.objects.bulk_create(
        AlertDelivery(alert=one, channel=AlertChannel.objects.get(name="pager"), created_at=NOON, next_attempt_at=NOON)
        for one in pending
    )
    assert deliver_alerts().sent == 47
    assert (len(set(pager.ids)), len(pager.ids), len(chat.ids)) == (46, 46, 1)


def make_finding(key: str) -> BudgetAlert:
    return BudgetAlert.objects.create(kind="metering", key=key, severity="warning", message="m", raised_at=NOON)


def test_a_receiver_that_hangs_keeps_no_job_from_ending(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.alerts.deliver.RUN_SECONDS", 0.2)
    monkeypatch.setattr("costtrack.alerts.deliver.LATE_SECONDS", 0.3)
    Receiver("there")
    is_over = Event()
    alert_handler("hangs")(lambda message: is_over.wait(60))
    for name in ("hangs", "there"):
        channel(budget.organization, name, "handler", name)
    cross()
    with time_machine.travel(NOON, tick=True):
        began = perf_counter_ns()
        assert deliver_alerts(now=NOON).sent == 1
        assert perf_counter_ns() - began < 20 * 10**9
    is_over.set()
    assert (states("hangs"), states("there")) == (["pending"], ["sent"])
    assert AlertDelivery.objects.get(channel__name="hangs").next_attempt_at == NOON + timedelta(minutes=5)


def test_words_that_no_database_takes_are_a_failure_like_any_other(budget: Budget) -> None:
    def refuse(message: Outgoing, /) -> None:
        raise ValueError("a\x00b\ud800 \x1b[31mred\nnext line")

    alert_handler("odd")(refuse)
    channel(budget.organization, "odd", "handler", "odd")
    cross()
    assert deliver_alerts().failed == 1
    assert AlertDelivery.objects.get().last_error == "ValueError: a b [31mred next line"
    assert AlertChannel.objects.get().last_error == "ValueError: a b [31mred next line"


def test_what_a_wrong_clock_put_far_ahead_is_due(budget: Budget) -> None:
    channel(budget.organization, "all")
    cross()
    AlertDelivery.objects.update(next_attempt_at=NOON + timedelta(minutes=65))
    assert deliver_alerts().sent == 0  # the longest wait, and a claim
    AlertDelivery.objects.update(next_attempt_at=NOON + timedelta(days=400))
    assert deliver_alerts().sent == 1


def test_a_channel_that_works_again_in_the_same_run_is_not_in_trouble(budget: Budget) -> None:
    taken: list[str] = []

    def fail_once(message: Outgoing, /) -> None:
        taken.append(message.id)
        if len(taken) == 1:
            raise ConnectionError("away")

    alert_handler("pager")(fail_once)
    pager = channel(budget.organization, "pager", "handler", "pager")
    budget.thresholds.create(level=50)
    cross()
    done = deliver_alerts()
    assert (done.sent, done.failed) == (1, 1)
    pager.refresh_from_db()
    assert (pager.last_error, pager.last_sent_at) == ("", NOON)


def test_what_is_deleted_meanwhile_is_not_sent_and_hurts_nobody(budget: Budget) -> None:
    receiver = Receiver("pager")
    channel(budget.organization, "pager", "handler", "pager")
    channel(budget.organization, "gone", "handler", "pager")
    cross()
    AlertChannel.objects.get(name="gone").delete()
    budget.thresholds.get().delete()
    assert deliver_alerts().sent == 1
    assert BudgetAlert.objects.get().threshold is None
    AlertDelivery.objects.update(state="pending")
    delete_budget(budget)
    assert deliver_alerts(now=NOON + timedelta(hours=1)).sent == 0
    assert (len(receiver.ids), BudgetAlert.objects.count()) == (1, 0)


def test_a_mail_s_header_is_one_line_whatever_the_names_are(budget: Budget) -> None:
    QuerySet(Budget).update(name="A day\r\nBcc: all@example.org\u2028x")
    channel(budget.organization, "all")
    cross()
    deliver_alerts()
    (message,) = mail.outbox
    assert message.recipients() == ["all@example.org"]
    assert message.subject.startswith("[warning] acme: A day")
    assert not set(message.subject) & set("\r\n\u2028")


def test_a_mail_server_that_hangs_has_a_deadline(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(EmailBackend, "send_messages", lambda self, messages: seen.append(self.timeout))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    note = Outgoing(id="m", type="test", created_at=NOON, subject="s", text="t", data={})
    send_email("a@example.org", note)
    settings.EMAIL_TIMEOUT = 7
    send_email("a@example.org", note)
    assert seen == [30, 7]
