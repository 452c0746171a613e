"""Reservation: the hold of one job, as the block of `reserve(...)` sees it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack
from uuid import UUID, uuid4

from costtrack.conf import settings
from costtrack.domain.events import Outcome, ResourceType, UsageEvent
from costtrack.domain.tokens import TokenUsage
from costtrack.exceptions import HoldEnded, IdempotencyConflict, InvalidUsage
from costtrack.metering.admitting import list_is_fresh, nobody_holds
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.cleaning import clean_flag
from costtrack.metering.context import AttributionScope, given_here
from costtrack.metering.database_thread import Work, run_quietly, run_quietly_async, run_sync
from costtrack.metering.errors import error_fields
from costtrack.metering.events import build_event
from costtrack.metering.expected import Expected
from costtrack.metering.given_fields import EventFields
from costtrack.metering.nested import BookedFigures, metered_around_here
from costtrack.metering.recorded import RecordedUsage, recorded_usage
from costtrack.metering.transport import needs_no_database, submit

if TYPE_CHECKING:
    from costtrack.budgets.admission import Granted
    from costtrack.metering.asked_call import AskedCall

T = TypeVar("T")
logger = logging.getLogger("costtrack")


class UsedFigures(TypedDict, total=False):
    """What was used, as `record_usage` takes it."""

    model: str
    provider: str
    tokens: TokenUsage | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cache_write_1h_tokens: int | None
    input_audio_tokens: int | None
    reasoning_tokens: int | None
    output_audio_tokens: int | None
    amount: object
    cost_usd: object
    """A cost that the provider reported; wins over any rate."""
    service_tier: str
    latency_ms: object
    """Default: how long it has been since the hold was granted."""
    success: bool
    error: BaseException | str | None
    is_estimated: bool
    idempotency_key: object
    """Default: `hold:` and the id in hex, so that to settle twice charges once."""
    metadata: Mapping[str, Any] | None


class Reservation(AbstractContextManager["Reservation"], AbstractAsyncContextManager["Reservation"]):
    """What `reserve(...)` gives: entered, it holds until it is settled or released."""

    def __init__(
        self,
        fields: EventFields,
        given: GivenAttribution,
        expected: Expected,
        *,
        hold_id: UUID | None,
        ttl: timedelta | None,
    ) -> None:
        """What is known before; nothing is asked for yet. With the `hold_id` of before, the same hold is found."""
        self.id: UUID | None = None
        """Of the hold; None where no budget asks for one, or none could be asked and all allow that."""
        self.expires_at: datetime | None = None
        """By the database's clock; None without a hold."""
        self._fields = fields
        self._given = given
        self._expected = expected
        self._leases = ""
        """What it takes of which leases, where Redis granted it."""
        self._own_id = hold_id
        self._asked_id = hold_id or uuid4()
        self._ttl = ttl
        self._at = datetime.now(UTC)
        self._began = perf_counter()
        self._is_over = False

    def __enter__(self) -> Reservation:
        """Hold the worst case; raises CallRefused, or of a hold that was there HoldEnded or HoldTooSmall."""
        asked = self._asked()
        if nobody_holds():
            return self
        from costtrack.metering.holding import ask_for

        return self._granted(ask_for(asked))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release what was not settled; the block's exception, if any, goes on unchanged."""
        if self._is_left_open(error):
            run_quietly(self._release())

    async def __aenter__(self) -> Reservation:
        """The same without holding up the loop."""
        asked = self._asked()
        await list_is_fresh()
        if nobody_holds():
            return self
        from costtrack.metering.holding import ask_for_async

        return self._granted(await ask_for_async(asked))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release what was not settled, without holding up the loop."""
        if self._is_left_open(error):
            await run_quietly_async(self._release())

    def settle(self, **used: Unpack[UsedFigures]) -> RecordedUsage:
        """Record what was used; the hold ends with that. It counts as well if it is more, or the hold has expired.

        What was said to `reserve` need not be said again, but for the figures. The same again charges nothing; other
        figures are a conflict: IdempotencyConflict inline, else a dead letter. Raises as `record_usage`: InvalidUsage
        for a figure that is not acceptable, and then nothing is settled.
        """
        fields: EventFields = {**self._fields, **_event_fields(used)}
        fields["amount"] = used.get("amount")
        fields["metadata"] = {**(self._fields.get("metadata") or {}), **(used.get("metadata") or {})}
        fields.setdefault("latency_ms", round((perf_counter() - self._began) * 1000))
        fields.setdefault("occurred_at", self._at)
        fields["idempotency_key"] = used.get("idempotency_key") or f"hold:{self._asked_id.hex}"

        def work() -> RecordedUsage:
            # Attributed as when it was reserved, whatever is in force where it is settled.
            event = Context().run(AttributionScope(self._given)(build_event), **fields)
            if self.id is not None:
                event = replace(event, hold_id=self.id.hex, hold_leases=self._leases)
            return _submitted(event)

        recorded = work() if needs_no_database(self._given) else run_sync(work)
        self._is_over = True
        if recorded.event.resource_type == ResourceType.LLM_TOKENS:
            for around in metered_around_here():  # which may see the same response
                around.add_figures(BookedFigures(recorded.event.model, recorded.event.tokens))
        return recorded

    def release(self) -> bool:
        """Give back what is held: nothing was used. False if there is no hold, or it has ended. Asks the database."""
        self._is_over = True
        if self.id is None:
            return False
        from costtrack.budgets.holds import release

        hold_id = self.id
        return self._in_database(lambda: release(hold_id, using=settings.database))

    def renew(self, ttl_seconds: float | None = None) -> datetime | None:
        """Hold for so many seconds from now, by default as long as at first; gives when it expires now.

        Never shortens it. None without a hold; raises HoldEnded if it has ended. Asks the database.
        """
        if self.id is None:
            return None
        from costtrack.budgets.holds import renew

        hold_id = self.id
        ttl = duration("ttl_seconds", ttl_seconds) or self._ttl or timedelta(seconds=settings.hold_ttl_seconds)
        expires_at = self._in_database(lambda: renew(hold_id, ttl, using=settings.database))
        if expires_at is None:
            raise HoldEnded(hold_id, self._in_database(lambda: _state_of(hold_id)))
        self.expires_at = expires_at
        return expires_at

    def _asked(self) -> AskedCall:
        from costtrack.metering.asked_call import AskedCall

        self._given = self._given.over(given_here())
        self._at = datetime.now(UTC)
        return AskedCall(self._fields, self._given, self._expected, at=self._at, hold_id=self._asked_id, ttl=self._ttl)

    def _granted(self, granted: Granted | None) -> Reservation:
        if granted is not None:
            self.id, self.expires_at, self._leases = granted.hold_id, granted.expires_at, granted.leases
            self._at = granted.admitted_at or self._at
        self._began = perf_counter()
        return self

    def _is_left_open(self, error: BaseException | None) -> bool:
        if self._is_over:
            return False
        if error is None:
            logger.warning(
                "The block of reserve(...) %s was left without hold.settle(...): what it used is not recorded.",
                self._asked_id,
            )
        return self.id is not None

    def _release(self) -> Work:
        from costtrack.metering.holding import Release

        return Release(self.id or self._asked_id)

    def _in_database(self, work: Callable[[], T]) -> T:
        from costtrack.budgets.threads import outside_transactions

        return run_sync(lambda: outside_transactions(work))


def _submitted(event: UsageEvent) -> RecordedUsage:
    result = submit(event)
    if settings.is_inline() and result.status == "conflict":
        raise IdempotencyConflict(event.idempotency_key)
    if settings.is_inline() and result.status == "rejected":
        raise InvalidUsage("usage", result.reason, "usage that the ledger accepts")
    return recorded_usage(event, result)


def _event_fields(used: UsedFigures) -> EventFields:
    fields: dict[str, Any] = {name: value for name, value in used.items() if value is not None}
    unknown = sorted(fields.keys() - UsedFigures.__annotations__.keys())
    if unknown:
        known = ", ".join(UsedFigures.__annotations__)
        raise TypeError(f"settle() got an unexpected argument {unknown[0]!r}. Arguments are: {known}.")
    error = fields.pop("error", None)
    is_failed = not clean_flag("success", fields.pop("success", True)) or error is not None
    fields["outcome"] = Outcome.ERROR if is_failed else Outcome.SUCCESS
    if error is not None:
        fields.update(error_fields(error))
    if "cost_usd" in fields:
        fields["reported_cost_usd"] = fields.pop("cost_usd")
    return fields  # type: ignore[return-value]


MOST_SECONDS = 10 * 366 * 86400


def duration(field: str, value: object) -> timedelta | None:
    """So many seconds, None for None. Raises InvalidUsage for what is no number above 0."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MOST_SECONDS:
        raise InvalidUsage(field, value, f"a number of seconds above 0, and {MOST_SECONDS} (ten years) at most")
    return timedelta(seconds=value)


def _state_of(hold_id: UUID) -> str:
    from costtrack.models import Hold

    return Hold.objects.using(settings.database).filter(id=hold_id).values_list("state", flat=True).first() or "gone"
