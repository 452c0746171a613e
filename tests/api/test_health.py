"""The health endpoint."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

import costtrack
from costtrack.metering import spool
from costtrack.metering.spool.dead_letters import DeadLetter, DeadLetters
from costtrack.models import AlertChannel, JobRun
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_is_for_those_who_are_known(client: Any) -> None:
    assert client.get("/api/costs/health").status_code == 401


def test_the_figures_of_a_healthy_site_and_503_once_there_is_a_dead_letter(
    admin_client: Any, tmp_path: Path, settings: Any
) -> None:
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "spool"}
    make_rate()
    make_organization()
    try:
        costtrack.record_usage(organization="acme", provider="openai", model="test-model", input_tokens=1)
        assert costtrack.flush(10)
        answer = admin_client.get("/api/costs/health")
        assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
        body = answer.json()
        assert (body["status"], body["problems"], body["transport"]) == ("ok", [], "spool")
        assert body["counters"] == {
            "recorded": 1,
            "duplicates": 0,
            "conflicts": 0,
            "dead_letters": 0,
            "damaged_lines": 0,
            "overflows": 0,
            "flush_errors": 0,
        }
        assert body["counters_of_this_process"] == {
            **body["counters"],
            "lost": body["counters_of_this_process"]["lost"],
        }
        assert body["spool"]["segments"] == {"live": 1, "orphaned": 0, "foreign": 0, "unreadable": 0}
        assert (body["spool"]["unflushed_bytes"], body["spool"]["oldest_unflushed_seconds"]) == (0, 0.0)
        DeadLetters(tmp_path / "spool").add([DeadLetter(reason="rejected: because", event=make_event())])
        answer = admin_client.get("/api/costs/health/")
        assert answer.status_code == 503
        assert answer.json()["status"] == "degraded"
        assert "rejected: because" in answer.json()["problems"][0]
    finally:
        spool.stop(5.0)


def test_a_job_that_runs_no_more_and_a_channel_that_fails_are_problems(
    admin_client: Any, tmp_path: Path, settings: Any
) -> None:
    settings.COSTTRACK = {"TRANSPORT": "inline", "SPOOL_DIR": tmp_path / "spool"}
    acme = make_organization()
    assert admin_client.get("/api/costs/health").status_code == 200
    hour = timedelta(hours=1)
    JobRun.objects.create(name="check_budgets", started_at=NOON - hour, finished_at=NOON - hour)
    AlertChannel.objects.create(
        organization=acme, name="pager", kind="handler", target="p", last_error="away", last_error_at=NOON
    )
    with time_machine.travel(NOON, tick=False):
        answer = admin_client.get("/api/costs/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
    assert [problem.partition(" has ")[0].partition(" failed")[0] for problem in answer.json()["problems"]] == [
        "The job check_budgets",
        "The last attempt over the channel 'pager' of acme",
    ]
