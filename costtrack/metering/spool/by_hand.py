"""What a command books with: the spool's directory and its parts, without a flusher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from costtrack.conf import settings
from costtrack.metering.spool.booking import Booker
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.dead_letters import DeadLetters
from costtrack.metering.spool.directory import prepared_directory, spool_directory
from costtrack.metering.spool.header import address_of
from costtrack.metering.spool.waiting import WaitingRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingByHand:
    """Books into the ledger what lies in `directory`."""

    directory: Path
    using: str
    address: str
    booker: Booker
    counters: Counters
    dead_letters: DeadLetters


@contextmanager
def booking_by_hand() -> Iterator[BookingByHand]:
    """The parts; at the end, events that wait for their organization are left to whoever adopts them.

    Raises SpoolUnusable if the directory can not be written.
    """
    using = settings.database
    directory, address = prepared_directory(spool_directory()), address_of(using)
    counters, dead_letters = Counters(directory), DeadLetters(directory)
    waiting = WaitingRoom(directory, address=address)
    booker = Booker(using=using, address=address, counters=counters, dead_letters=dead_letters, wait=waiting.add)
    try:
        yield BookingByHand(
            directory=directory,
            using=using,
            address=address,
            booker=booker,
            counters=counters,
            dead_letters=dead_letters,
        )
    finally:
        waiting.close()
