"""`manage.py flush_usage`: what it says, and how it ends."""

from __future__ import annotations

import json
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from costtrack.metering.spool import booking
from costtrack.metering.spool.dead_letters import DeadLetter, DeadLetters
from costtrack.metering.spool.directory import prepared_directory
from costtrack.metering.spool.encoding import encode
from costtrack.metering.spool.header import SegmentHeader, address_of
from costtrack.metering.spool.segment import WrittenSegment
from costtrack.models import ResourceUsage
from tests.factories import make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def spool_dir(tmp_path: Path, settings: Any) -> Path:
    """Where three events lie that a dead process left, one of them twice, for acme."""
    settings.COSTTRACK = {"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "spool"}
    make_rate()
    make_organization()
    directory = prepared_directory(tmp_path / "spool")
    segment = WrittenSegment(directory, SegmentHeader(address=address_of("default")))
    segment.append(b"".join(encode(make_event(key=key), 1) for key in ("a", "b", "b")))
    segment.close()
    return directory


def flush_usage(*arguments: str) -> str:
    out = StringIO()
    call_command("flush_usage", *arguments, stdout=out)
    return out.getvalue()


def test_it_says_what_was_booked_and_then_that_nothing_is_left(spool_dir: Path) -> None:
    assert flush_usage() == (
        "Booked 3 event(s) that 1 segment(s) of dead processes held: 2 recorded, 1 were in the ledger already, "
        "0 could not be booked, 0 wait for their organization.\n"
    )
    assert ResourceUsage.objects.count() == 2
    assert flush_usage() == "No dead process has left anything.\n"


def test_as_json(spool_dir: Path) -> None:
    assert json.loads(flush_usage("--json")) == {
        "flushed": {
            "segments": 1,
            "recorded": 2,
            "duplicates": 1,
            "dead_letters": 0,
            "waiting": 0,
            "organizations": [],
        },
        "segments_left": {"live": 0, "orphaned": 0, "foreign": 0, "unreadable": 0},
    }


def test_what_is_left_is_named_with_exit_status_1(spool_dir: Path) -> None:
    (spool_dir / "1-1-a.segment").write_text("no segment")
    segment = WrittenSegment(spool_dir, SegmentHeader(address=address_of("default")))
    segment.append(encode(make_event(attribution={"organization": "nobody"}), time.time_ns() // 1_000_000))
    segment.close()
    out = StringIO()
    with pytest.raises(CommandError, match="Not all that dead processes left is booked") as failed:
        call_command("flush_usage", stdout=out)
    assert failed.value.returncode == 1
    assert out.getvalue().splitlines()[1:] == [
        "They wait for the organization(s) 'nobody'. Create what is missing, and run this again.",
        "1 segment(s) of dead processes are left: what waits, or what another process is just booking.",
        "1 segment(s) can not be read: another user's, or of another version of costtrack.",
    ]


def test_an_unusable_directory_is_no_spool_to_flush(tmp_path: Path, settings: Any) -> None:
    (tmp_path / "file").write_text("")
    settings.COSTTRACK = {"SPOOL_DIR": tmp_path / "file" / "spool"}
    with pytest.raises(CommandError, match=r"^There is no spool to flush: .*file/spool can not be written"):
        flush_usage()


def test_without_a_directory_there_is_nothing_to_do(tmp_path: Path, settings: Any) -> None:
    settings.COSTTRACK = {"SPOOL_DIR": tmp_path / "never"}
    assert flush_usage() == "No dead process has left anything.\n"


def test_dead_letters_are_retried_on_request_and_what_still_fails_is_told_with_exit_status_1(spool_dir: Path) -> None:
    letters = DeadLetters(spool_dir)
    letters.add([DeadLetter(reason="r", event=make_event(attribution={"organization": "nobody"}))] * 2)
    letters.add([DeadLetter(reason="r", event=make_event(key="good"))])
    out = StringIO()
    with pytest.raises(CommandError, match=r"each event is kept with its reason in .*dead-letters\.jsonl") as failed:
        call_command("flush_usage", "--retry-dead-letters", stdout=out)
    assert failed.value.returncode == 1
    assert out.getvalue().splitlines()[1:] == [
        "Retried 3 dead letter(s): 1 recorded, 0 were in the ledger already, 2 kept.",
        "       2 x rejected: Organization 'nobody' does not exist; usage never creates one.",
    ]
    make_organization("nobody")
    # both letters are the same event
    assert "Retried 2 dead letter(s): 1 recorded, 1 were in the ledger already, 0 kept." in flush_usage(
        "--retry-dead-letters"
    )


def test_a_database_that_is_away_is_told_and_nothing_is_lost(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("no route to host")

    monkeypatch.setattr(booking, "record_events", away)
    with pytest.raises(CommandError, match=r"no route to host\. Nothing is lost: what is left stays in") as failed:
        flush_usage()
    assert failed.value.returncode == 1
    monkeypatch.undo()
    assert "2 recorded" in flush_usage()
