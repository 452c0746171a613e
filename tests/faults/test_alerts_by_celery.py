"""The whole way of an alert: calls, a real worker and a real beat, and receivers of mail, webhooks and apprise."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.core.management import call_command
from standardwebhooks import Webhook

from costtrack.metering.ledger import record_events
from costtrack.models import AlertChannel, AlertDelivery, BudgetAlert, JobRun
from tests.alerts.receivers import webhook_receiver
from tests.budgets.asked import make_budget
from tests.exits.processes import url_of_the_test_database
from tests.factories import make_event, make_organization, make_rate

ROOT = Path(__file__).parents[2]
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SECONDS = 90


class Mails:
    """A mail server's handler that keeps what it is given."""

    def __init__(self) -> None:
        self.received: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.received.append(envelope.content.decode())
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[str, Mails]]:
    mails = Mails()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mails, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"127.0.0.1:{port}", mails
    finally:
        controller.stop()


@contextmanager
def celery(*arguments: str, environment: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "project", *arguments, "--loglevel", "WARNING"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        deliveries = list(AlertDelivery.objects.values_list("channel__name", "state", "attempts", "last_error"))
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}; {deliveries}"
        time.sleep(0.2)


@pytest.mark.django_db(transaction=True)
def test_two_levels_are_told_once_each_over_every_channel(redis_url: str, tmp_path: Path) -> None:
    make_rate()
    acme = make_organization()
    budget = make_budget(acme, "0.045", enforcement="soft", name="A day")
    for level, severity in ((80, "warning"), (100, "critical")):
        budget.thresholds.create(level=level, severity=severity)
    call_command("setup_cost_schedules", verbosity=0)
    with ExitStack() as stack:
        smtp, mails = stack.enter_context(mail_server())
        hook = stack.enter_context(webhook_receiver())
        chat = stack.enter_context(webhook_receiver())
        for name, kind, target, secret in (
            ("mail", "email", "team@example.org", ""),
            ("hook", "webhook", hook.url, "env:COSTTRACK_HOOK_SECRET"),
            ("chat", "apprise", "env:COSTTRACK_CHAT_URL", ""),
        ):
            AlertChannel.objects.create(organization=acme, name=name, kind=kind, target=target, secret=secret)
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.site.with_mail",
            "DATABASE_URL": url_of_the_test_database(),
            "REDIS_URL": redis_url,
            "COSTTRACK_SPOOL_DIR": str(tmp_path),
            "SMTP_ADDRESS": smtp,
            "HOOK_ADDRESS": hook.address,
            "COSTTRACK_HOOK_SECRET": SECRET,
            "COSTTRACK_CHAT_URL": f"json://{chat.address}/chat",
        }
        stack.enter_context(celery("worker", "--pool", "solo", environment=environment))
        stack.enter_context(celery("beat", "--schedule", str(tmp_path / "beat"), environment=environment))
        now = datetime.now(UTC)
        record_events([make_event(occurred_at=now) for _ in range(8)])  # 0.036 of 0.045: 80 %
        record_events([make_event(occurred_at=now) for _ in range(2)])  # 0.045: 100 %
        wait_until(lambda: AlertDelivery.objects.filter(state="sent").count() == 6, "six deliveries")
        wait_until(
            lambda: JobRun.objects.filter(name="check_budgets", finished_at__isnull=False).exists(), "the job's run"
        )
    alerts = BudgetAlert.objects.order_by("raised_at", "severity")
    assert sorted((one.severity, Decimal(one.figures["cost"])) for one in alerts) == [
        ("critical", Decimal("0.045")),
        ("warning", Decimal("0.036")),
    ]
    assert AlertDelivery.objects.count() == 6
    assert len(mails.received) == len(hook.received) == len(chat.received) == 2
    assert sum("[critical] acme: A day:" in mail.replace("\r\n ", " ") for mail in mails.received) == 1
    for headers, body in hook.received:
        Webhook(SECRET).verify(body, headers)
    assert {json.loads(body)["data"]["severity"] for _, body in hook.received} == {"warning", "critical"}
    assert {headers["webhook-id"] for headers, _ in hook.received} == {
        str(key) for key in AlertDelivery.objects.filter(channel__name="hook").values_list("id", flat=True)
    }
    assert {json.loads(body)["type"] for _, body in chat.received} == {"warning", "failure"}
