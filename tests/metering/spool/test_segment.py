"""Segments: append-only files, whose lock tells who lives, and whose header tells whose they are."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID
from zlib import crc32

import pytest
from django.conf import settings as django_settings

from costtrack.metering.spool.directory import SpoolUnusable, prepared_directory
from costtrack.metering.spool.encoding import encode
from costtrack.metering.spool.header import HEADER_BYTES, SegmentHeader, address_of, read_header
from costtrack.metering.spool.segment import Segment, WrittenSegment, adopted
from tests.factories import make_event

ROOT = Path(__file__).resolve().parents[3]
UUID_1 = UUID("0a1b2c3d-0000-4000-8000-000000000001")
UUID_2 = UUID("0a1b2c3d-0000-4000-8000-000000000002")


def keys(segment: Segment, most: int = 100) -> list[str]:
    return [one.event.idempotency_key for one in segment.read(most).events]


def line(key: str) -> bytes:
    return encode(make_event(key=key), 1)


def with_checksum(header: bytes) -> bytes:
    """A header that was changed, with the checksum that belongs to it."""
    text = b" ".join(header.split()[:5])
    return (text + b" %08x" % crc32(text)).ljust(HEADER_BYTES - 1) + b"\n"


def left_by_a_dead_process(segment: WrittenSegment) -> Segment:
    """The segment as another process finds it."""
    segment.close()
    found = adopted(segment.path)
    assert found is not None
    return found


def test_a_header_has_a_fixed_length_and_comes_back() -> None:
    for header in (
        SegmentHeader(address="0123456789abcdef"),
        SegmentHeader(address="0123456789abcdef", installation=UUID_1, offset=10**15 - 1),
    ):
        encoded = header.encoded()
        assert (len(encoded), encoded[-1:]) == (HEADER_BYTES, b"\n")
        assert read_header(encoded) == header


@pytest.mark.parametrize("damage", [b"", b"costtrack-spool 1", b"x" * HEADER_BYTES])
def test_what_is_no_header_is_none(damage: bytes) -> None:
    assert read_header(damage) is None


def test_a_header_of_a_later_format_is_none() -> None:
    encoded = SegmentHeader(address="0" * 16).encoded()
    later = encoded.replace(b"costtrack-spool 2 ", b"costtrack-spool 3 ")
    assert read_header(with_checksum(later)) is None


def test_a_segment_of_the_first_format_is_adopted_and_read_on_after_its_header_is_written_again(
    spool_dir: Path, own_header: SegmentHeader
) -> None:
    first = own_header.encoded().replace(b"costtrack-spool 2 ", b"costtrack-spool 1 ")
    path = prepared_directory(spool_dir) / "1-1-a.segment"
    path.write_bytes(with_checksum(first) + line("a") + line("b"))
    segment = adopted(path)
    assert segment is not None
    assert segment.header == own_header
    segment.set_booked(segment.read(1).end)
    segment.close()
    again = adopted(path)
    assert again is not None
    assert keys(again) == ["b"]
    again.close()


def test_events_belong_to_the_database_with_the_uuid_and_before_that_is_known_to_its_address() -> None:
    unknown = SegmentHeader(address="a" * 16)
    assert unknown.belongs_to(UUID_1, "a" * 16)
    assert not unknown.belongs_to(UUID_1, "b" * 16)
    known = replace(unknown, installation=UUID_1)
    assert known.belongs_to(UUID_1, "b" * 16)  # the database has moved
    assert not known.belongs_to(UUID_2, "a" * 16)  # another one has taken its place


def test_two_databases_have_two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    here = django_settings.DATABASES["default"]
    other = {**here, "NAME": f"{here['NAME']}-other"}
    monkeypatch.setattr(django_settings, "DATABASES", {"default": here, "other": other, "same": {**here}})
    assert address_of("other") != address_of("default") == address_of("same")


def test_lines_are_read_in_their_order_from_where_booking_has_come_to(written: WrittenSegment) -> None:
    written.append(line("a"))
    written.append(line("b") + line("c"))
    assert keys(written) == ["a", "b", "c"]
    first = written.read(2)
    assert [one.event.idempotency_key for one in first.events] == ["a", "b"]
    written.set_booked(first.end)
    assert keys(written) == ["c"]
    assert keys(left_by_a_dead_process(written)) == ["c"]


def test_a_segment_of_a_living_process_is_not_adopted_and_one_of_a_dead_process_is_once(
    written: WrittenSegment,
) -> None:
    written.append(line("a"))
    assert adopted(written.path) is None
    first = left_by_a_dead_process(written)
    assert adopted(written.path) is None  # somebody has it now
    first.close()
    again = adopted(written.path)
    assert again is not None
    again.remove()
    assert adopted(written.path) is None  # it is gone


def test_the_lock_goes_with_the_process_even_if_it_is_killed(spool_dir: Path) -> None:
    script = (
        "import sys, django; from pathlib import Path\n"
        "django.setup()\n"
        "from costtrack.metering.spool.header import SegmentHeader\n"
        "from costtrack.metering.spool.segment import WrittenSegment\n"
        "segment = WrittenSegment(Path(sys.argv[1]), SegmentHeader(address='0' * 16))\n"
        "print(segment.path, flush=True); sys.stdin.read()"
    )
    prepared_directory(spool_dir)
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(spool_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings"},
    )
    with child:
        assert child.stdout is not None
        path = Path(child.stdout.readline().strip())
        assert adopted(path) is None
        child.kill()
        child.wait(30)
        segment = adopted(path)
    assert segment is not None
    segment.close()


def test_the_end_of_a_line_that_a_dead_process_did_not_finish_is_damage_and_the_rest_is_read(
    written: WrittenSegment,
) -> None:
    written.append(line("a") + line("b")[:-20])
    segment = left_by_a_dead_process(written)
    batch = segment.read(100)
    assert ([one.event.idempotency_key for one in batch.events], batch.damaged) == (["a"], [])
    segment.set_booked(batch.end)
    batch = segment.read(100)
    assert [(damage.reason, damage.raw) for damage in batch.damaged] == [
        ("The writer died in the middle of this line", line("b")[:-20])
    ]
    assert batch.end == written.length


def test_the_end_of_a_line_that_a_living_process_is_writing_is_left_alone(written: WrittenSegment) -> None:
    written.append(line("a") + line("b")[:-20])
    batch = written.read(100)
    assert (batch.records, batch.damaged) == (1, [])


def test_a_damaged_line_in_the_middle_is_told_and_the_lines_around_it_are_read(written: WrittenSegment) -> None:
    damaged = bytearray(line("b"))
    damaged[40] ^= 1
    written.append(line("a") + bytes(damaged) + line("c"))
    batch = written.read(100)
    assert [one.event.idempotency_key for one in batch.events] == ["a", "c"]
    assert [damage.raw for damage in batch.damaged] == [bytes(damaged[:-1])]


def test_a_line_longer_than_a_read_is_read_whole(written: WrittenSegment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.metering.spool.segment.CHUNK_BYTES", 64)
    written.append(line("a") + line("b"))
    assert [keys(written, 1), written.read(1).end] == [["a"], HEADER_BYTES + len(line("a"))]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_disk_takes_half_of_leaves_nothing_behind(written: WrittenSegment) -> None:
    written.append(line("a"))
    before = written.length
    with files_of_at_most(before + 100), pytest.raises(OSError, match=r"Only 100 of \d+ bytes could be written"):
        written.append(line("b"))
    assert (written.size(), written.length) == (before, before)
    written.append(line("c"))
    assert keys(written) == ["a", "c"]


def test_lines_of_a_write_that_failed_half_way_are_never_read(
    written: WrittenSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next lines would begin before the place that booking has come to."""
    cut_off = written._append_to
    seen: list[list[str]] = []

    def read_then_cut(descriptor: int, length: int) -> None:
        if descriptor == cut_off:
            seen.append(keys(written))  # the flusher, between the short write and its undoing
        real(descriptor, length)

    real = os.ftruncate
    monkeypatch.setattr(os, "ftruncate", read_then_cut)
    whole = line("a") + line("b")
    with files_of_at_most(written.length + len(whole) - 5), pytest.raises(OSError, match="Only"):
        written.append(whole)
    assert seen == [[]]
    monkeypatch.undo()
    written.append(line("c"))
    assert keys(written) == ["c"]


