from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from django.core.management import call_command, get_commands
from django.db import connection
from django_celery_beat.models import PeriodicTask

from costtrack.jobs.schedule import JOBS
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary
from costtrack.models.summaries import GRAINS
from costtrack.tasks import aggregate_costs
from tests.factories import make_event, make_organization, make_rate


@pytest.mark.django_db
def test_the_task_does_what_the_command_does() -> None:
    make_rate()
    make_organization()
    record_events([make_event(), make_event()])
    assert aggregate_costs() == 1
    assert sorted(DailyCostSummary.all_grains.values_list("grain", flat=True)) == sorted(GRAINS)


TASKS = [
    "costtrack.aggregate_costs",
    "costtrack.check_budgets",
    "costtrack.daily_report",
    "costtrack.deliver_alerts",
    "costtrack.find_alerts",
    "costtrack.find_recommendations",
    "costtrack.flush_usage",
    "costtrack.partition_usage",
    "costtrack.verify_books",
]


def scheduled() -> list[str]:
    return sorted(PeriodicTask.objects.filter(task__startswith="costtrack.").values_list("task", flat=True))


@pytest.mark.django_db
def test_the_schedule_is_made_once_and_only_our_own_rows_are_touched(capsys) -> None:
    call_command("setup_cost_schedules")
    assert scheduled() == TASKS
    fold = PeriodicTask.objects.get(task="costtrack.aggregate_costs")
    assert (fold.interval.every, fold.interval.period) == (30, "seconds")
    proof = PeriodicTask.objects.get(task="costtrack.verify_books").crontab
    assert (proof.minute, proof.hour, str(proof.timezone)) == ("41", "3", "UTC")
    PeriodicTask.objects.create(name="the host's own", task="costtrack.aggregate_costs", interval=fold.interval)
    PeriodicTask.objects.create(name="costtrack: the host's other", task="other", interval=fold.interval)
    PeriodicTask.objects.filter(pk=fold.pk).update(enabled=False, description="old")
    call_command("setup_cost_schedules")
    assert len(scheduled()) == len(TASKS) + 1
    fold.refresh_from_db()
    assert (fold.enabled, fold.description) == (False, "fold what was recorded")
    assert "updated, disabled" in capsys.readouterr().out
    call_command("setup_cost_schedules", "--remove")
    assert sorted(PeriodicTask.objects.filter(name__contains="host").values_list("name", flat=True)) == [
        "costtrack: the host's other",
        "the host's own",
    ]
    assert len(scheduled()) == 1


@pytest.mark.django_db
def test_a_job_of_an_earlier_version_goes(capsys) -> None:
    call_command("setup_cost_schedules")
    interval = PeriodicTask.objects.get(task="costtrack.aggregate_costs").interval
    PeriodicTask.objects.create(name="costtrack: aggregate costs", task="costtrack.aggregate_costs", interval=interval)
    call_command("setup_cost_schedules")
    assert scheduled() == TASKS
    assert "Removed 1 of an earlier version." in capsys.readouterr().out


def test_every_task_of_the_schedule_is_one_of_celery_s_and_its_command_one_of_django_s(capsys) -> None:
    from project.celery import app

    app.loader.import_default_modules()
    commands = get_commands()
    assert sorted(job.task for job in JOBS) == TASKS
    assert all(job.task in app.tasks and job.command.split()[0] in commands for job in JOBS)
    call_command("setup_cost_schedules", "--crontab")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(JOBS)
    assert lines[0] == "* * * * *      cd /path/to/site && .venv/bin/python manage.py aggregate_costs"


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
