"""What processes left that are gone: seen from outside, booked by hand, and dead letters tried again."""

from __future__ import annotations

import base64
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.db import OperationalError

import costtrack
from costtrack.aggregation import verify_books
from costtrack.domain.events import UsageEvent
from costtrack.metering import spool
from costtrack.metering.health import metering_health
from costtrack.metering.spool import booking
from costtrack.metering.spool.booking import BookingDelayed
from costtrack.metering.spool.dead_letters import DeadLetter, DeadLetters
from costtrack.metering.spool.directory import prepared_directory
from costtrack.metering.spool.encoding import encode
from costtrack.metering.spool.header import SegmentHeader, address_of
from costtrack.metering.spool.installation import installation_uuid
from costtrack.metering.spool.leftovers import book_leftovers
from costtrack.metering.spool.retry import retry_dead_letters
from costtrack.metering.spool.segment import WrittenSegment
from costtrack.metering.spool.state import SegmentKind, spool_state
from costtrack.models import ResourceUsage
from tests.factories import make_event, make_organization, make_rate
from tests.metering.spool.spooling import CALL, segments

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def acme(spool_dir: Path) -> None:
    make_rate()
    make_organization()
    prepared_directory(spool_dir)


def leave(directory: Path, *events: UsageEvent, spooled_ms: int = 1, **header: Any) -> None:
    """A segment of a process that is gone."""
    segment = WrittenSegment(directory, SegmentHeader(**{"address": address_of("default"), **header}))
    for event in events:
        segment.append(encode(event, spooled_ms))
    segment.close()


def kinds(directory: Path) -> dict[str, int]:
    state = spool_state(directory, address=address_of("default"), installation=installation_uuid(using="default"))
    return {kind.value: state.count(kind) for kind in SegmentKind if state.count(kind)}


def test_leftovers_are_booked_once_and_their_segments_go(spool_dir: Path) -> None:
    leave(spool_dir, make_event(key="a"), make_event(key="b"))
    leave(spool_dir, make_event(key="b"), make_event(key="c"))
    seen: list[int] = []
    done = book_leftovers(lambda so_far: seen.append(so_far.events))
    # b is the same event in both: booked from one, met again in the other
    assert (done.segments, done.recorded, done.duplicates, done.dead_letters, done.waiting) == (2, 3, 1, 0, 0)
    assert seen == [2, 4]
    assert segments(spool_dir) == []
    assert sorted(ResourceUsage.objects.values_list("idempotency_key", flat=True)) == ["a", "b", "c"]
    assert verify_books() == []
    assert book_leftovers().segments == 0


def test_segments_of_living_processes_and_other_databases_and_strange_files_are_left_alone(spool_dir: Path) -> None:
    costtrack.record_usage(**CALL)  # this process lives
    assert costtrack.flush(10)
    leave(spool_dir, make_event(key="foreign"), installation=uuid4())
    leave(spool_dir, make_event(key="elsewhere"), address="0" * 16)
    (spool_dir / "1-1-a.segment").write_text("no segment")
    before = segments(spool_dir)
    assert book_leftovers().segments == 0
    assert segments(spool_dir) == before
    assert kinds(spool_dir) == {"live": 1, "foreign": 2, "unreadable": 1}


def test_a_segment_that_was_partly_booked_is_booked_from_there_on(spool_dir: Path) -> None:
    segment = WrittenSegment(spool_dir, SegmentHeader(address=address_of("default")))
    segment.append(encode(make_event(key="a"), 1))
    segment.set_booked(segment.length)
    segment.append(encode(make_event(key="b"), 1))
    segment.close()
    assert book_leftovers().recorded == 1
    assert ResourceUsage.objects.get().idempotency_key == "b"


