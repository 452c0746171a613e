"""`manage.py costtrack_doctor`: one line for each thing, and exit status 1 if one is not well."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

import costtrack
from costtrack.management import doctor
from costtrack.metering import spool
from costtrack.metering.ledger import record_events
from costtrack.metering.spool.dead_letters import DeadLetter, DeadLetters
from costtrack.metering.spool.directory import prepared_directory
from costtrack.models import AlertChannel, JobRun
from tests.factories import make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def spool_dir(tmp_path: Path, settings: Any) -> Any:
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "spool"}
    yield tmp_path / "spool"
    spool.stop(5.0)


def examined(*arguments: str) -> tuple[str, int]:
    """What it prints, and its exit status."""
    out = StringIO()
    try:
        call_command("costtrack_doctor", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


def line_about(about: str, text: str) -> str:
    [found] = [line for line in text.splitlines() if line.split()[1] == about]
    return found


def test_a_healthy_site(spool_dir: Path) -> None:
    make_rate()
    make_organization()
    costtrack.record_usage(organization="acme", provider="openai", model="test-model", input_tokens=1)
    assert costtrack.flush(10)
    text, status = examined()
    assert status == 0
    assert [line.split()[:2] for line in text.splitlines()] == [
        ["ok", "settings"],
        ["ok", "database"],
        ["ok", "spool"],
        ["ok", "waiting"],
        ["ok", "counted"],
        ["ok", "rates"],
        ["ok", "summaries"],
        ["ok", "partitions"],
        ["ok", "jobs"],
        ["ok", "channels"],
    ]
    assert "1 live, 0 orphaned" in line_about("spool", text)
    assert "1 recorded, 0 duplicates, 0 conflicts, 0 dead letters" in line_about("counted", text)
    assert line_about("rates", text).endswith("1 rates")
    assert line_about("summaries", text).endswith("1 sums wait to be folded")


def test_it_changes_nothing(spool_dir: Path) -> None:
    examined()
    assert not spool_dir.exists()


def test_a_wrong_setting_and_dead_letters_are_problems(spool_dir: Path, settings: Any) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "MAX_AGENT": 3}
    DeadLetters(prepared_directory(spool_dir)).add([DeadLetter(reason="rejected: because", event=make_event())])
    text, status = examined()
    assert status == 1
    assert line_about("settings", text).startswith("problem  settings   costtrack.E002: ")
    assert "Did you mean 'MAX_AGENTS'?" in line_about("settings", text)
    assert "1 event(s) could not be booked, most often: rejected: because" in line_about("metering", text)
    assert line_about("rates", text).startswith("warning  rates      there is no rate, so all usage is unpriced")


def test_many_sums_that_nobody_folds_are_a_warning(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MANY_PENDING", 1)
    make_organization()
    record_events([make_event()])
    record_events([make_event()])
    text, status = examined()
    assert status == 0
    assert "over 1 sums wait to be folded: run `manage.py aggregate_costs`" in line_about("summaries", text)


def test_as_json_it_holds_the_findings_and_the_figures(spool_dir: Path) -> None:
    text, status = examined("--json")
    answer = json.loads(text)
    assert status == 0
    assert {"about", "verdict", "text"} == set(answer["findings"][0])
    assert answer["metering"]["status"] == "ok"
    assert answer["metering"]["counters"]["recorded"] == 0


def test_a_late_job_is_a_warning_and_what_was_given_up_a_problem(spool_dir: Path) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    JobRun.objects.create(name="deliver_alerts", started_at=long_ago, finished_at=long_ago)
    AlertChannel.objects.create(name="pager", kind="handler", target="p", last_error="away", last_error_at=long_ago)
    text, status = examined()
    assert status == 1
    assert line_about("jobs", text).startswith(
        "warning  jobs       The job deliver_alerts has not ended well since 2026"
    )
    assert line_about("channels", text).endswith("The last attempt over the channel 'pager' of the site failed: away")
