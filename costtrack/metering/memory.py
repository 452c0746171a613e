"""An in-memory log in place of the ledger: what `costtrack.testing.capture_usage` is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar, overload

from costtrack.domain.events import CostSource, UsageEvent
from costtrack.metering.database_thread import wait_for_later

if TYPE_CHECKING:
    from costtrack.metering.ledger import RecordResult

Log = TypeVar("Log", bound="MemoryLog")

_active: list[MemoryLog] = []


class MemoryLog(Sequence[UsageEvent]):
    """The events that were metered, oldest first, as they would have gone to the ledger. They are not priced."""

    def __init__(self) -> None:
        self._events: list[UsageEvent] = []

    @overload
    def __getitem__(self, index: int) -> UsageEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[UsageEvent]: ...
    def __getitem__(self, index: int | slice) -> UsageEvent | Sequence[UsageEvent]:
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def record(self, events: Sequence[UsageEvent]) -> list[RecordResult]:
        """Keep the events, here and in every other log in force; the cost of each is the reported one, if there is one.

        The other logs are those that this one is nested in: what is metered inside was metered inside them, too.
        """
        from costtrack.metering.ledger.results import RecordResult, RecordStatus

        for log in {*_active, self}:
            log._events.extend(events)
        return [
            RecordResult(
                status=RecordStatus.RECORDED,
                idempotency_key=event.idempotency_key,
                day=event.occurred_at.date(),
                cost_usd=event.reported_cost_usd,
                cost_source=CostSource.UNPRICED if event.reported_cost_usd is None else CostSource.REPORTED,
            )
            for event in events
        ]


@contextmanager
def captured_by(log: Log) -> Iterator[Log]:
    """Everything metered inside, in any thread of this process, goes to `log` instead of the ledger.

    At its end it waits for what is still being recorded, such as a stream that was dropped unread.
    """
    _active.append(log)
    try:
        yield log
    finally:
        try:
            wait_for_later()
        finally:
            _active.remove(log)


def active_log() -> MemoryLog | None:
    """The innermost log in force; None = usage goes to the ledger."""
    return _active[-1] if _active else None
