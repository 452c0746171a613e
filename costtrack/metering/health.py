"""How metering fares: counters and ages of the spool, for people, for probes and for alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError

from costtrack.conf import settings
from costtrack.metering.lost import failures
from costtrack.metering.spool.counters import Counters
from costtrack.metering.spool.dead_letters import DeadLetters
from costtrack.metering.spool.directory import spool_directory, unusable_reason
from costtrack.metering.spool.header import address_of
from costtrack.metering.spool.installation import known_installation_uuid
from costtrack.metering.spool.running import running
from costtrack.metering.spool.state import SegmentKind, SpoolState, spool_state
from costtrack.metering.subscribers import subscriber_health

LATE_SECONDS = 60.0
"""Events older than this should be in the ledger: the flusher books within a second or two."""
FOREIGN_SECONDS = 3600.0
NEARLY_FULL = 0.8
"""The part of SPOOL_MAX_BYTES from which on the spool is nearly full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringHealth:
    """What metering has done, and what waits. Reading it changes nothing and raises nothing."""

    transport: str
    database_error: str
    """Why the database could not be asked; "" if it could."""
    spool: SpoolState
    spool_max_bytes: int
    unusable_reason: str
    """Why the spool's directory can not be written; "" if it can."""
    counters: Mapping[str, int]
    """Of all processes that use this directory, since it was made: recorded, duplicates, conflicts, dead_letters,
    damaged_lines, overflows, flush_errors."""
    counters_here: Mapping[str, int]
    """The same of this process alone; zeros if it has metered nothing."""
    dead_letters: int
    """Dead letters that are in the file now."""
    dead_letter_reasons: tuple[tuple[str, int], ...]
    last_error: str
    """Why this process's flusher failed last; "" if its last attempt succeeded."""
    lost_here: int
    """Events that this process could neither spool nor write; each is in the log, whole."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What someone should look into, each with what to do next; () if all is well."""
        return tuple(_problems(self))

    def as_json(self) -> dict[str, Any]:
        """Plain data: counts, bytes, seconds and texts."""
        return {
            "status": "degraded" if self.problems else "ok",
            "problems": list(self.problems),
            "transport": self.transport,
            "spool": {
                "directory": str(self.spool.directory),
                "bytes": self.spool.bytes,
                "max_bytes": self.spool_max_bytes,
                "segments": {kind.value: self.spool.count(kind) for kind in SegmentKind},
                "unflushed_bytes": self.spool.unbooked_bytes,
                "oldest_unflushed_seconds": round(self.spool.oldest_unflushed_seconds, 3),
            },
            "counters": dict(self.counters),
            "counters_of_this_process": {**self.counters_here, "lost": self.lost_here},
            "dead_letters": self.dead_letters,
            "last_error": self.last_error,
            "subscribers": [
                {"name": one.name, "delivered": one.delivered, "raised": one.raised, "dropped": one.dropped}
                | {"behind": one.behind}
                for one in subscriber_health()
            ],
        }


def metering_health() -> MeteringHealth:
    """How metering fares now, in this process and in the spool's directory. One query, and a read per segment."""
    directory, using = spool_directory(), settings.database
    installation, database_error = _installation(using)
    here = running()
    letters = DeadLetters(directory)
    return MeteringHealth(
        transport=settings.transport,
        database_error=database_error,
        spool=spool_state(directory, address=address_of(using), installation=installation),
        spool_max_bytes=settings.spool_max_bytes,
        unusable_reason=unusable_reason(directory) if settings.transport == "spool" else "",
        counters=Counters(directory).of_all_processes(),
        counters_here=(here.counters if here else Counters(directory)).in_this_process(),
        dead_letters=letters.count(),
        dead_letter_reasons=tuple(letters.reasons()),
        last_error=here.flusher.last_error if here else "",
        lost_here=failures(),
    )


def unrecorded_here() -> int:
    """How many events of this process did not reach the ledger: those only in the log, and its dead letters."""
    here = running()
    return failures() + (here.counters.in_this_process()["dead_letters"] if here else 0)


def _installation(using: str) -> tuple[UUID | None, str]:
    try:
        return known_installation_uuid(using=using), ""
    except DatabaseError as error:
        return None, f"{type(error).__name__}: {' '.join(str(error).split())}"


def _problems(health: MeteringHealth) -> list[str]:
    found = []
    spool = health.spool
    if health.database_error:
        found.append(f"The database could not be asked (is it up, and migrated?): {health.database_error}")
    if health.unusable_reason:
        found.append(f'The spool can not be used: {health.unusable_reason} Set COSTTRACK["SPOOL_DIR"].')
    age = spool.oldest_unflushed_seconds
    if age > LATE_SECONDS:
        orphaned = spool.count(SegmentKind.ORPHANED)
        whose = f", {orphaned} segment(s) of processes that are gone: run `manage.py flush_usage`" if orphaned else ""
        found.append(f"Usage has waited {age:,.0f} s to be booked, or for an organization that does not exist{whose}.")
    if spool.bytes > NEARLY_FULL * health.spool_max_bytes:
        found.append(
            f"The spool holds {spool.bytes:,} of {health.spool_max_bytes:,} bytes (SPOOL_MAX_BYTES); at the limit each "
            "event is written to the database before its call returns."
        )
    if foreign := spool.foreign_for(FOREIGN_SECONDS):
        found.append(
            f"{foreign} segment(s) in {spool.directory} have waited over an hour for another database: that of another "
            "site, of a test run, or this one under another address. Look into them: nobody books them here."
        )
    if unreadable := spool.count(SegmentKind.UNREADABLE):
        found.append(f"{unreadable} segment(s) in {spool.directory} can not be read; the log of the flusher says why.")
    if health.dead_letters:
        reason = health.dead_letter_reasons[0][0].rstrip(".") if health.dead_letter_reasons else "?"
        found.append(
            f"{health.dead_letters} event(s) could not be booked, most often: {reason}. "
            "Mend the cause, then run `manage.py flush_usage --retry-dead-letters`."
        )
    if health.last_error:
        found.append(f"This process's flusher can not write: {health.last_error}")
    if health.lost_here:
        found.append(f"{health.lost_here} event(s) of this process are only in the log `costtrack`.")
    return found
