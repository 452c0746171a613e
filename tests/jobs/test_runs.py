"""When each job ran last, and what was wrong; and what is said of one that runs no more."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import DatabaseError

from costtrack.jobs.health import delivery_problems, late_jobs
from costtrack.jobs.runs import job_run
from costtrack.jobs.schedule import JOBS
from costtrack.models import AlertChannel, BudgetAlert, JobRun
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db(transaction=True)


def run(name: str, *, fails_with: Exception | None = None) -> None:
    with job_run(name):
        if fails_with:
            raise fails_with


def test_a_run_is_noted_with_its_end_and_a_failure_with_its_reason_on_one_line() -> None:
    with time_machine.travel(NOON, tick=False):
        run("check_budgets")
    noted = JobRun.objects.get()
    assert (noted.started_at, noted.finished_at, noted.last_error) == (NOON, NOON, "")
    with (
        time_machine.travel(NOON + timedelta(hours=1), tick=False),
        pytest.raises(DatabaseError, match="is away"),
    ):
        run("check_budgets", fails_with=DatabaseError("it\x00 is away\nfor long"))
    noted.refresh_from_db()
    assert (noted.started_at, noted.finished_at) == (NOON + timedelta(hours=1), NOON)
    assert noted.last_error == "DatabaseError: it  is away for long"
    run("check_budgets")
    assert JobRun.objects.get().last_error == ""


def test_a_job_that_ran_once_and_does_not_any_more_is_told_after_ten_intervals() -> None:
    with time_machine.travel(NOON, tick=False):
        run("check_budgets")
        run("find_alerts")
        run("verify_books")
    assert late_jobs(now=NOON + timedelta(minutes=5), using="default") == []
    (told,) = late_jobs(now=NOON + timedelta(minutes=6), using="default")
    assert told.startswith(
        "The job check_budgets has not ended well since 2026-11-20 12:00 UTC: run `manage.py check_budgets`"
    )
    assert len(late_jobs(now=NOON + timedelta(hours=11), using="default")) == 2
    assert len(late_jobs(now=NOON + timedelta(days=11), using="default")) == 3


def test_a_job_that_fails_each_time_is_told_with_its_error() -> None:
    with time_machine.travel(NOON, tick=False), pytest.raises(ValueError, match="no such thing"):
        run("deliver_alerts", fails_with=ValueError("no such thing"))
    (told,) = late_jobs(now=NOON + timedelta(hours=1), using="default")
    assert told.startswith("The job deliver_alerts has not ended well ever")
    assert told.endswith("Its last error: ValueError: no such thing")


def test_the_intervals_are_those_of_the_schedule() -> None:
    assert {job.name: job.interval for job in JOBS} == {
        "aggregate_costs": timedelta(seconds=30),
        "check_budgets": timedelta(seconds=30),
        "deliver_alerts": timedelta(seconds=30),
        "flush_usage": timedelta(minutes=5),
        "find_alerts": timedelta(hours=1),
        "daily_report": timedelta(hours=1),
        "find_recommendations": timedelta(days=1),
        "partition_usage": timedelta(days=1),
        "verify_books": timedelta(days=1),
    }


def test_channels_that_fail_and_what_was_given_up_are_told() -> None:
    acme = make_organization()
    pager = AlertChannel.objects.create(organization=acme, name="pager", kind="handler", target="pager")
    assert delivery_problems(using="default") == []
    AlertChannel.objects.update(last_error="away", last_error_at=NOON, last_sent_at=NOON - timedelta(hours=1))
    alert = BudgetAlert.objects.create(
        organization=acme, kind="unpriced", key="k", severity="warning", message="m", raised_at=NOON
    )
    pager.alertdelivery_set.create(alert=alert, state="dead", created_at=NOON, next_attempt_at=NOON)
    assert delivery_problems(using="default") == [
        "The last attempt over the channel 'pager' of acme failed: away",
        "Over the channel 'pager' of acme 1 alert delivery could not be sent and was given up: mend the channel, "
        "then try them again in the admin, under Alert deliveries.",
    ]
    AlertChannel.objects.update(last_sent_at=NOON + timedelta(hours=1))
    assert len(delivery_problems(using="default")) == 1
    AlertChannel.objects.update(is_active=False)
    assert delivery_problems(using="default") == []