def test_a_cleared_segment_goes_on(written: WrittenSegment) -> None:
    written.append(line("a"))
    written.set_booked(written.length)
    written.clear()
    assert (written.size(), written.header.offset) == (HEADER_BYTES, HEADER_BYTES)
    written.append(line("b"))
    assert keys(written) == ["b"]


def test_a_file_that_is_no_segment_is_refused_with_its_name(spool_dir: Path) -> None:
    path = prepared_directory(spool_dir) / "1-1-a.segment"
    path.write_text("hello")
    with pytest.raises(ValueError, match=r"1-1-a\.segment does not begin with the header"):
        adopted(path)


def test_the_directory_and_its_files_are_private(written: WrittenSegment, spool_dir: Path) -> None:
    assert spool_dir.stat().st_mode & 0o777 == 0o700
    assert written.path.stat().st_mode & 0o777 == 0o600
    spool_dir.chmod(0o755)
    prepared_directory(spool_dir)
    assert spool_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("written_bytes", [0, 5, None])
def test_what_an_interrupted_append_left_is_cut_off_before_the_next(
    written: WrittenSegment, monkeypatch: pytest.MonkeyPatch, written_bytes: int | None
) -> None:
    class TimeLimit(BaseException):
        """As a signal handler raises it, before its bytes are counted."""

    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        real(descriptor, data[:written_bytes])
        raise TimeLimit

    written.append(line("a"))
    before = written.length
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", write)
            with pytest.raises(TimeLimit):
                written.append(line("interrupted"))
        assert written.length == before
    written.append(line("b"))
    written.append(line("c"))
    assert keys(written) == ["a", "b", "c"]
    assert written.size() == written.length