def test_leftovers_stay_while_the_database_is_away(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(spool_dir, make_event(key="a"))

    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("no route to host")

    monkeypatch.setattr(booking, "record_events", away)
    with pytest.raises(BookingDelayed, match="no route to host"):
        book_leftovers()
    assert kinds(spool_dir) == {"orphaned": 1}
    monkeypatch.undo()
    assert book_leftovers().recorded == 1


def test_an_event_without_its_organization_waits_for_the_next_time(spool_dir: Path) -> None:
    event = make_event(attribution={"organization": "tomorrow"})
    leave(spool_dir, event, spooled_ms=time.time_ns() // 1_000_000)
    assert book_leftovers().waiting == 1
    assert kinds(spool_dir) == {"orphaned": 1}
    make_organization("tomorrow")
    assert book_leftovers().recorded == 1
    assert segments(spool_dir) == []


def test_the_state_tells_how_much_waits_and_for_how_long(spool_dir: Path) -> None:
    event = make_event(key="a")
    leave(spool_dir, event, spooled_ms=(time.time_ns() // 1_000_000) - 90_000)
    health = metering_health()
    assert health.spool.unbooked_bytes == len(encode(event, time.time_ns() // 1_000_000))
    assert 90 <= health.spool.oldest_unflushed_seconds < 100
    [problem] = health.problems
    assert problem == (
        "Usage has waited 90 s to be booked, or for an organization that does not exist, 1 segment(s) of processes "
        "that are gone: run `manage.py flush_usage`."
    )
    assert book_leftovers().recorded == 1
    assert metering_health().problems == ()
    assert metering_health().counters["recorded"] == 1


def test_a_dead_letter_is_recorded_once_its_cause_is_mended(spool_dir: Path) -> None:
    leave(spool_dir, make_event(key="a", attribution={"organization": "later"}), make_event(key="b"))
    assert book_leftovers().dead_letters == 1  # spooled in 1970: no patience is left
    letters = DeadLetters(spool_dir)
    assert letters.count() == 1
    assert metering_health().problems[0].startswith("1 event(s) could not be booked, most often: rejected: Organiz")
    done = retry_dead_letters()
    assert (done.recorded, done.duplicates, done.kept, letters.count()) == (0, 0, 1, 1)
    assert list(done.reasons) == ["rejected: Organization 'later' does not exist; usage never creates one."]
    make_organization("later")
    done = retry_dead_letters()
    assert (done.recorded, done.duplicates, done.kept, letters.count()) == (1, 0, 0, 0)
    assert ResourceUsage.objects.get(organization__slug="later").cost_usd == Decimal("0.0045")
    assert retry_dead_letters().recorded == 0
    assert verify_books() == []


def test_a_dead_letter_that_people_mended_in_the_file_is_recorded_as_mended(spool_dir: Path) -> None:
    letters = DeadLetters(spool_dir)
    letters.add([DeadLetter(reason="rejected", event=make_event(key="a", attribution={"organization": "acmee"}))])
    text = letters.path.read_text()
    letters.path.write_text(text.replace('"acmee"', '"acme"'))
    assert retry_dead_letters().recorded == 1
    assert ResourceUsage.objects.get().organization.slug == "acme"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "The line can not be read: "),
        (b"{}", "The line can not be read: "),
        (b'{"reason": "r", "event": {}, "failed_at": "2026-11-20T12:00:00+00:00"}', "The line can not be read: "),
        (
            orjson.dumps({"reason": "r", "raw": base64.b64encode(b"torn").decode(), "failed_at": "2026-11-20"}),
            "The checksum does not match",
        ),
    ],
)
def test_a_line_that_can_not_be_read_is_kept_as_it_is(spool_dir: Path, line: bytes, reason: str) -> None:
    letters = DeadLetters(spool_dir)
    letters.put_back([line])
    letters.add([DeadLetter(reason="rejected", event=make_event(key="good"))])
    done = retry_dead_letters()
    assert (done.recorded, done.kept) == (1, 1)
    assert next(iter(done.reasons)).startswith(reason)
    assert letters.path.read_bytes() == line + b"\n"


def test_a_retry_that_was_killed_is_found_again(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = DeadLetters(spool_dir)
    letters.add([DeadLetter(reason="rejected", event=make_event(key="a"))])

    class Killed(BaseException):
        pass

    def kill(*args: Any, **kwargs: Any) -> Any:
        raise Killed

    monkeypatch.setattr(booking, "record_events", kill)
    with pytest.raises(Killed):
        retry_dead_letters()
    letters.add([DeadLetter(reason="rejected", event=make_event(key="b"))])
    assert letters.count() == 2
    monkeypatch.undo()
    assert retry_dead_letters().recorded == 2
    assert [path.name for path in spool_dir.glob("dead-letters*") if path.stat().st_size] == []


def test_subscribers_get_what_is_booked_by_hand(spool_dir: Path) -> None:
    told: list[str] = []
    callback = costtrack.subscribe(lambda usage: told.append(usage.event.idempotency_key))
    try:
        leave(spool_dir, make_event(key="a"))
        book_leftovers()
        DeadLetters(spool_dir).add([DeadLetter(reason="rejected", event=make_event(key="b"))])
        retry_dead_letters()
        assert told == ["a", "b"]
    finally:
        costtrack.unsubscribe(callback)
    assert spool.running() is None  # neither needs a flusher
