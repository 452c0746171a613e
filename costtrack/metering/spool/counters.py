"""What has become of the spool's events: counted in this process, and for the whole directory in one small file."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

from costtrack.metering.spool.directory import give_to_owner_of
from costtrack.metering.spool.file_lock import locked

COUNTERS_FILE = "counters.json"
NAMES = ("recorded", "duplicates", "conflicts", "dead_letters", "damaged_lines", "overflows", "flush_errors")
"""recorded: charged. duplicates: were charged before. conflicts: of the dead letters, those whose key was used before
for other usage. dead_letters: kept in the dead-letter file since counting began. damaged_lines: of those, lines whose
checksum did not match or that were cut off. overflows: events that the spool could not take, and that went another
way. flush_errors: failed attempts to write to the database."""

LOCK_SECONDS = 0.1
"""For so long the file is waited for; what could not be added is added with the next."""
_BYTES = 1024

logger = logging.getLogger("costtrack")


class Counters:
    """Counts in memory, and adds the same to the directory's file, which outlives processes."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / COUNTERS_FILE
        self._lock = threading.RLock()  # a finalizer may count in the middle of a count
        self._here = dict.fromkeys(NAMES, 0)
        self._unwritten = dict.fromkeys(NAMES, 0)
        """Of those, what the file does not have yet."""

    def add(self, **counts: int) -> None:
        """Count; a file that can not be written is no reason to stop."""
        counts = {name: count for name, count in counts.items() if count}
        if not counts:
            return
        with self._lock:
            for name, count in counts.items():
                self._here[name] += count
                self._unwritten[name] += count
            unwritten, self._unwritten = self._unwritten, dict.fromkeys(NAMES, 0)
            try:
                with _locked(self._path) as descriptor:
                    known = _read(descriptor)
                    total = {name: known.get(name, 0) + unwritten[name] for name in NAMES}
                    os.pwrite(descriptor, orjson.dumps(total).ljust(_BYTES), 0)
            except OSError as error:
                self._unwritten = {name: count + self._unwritten[name] for name, count in unwritten.items()}
                logger.debug("The counters %s can not be written: %s", self._path, error)

    def in_this_process(self) -> dict[str, int]:
        """Since this process began to spool."""
        with self._lock:
            return dict(self._here)

    def of_all_processes(self) -> dict[str, int]:
        """Since the directory's file was made, over all processes."""
        known: dict[str, int] = {}
        with suppress(OSError):
            known = _parsed(self._path.read_bytes())
        return {name: known.get(name, 0) for name in NAMES}


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    give_to_owner_of(path.parent, descriptor)
    try:
        with locked(descriptor, within_seconds=LOCK_SECONDS):
            yield descriptor
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> dict[str, int]:
    return _parsed(os.pread(descriptor, _BYTES, 0))


def _parsed(data: bytes) -> dict[str, int]:
    try:
        known = orjson.loads(data)
    except ValueError:  # empty, or torn by a power failure
        return {}
    return {name: count for name, count in known.items() if isinstance(count, int)} if isinstance(known, dict) else {}
