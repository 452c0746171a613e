"""Trying dead letters again, after their cause was mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from costtrack.metering.ledger import RecordStatus
from costtrack.metering.recorded import RecordedUsage, recorded_usage
from costtrack.metering.spool.booking import BATCH_EVENTS, Booker
from costtrack.metering.spool.by_hand import booking_by_hand
from costtrack.metering.spool.dead_letters import DeadLetter
from costtrack.metering.spool.encoding import DamagedRecord, decode
from costtrack.metering.subscribers import deliver


@dataclass(slots=True, kw_only=True)
class Retried:
    """What became of the dead letters."""

    recorded: int = 0
    duplicates: int = 0
    """Recorded before, with the same usage: nothing was charged again, and the letter is gone."""
    kept: int = 0
    """Still dead, each with its reason of today."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why, and how many have each reason."""


def retry_dead_letters() -> Retried:
    """Try every dead letter once. What still fails is kept with its new reason.

    Raises SpoolUnusable, BookingDelayed or the database's errors; then, as after a kill, all are kept, and found again.
    """
    done = Retried()
    with booking_by_hand() as here, here.dead_letters.taken() as lines:
        still_dead: list[bytes] = []
        for start in range(0, len(lines), BATCH_EVENTS):
            still_dead += _retry(lines[start : start + BATCH_EVENTS], here.booker, done)
        if still_dead:
            here.dead_letters.put_back(still_dead)
        here.counters.add(recorded=done.recorded, duplicates=done.duplicates)
    return done


def _retry(lines: Sequence[bytes], booker: Booker, done: Retried) -> list[bytes]:
    """One batch; the lines that stay."""
    kept: list[bytes] = []
    readable: list[DeadLetter] = []
    for line in lines:
        letter, reason = _read(line)
        if letter is None or letter.event is None:
            kept.append(line)
            done.reasons[reason] += 1
        else:
            readable.append(letter)
    recorded: list[RecordedUsage] = []
    events = [letter.event for letter in readable if letter.event is not None]
    for letter, event, result in zip(readable, events, booker.results(events), strict=True):
        if result.status is RecordStatus.RECORDED:
            recorded.append(recorded_usage(event, result))
        elif result.status is RecordStatus.DUPLICATE:
            done.duplicates += 1
        else:
            reason = f"{result.status}: {result.reason}"
            done.reasons[reason] += 1
            kept.append(DeadLetter(reason=reason, event=event, failed_at=letter.failed_at).line().rstrip(b"\n"))
    done.recorded += len(recorded)
    done.kept += len(kept)
    deliver(recorded)
    return kept


def _read(line: bytes) -> tuple[DeadLetter | None, str]:
    """The letter, with its event if it has one; and why it has none."""
    try:
        letter = DeadLetter.from_line(line)
    except ValueError as error:
        return None, f"The line can not be read: {error}"
    if letter.event is None:
        try:
            event = decode(letter.raw).event  # a version that knows more may read what an older one could not
        except DamagedRecord as damage:
            return None, damage.reason
        letter = DeadLetter(reason=letter.reason, event=event, failed_at=letter.failed_at)
    return letter, ""
