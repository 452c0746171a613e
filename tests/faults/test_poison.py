"""Events that the database refuses are kept with their reason; all others of their batch land, once and in order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
import pytest
from django.db import connection

import costtrack
from costtrack.aggregation import verify_books
from costtrack.domain.events import UsageEvent
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.metering import spool
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.dead_letters import DeadLetters
from costtrack.metering.spool.encoding import CHECKSUM_BYTES, encode
from costtrack.metering.spool.header import SegmentHeader, address_of
from costtrack.metering.spool.leftovers import book_leftovers
from costtrack.metering.spool.retry import retry_dead_letters
from costtrack.metering.spool.segment import WrittenSegment, adopted
from costtrack.models import ResourceUsage
from tests.factories import make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


def tokens_beyond_their_whole() -> TokenUsage:
    """What no constructor gives: more cached tokens than tokens."""
    tokens = TokenUsage.__new__(TokenUsage)
    values = {**dict.fromkeys(TOKEN_FIELDS, 0), "input_tokens": 10, "cache_read_tokens": 20}
    object.__setattr__(tokens, "__dict__", values)
    return tokens


def poison(kind: str, key: str) -> UsageEvent:
    """An event that `build_event` would never let through."""
    fields: dict[str, Any] = {
        "an amount too large for its column": {"amount": Decimal(10) ** 20},
        "a negative amount": {"amount": Decimal(-1)},
        "a latency of 2**63": {"latency_ms": 2**63},
        "an outcome that nobody knows": {"outcome": "x" * 50},
        "a cost that is no number": {"reported_cost_usd": Decimal("NaN")},
        "NUL in its metadata": {"metadata": {"said": "\x00"}},
        "NUL in a project": {"attribution": {"project": "a\x00b"}},
        "a model of 1,000 characters": {"model": "m" * 1000},
    }[kind]
    return make_event(key=key, **fields)


EVERYWHERE = ["an amount too large for its column", "a negative amount", "a latency of 2**63"]
ON_POSTGRESQL = [
    "an outcome that nobody knows",
    "a cost that is no number",
    "NUL in its metadata",
    "NUL in a project",
    "a model of 1,000 characters",
]
"""SQLite has no lengths, stores NUL, and has no numeric type to refuse these with."""


def kinds() -> list[str]:
    """Of this database."""
    return EVERYWHERE + (ON_POSTGRESQL if connection.vendor == "postgresql" else [])


@pytest.fixture(autouse=True)
def acme(spool_dir: Path) -> None:
    make_rate()
    make_organization()


def letters(spool_dir: Path) -> list[dict[str, Any]]:
    """The dead letters, as they are in the file."""
    path = DeadLetters(spool_dir).path
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


@pytest.mark.parametrize("poisoned", [[0], [37], [99], [0, 99], [50, 51], range(100)], ids=str)
def test_of_a_hundred_events_all_but_the_poisoned_ones_land(spool_dir: Path, poisoned: Any) -> None:
    known = kinds()
    events = [
        poison(known[number % len(known)], f"k-{number}") if number in poisoned else make_event(key=f"k-{number}")
        for number in range(100)
    ]
    spool.append_all(events)
    assert costtrack.flush(60)

    healthy = [f"k-{number}" for number in range(100) if number not in poisoned]
    keys = list(ResourceUsage.objects.order_by("id").values_list("idempotency_key", flat=True))
    assert sorted(keys) == sorted(healthy)
    dead = letters(spool_dir)
    assert [letter["event"]["idempotency_key"] for letter in dead] == [f"k-{number}" for number in sorted(poisoned)]
    assert all(letter["reason"].startswith("rejected: ") and len(letter["reason"]) > 30 for letter in dead)
    assert verify_books() == []

    # No endless retry: all of the segment is done with, and the next event comes through.
    spool.append_all([make_event(key="next"), *[event for event in events if event.idempotency_key in healthy]])
    assert costtrack.flush(60)
    assert ResourceUsage.objects.count() == len(healthy) + 1
    running = spool.running()
    assert running is not None
    counted = running.counters.in_this_process()
    assert (counted["recorded"], counted["duplicates"]) == (len(healthy) + 1, len(healthy))
    assert (counted["dead_letters"], counted["flush_errors"]) == (len(poisoned), 0)


@pytest.mark.parametrize("kind", EVERYWHERE + ON_POSTGRESQL)
def test_each_kind_of_poison_is_kept_with_a_reason_and_its_neighbours_land(spool_dir: Path, kind: str) -> None:
    spool.append_all([make_event(key="before"), poison(kind, "poison"), make_event(key="after")])
    assert costtrack.flush(30)
    keys = set(ResourceUsage.objects.values_list("idempotency_key", flat=True))
    dead = [letter["event"]["idempotency_key"] for letter in letters(spool_dir)]
    # Each is in exactly one place: SQLite takes some that PostgreSQL refuses.
    assert sorted([*keys, *dead]) == ["after", "before", "poison"]
    assert {"after", "before"} <= keys
    assert "poison" in dead or kind not in kinds()
    assert verify_books() == []


def test_the_events_around_poison_keep_their_order(spool_dir: Path) -> None:
    spool.append_all(
        [
            poison("a negative amount", f"k-{number:02}") if number % 7 == 3 else make_event(key=f"k-{number:02}")
            for number in range(50)
        ]
    )
    assert costtrack.flush(30)
    dead = [letter["event"]["idempotency_key"] for letter in letters(spool_dir)]
    assert dead == [f"k-{number:02}" for number in range(3, 50, 7)]
    assert ResourceUsage.objects.count() == 43


def test_a_dead_letter_that_is_retried_in_vain_is_kept_once_and_recorded_once_mended(spool_dir: Path) -> None:
    spool.append_all([poison("a negative amount", "poison")])
    assert costtrack.flush(30)
    for _ in range(3):
        assert retry_dead_letters().kept == 1
    [letter] = letters(spool_dir)
    letter["event"]["amount"] = "1100"
    DeadLetters(spool_dir).path.write_bytes(orjson.dumps(letter) + b"\n")
    assert retry_dead_letters().recorded == 1
    assert retry_dead_letters().recorded == 0
    assert ResourceUsage.objects.get().idempotency_key == "poison"
    assert letters(spool_dir) == []


def left_by_a_dead_process(spool_dir: Path, data: bytes) -> None:
    """A segment with these bytes after its header, whose writer is gone."""
    spool_dir.mkdir(exist_ok=True)
    segment = WrittenSegment(spool_dir, SegmentHeader(address=address_of("default")))
    segment.append(data)
    segment.close()


def lines(count: int) -> list[bytes]:
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    return [encode(make_event(key=f"k-{number}"), now_ms) for number in range(count)]


def cut_in_the_last(written: list[bytes]) -> bytes:
    return b"".join(written)[:-40]


def flipped_in_the_middle(written: list[bytes]) -> bytes:
    flipped = bytearray(written[5])
    flipped[60] ^= 0x04
    return b"".join([*written[:5], bytes(flipped), *written[6:]])


def a_line_break_in_the_middle(written: list[bytes]) -> bytes:
    broken = bytearray(written[5])
    broken[60] = ord("\n")
    return b"".join([*written[:5], bytes(broken), *written[6:]])


def a_lost_line_break(written: list[bytes]) -> bytes:
    return b"".join([*written[:5], written[5][:-1] + b"!", *written[6:]])


def a_hole(written: list[bytes]) -> bytes:
    return b"".join([*written[:5], b"\x00" * len(written[5]), *written[6:]])


@pytest.mark.parametrize(
    ("damage", "lost", "letters_kept"),
    [
        (cut_in_the_last, {9}, 1),
        (flipped_in_the_middle, {5}, 1),
        (a_line_break_in_the_middle, {5}, 2),
        (a_lost_line_break, {5, 6}, 1),
        (a_hole, {5, 6}, 1),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_of_a_damaged_segment_every_whole_line_is_booked_and_the_damaged_bytes_are_kept(
    spool_dir: Path, damage: Callable[[list[bytes]], bytes], lost: set[int], letters_kept: int
) -> None:
    left_by_a_dead_process(spool_dir, damage(lines(10)))
    booked = book_leftovers()
    keys = set(ResourceUsage.objects.values_list("idempotency_key", flat=True))
    assert keys == {f"k-{number}" for number in range(10)} - {f"k-{number}" for number in lost}
    dead = letters(spool_dir)
    assert [letter["reason"] for letter in dead if not letter["raw"]] == []
    assert len(dead) == booked.dead_letters == letters_kept
    assert list(spool_dir.glob("*.segment")) == []
    assert Counters(spool_dir).of_all_processes()["damaged_lines"] == letters_kept


@pytest.mark.parametrize(
    ("position", "bit"), [(0, 1), (20, 2), (60, 1), (86, 1)], ids=["name", "installation", "address", "offset"]
)
def test_a_segment_whose_header_is_damaged_is_left_alone_and_told(
    spool_dir: Path, caplog: pytest.LogCaptureFixture, position: int, bit: int
) -> None:
    left_by_a_dead_process(spool_dir, b"".join(lines(3)))
    [path] = spool_dir.glob("*.segment")
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[position] ^= bit
    path.write_bytes(damaged)
    with caplog.at_level(logging.ERROR, logger="costtrack"):
        assert book_leftovers().segments == 0
    assert str(path) in caplog.text
    path.write_bytes(whole)
    assert book_leftovers().recorded == 3
    assert adopted(path) is None


def test_a_line_of_other_code_with_a_right_checksum_does_not_stop_the_others(spool_dir: Path) -> None:
    waiting = encode(make_event(key="strange", attribution={"organization": "nobody"}), 0)
    strange = []
    for spooled_ms in ("yesterday", None, {}, [], True):
        body = orjson.dumps([spooled_ms, *orjson.loads(waiting[CHECKSUM_BYTES:])[1:]])
        strange.append(b"%08x %b\n" % (crc32(body), body))
    left_by_a_dead_process(spool_dir, b"".join([*strange, *lines(10)]))
    booked = book_leftovers()
    assert (booked.recorded, booked.dead_letters) == (10, 5)
