from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from django.core.management import call_command
from django.db import connection
from django_celery_beat.models import PeriodicTask

from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary
from costtrack.tasks import aggregate_costs
from tests.factories import make_event, make_organization, make_rate


@pytest.mark.django_db
def test_the_task_does_what_the_command_does() -> None:
    make_rate()
    make_organization()
    record_events([make_event(), make_event()])
    assert aggregate_costs() == 1
    assert sorted(DailyCostSummary.all_grains.values_list("grain", flat=True)) == ["agent", "project"]


@pytest.mark.django_db
def test_the_schedule_is_made_once_and_keeps_what_the_host_changed(capsys) -> None:
    call_command("costtrack_schedule")
    task = PeriodicTask.objects.get(task="costtrack.aggregate_costs")
    assert task.interval.every == 5
    task.enabled = False
    task.save()
    call_command("costtrack_schedule")
    assert PeriodicTask.objects.filter(task="costtrack.aggregate_costs", enabled=False).count() == 1
    assert "is scheduled already" in capsys.readouterr().out
    PeriodicTask.objects.create(name="the host's own", task="other", interval=task.interval)
    call_command("costtrack_schedule", "--remove")
    assert list(PeriodicTask.objects.filter(name="the host's own").values_list("task", flat=True)) == ["other"]
    assert not PeriodicTask.objects.filter(task__startswith="costtrack.").exists()


@pytest.mark.django_db(transaction=True)
def test_a_real_worker_folds_what_a_real_broker_asks_for(redis_url: str) -> None:
    make_rate()
    make_organization()
    record_events([make_event()])
    environment = {**os.environ, "REDIS_URL": redis_url, "DATABASE_URL": _url_of_the_test_database()}
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "project", "worker", "--pool", "solo", "--loglevel", "WARNING"],
        env=environment,
    )
    try:
        send = "from project.celery import app; app.send_task('costtrack.aggregate_costs')"
        subprocess.run([sys.executable, "-c", send], env=environment, check=True, timeout=60)
        deadline = time.monotonic() + 60
        while DailyCostSummary.all_grains.filter(grain="pending").exists():
            assert time.monotonic() < deadline, "the worker has not folded within a minute"
            assert worker.poll() is None, "the worker has ended"
            time.sleep(0.1)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    assert DailyCostSummary.all_grains.filter(grain="agent").count() == 1


def _url_of_the_test_database() -> str:
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    host = str(values["HOST"]).replace("/", "%2F")
    return f"postgres://{values['USER']}:{values['PASSWORD']}@{host}:{values['PORT']}/{values['NAME']}"