def test_only_an_interrupted_append_makes_the_next_one_look_for_a_rest(
    written: WrittenSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    real = os.lseek

    def lseek(descriptor: int, position: int, whence: int) -> int:
        looked.append(descriptor)
        return real(descriptor, position, whence)

    monkeypatch.setattr(os, "lseek", lseek)
    written.append(line("a"))
    written.append(line("b"))
    assert looked == []
    with files_of_at_most(written.length + 10), pytest.raises(OSError, match="Only 10 of"):
        written.append(line("c"))
    written.append(line("d"))
    written.append(line("e"))
    assert looked == [written._append_to]
    assert keys(written) == ["a", "b", "d", "e"]


def test_an_empty_file_that_a_loss_of_power_left_is_removed(spool_dir: Path) -> None:
    path = prepared_directory(spool_dir) / "1-1-a.segment"
    path.touch()
    assert adopted(path) is None
    assert not path.exists()


def test_a_header_that_points_behind_the_end_leaves_no_line_out(written: WrittenSegment) -> None:
    written.append(line("a"))
    written.set_booked(written.length + 500)
    assert keys(left_by_a_dead_process(written)) == ["a"]


def test_a_directory_that_others_use_is_refused_and_stays_open_to_them(spool_dir: Path) -> None:
    spool_dir.mkdir()
    (spool_dir / "notes.txt").touch()
    spool_dir.chmod(0o1777)
    with pytest.raises(SpoolUnusable, match=r"is open to others and holds 'notes\.txt': give the spool one of its own"):
        prepared_directory(spool_dir)
    assert spool_dir.stat().st_mode & 0o7777 == 0o1777
