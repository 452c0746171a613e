"""Booking what dead processes left, here and now: the work of `manage.py flush_usage`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from costtrack.metering.spool.adoption import orphans, remove_abandoned
from costtrack.metering.spool.by_hand import booking_by_hand
from costtrack.metering.spool.installation import installation_uuid
from costtrack.metering.subscribers import deliver


@dataclass(slots=True, kw_only=True)
class Leftovers:
    """What became of the segments that nobody wrote any more."""

    segments: int = 0
    recorded: int = 0
    duplicates: int = 0
    """Were in the ledger already: their process was killed before it could note it."""
    dead_letters: int = 0
    waiting: int = 0
    """Events whose organization does not exist yet: kept, and tried again by whoever adopts them."""
    organizations: list[str] = field(default_factory=list)
    """Those that such events wait for, in alphabetical order."""

    @property
    def events(self) -> int:
        """All that were read."""
        return self.recorded + self.duplicates + self.dead_letters + self.waiting


def book_leftovers(on_batch: Callable[[Leftovers], None] = lambda so_far: None) -> Leftovers:
    """Adopt and book every segment of this installation whose process is gone; living processes book their own.

    Segments that another process adopts at the same time are left to it. Raises SpoolUnusable, BookingDelayed or the
    database's errors; what is not booked by then stays where it is.
    """
    done = Leftovers()
    with booking_by_hand() as here:
        remove_abandoned(here.directory)
        installation = installation_uuid(using=here.using)
        # The names are listed once, at the start: what has to wait goes into a new segment, which is not met again.
        for segment in orphans(here.directory, installation=installation, address=here.address, but=()):
            try:
                for booked in here.booker.book_segment(segment):
                    done.recorded += len(booked.recorded)
                    done.duplicates += booked.duplicates
                    done.dead_letters += booked.dead_letters
                    done.waiting += booked.waiting
                    done.organizations = sorted({*done.organizations, *booked.organizations})
                    deliver(booked.recorded)
                    on_batch(done)
                segment.remove()
                done.segments += 1
            finally:
                segment.close()
    return done
