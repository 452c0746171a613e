"""`find_alerts` and `send_daily_reports`: what they print."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command

from costtrack.metering.ledger import record_events
from costtrack.models import AlertChannel
from tests.factories import NOON, make_event, make_organization

pytestmark = pytest.mark.django_db(transaction=True)


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_find_alerts_says_how_many_are_new(tmp_path: Path, settings: Any) -> None:
    settings.COSTTRACK = {"TRANSPORT": "inline", "SPOOL_DIR": tmp_path / "spool"}
    make_organization()
    with time_machine.travel(NOON, tick=False):
        record_events([make_event(model="unheard-of")])
        assert printed("find_alerts") == "Raised 1 alert.\n"
        assert printed("find_alerts") == "Raised 0 alerts.\n"
        record_events([make_event(model="another")])
        assert printed("find_alerts", "--json") == '{"alerts": 1}\n'


def test_send_daily_reports_says_how_many_were_sent_and_what_failed_is_sent_by_the_next_delivery() -> None:
    channel = AlertChannel.objects.create(
        organization=make_organization(), name="mail", kind="email", target="a@example.org", sends_reports=True
    )
    AlertChannel.objects.update(created_at=NOON)
    morning = NOON.replace(hour=7) + timedelta(days=1)
    with time_machine.travel(morning, tick=False):
        assert printed("send_daily_reports") == "Sent 1, to be tried again 0, given up 0.\n"
        assert printed("send_daily_reports", "--json") == '{"sent": 0, "failed": 0, "dead": 0}\n'
    channel.reportdelivery_set.update(state="pending", next_attempt_at=morning)
    with time_machine.travel(morning + timedelta(minutes=1), tick=False):
        assert printed("deliver_alerts") == "Sent 1, to be tried again 0, given up 0.\n"
    assert len(mail.outbox) == 2
