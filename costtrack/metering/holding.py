"""Asking for a reservation wherever a call is made, and giving it back where nothing is recorded.

A hold is never part of the caller's transaction, except inline and on SQLite, and an event loop is not held up by it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import Error, connections, transaction

from costtrack.budgets.admission import Granted, reserve
from costtrack.budgets.holds import release
from costtrack.budgets.threads import LONGEST_WAIT_SECONDS, on_own_thread, outside_transactions
from costtrack.conf import settings
from costtrack.domain.budget_rules import BudgetRule, Unavailable
from costtrack.exceptions import BudgetUnavailable
from costtrack.metering.asked_call import AskedCall
from costtrack.metering.database_thread import run_async, run_later, run_sync, wait_for_later
from costtrack.metering.lost_connection import asked_again

FLUSH_SECONDS = 1.5
"""How long a call that is about to be refused waits for what this process has spooled: it may have used less."""

logger = logging.getLogger("costtrack")
_releases: set[asyncio.Task[Any]] = set()
"""A loop keeps only weak references to its tasks."""


def ask_for(asked: AskedCall) -> Granted | None:
    """Reserve what is asked for; None if no budget asks for that. Raises as `budgets.admission.reserve`.

    Ask `admitting.nobody_holds` first.
    """
    waiting = _Waiting(asked)
    try:
        if _shares_connection():
            return run_sync(waiting.here)
        if asked.has_lazy:
            run_sync(asked.resolve)
        if not waiting.must_ask():
            return None
        if _is_on_event_loop():
            return on_own_thread(waiting).result(LONGEST_WAIT_SECONDS)
        return outside_transactions(waiting)
    except (TimeoutError, Error) as error:
        waiting.abandon()
        return without_answer(waiting.rules, asked, error)
    except BaseException:
        waiting.abandon()
        raise


async def ask_for_async(asked: AskedCall) -> Granted | None:
    """The same in a coroutine."""
    waiting = _Waiting(asked)
    try:
        if settings.is_inline():
            await run_async(waiting.here)
            return waiting.granted
        if asked.has_lazy:
            await run_async(asked.resolve)
        if not waiting.must_ask():
            return None
        if _shares_connection():
            await run_async(waiting)
            return waiting.granted
        async with asyncio.timeout(LONGEST_WAIT_SECONDS):
            return await asyncio.wrap_future(on_own_thread(waiting))
    except TimeoutError as error:
        waiting.abandon()
        return without_answer(waiting.rules, asked, error)
    except BaseException:  # cancelled, or refused
        waiting.abandon()
        raise


@dataclass(frozen=True, slots=True)
class Release:
    """The work of giving back a hold whose call recorded nothing. It raises no Exception."""

    hold_id: UUID

    @property
    def needs_no_database(self) -> bool:
        """It does need it."""
        return False

    def __call__(self) -> None:
        """Do it; a hold that cannot be released now holds until it expires."""
        try:
            alias = settings.database
            outside_transactions(lambda: asked_again(lambda: release(self.hold_id, using=alias), using=alias))
        except Exception as error:  # the boundary: the call that was metered goes on as it would without us
            logger.warning("Hold %s is not released before it expires: %s", self.hold_id, error)

    def later(self) -> None:
        """Have it done elsewhere, since this may be an event loop's thread; inline at once."""
        if settings.is_inline() and not _is_on_event_loop():
            self()
        else:
            with suppress(RuntimeError):  # no thread can start any more: it expires
                run_later(self)


class _Waiting:
    """One reservation that is being asked for, maybe on another thread; who waits for it may give up."""

    def __init__(self, asked: AskedCall) -> None:
        self.rules: Sequence[BudgetRule] = ()
        self.granted: Granted | None = None
        self._asked = asked
        self._lock = threading.Lock()
        self._abandoned = threading.Event()

    def here(self) -> Granted | None:
        """All of it on this thread."""
        return self() if self.must_ask() else None

    def must_ask(self) -> bool:
        """Whether a budget may be about the call."""
        self._asked.resolve()
        try:
            with _savepoint():
                self.rules = self._asked.rules()
        except Exception as error:  # inline only, where a test may have no database; the call itself needs none
            logger.warning("The list of budgets can not be read, and a call is made without: %s", error)
        return bool(self.rules)

    def __call__(self) -> Granted | None:
        """Ask."""
        if self._abandoned.is_set():
            return None
        try:
            with _savepoint():
                granted = asked_again(self._reserved, using=settings.database)
        except Error as error:
            granted = without_answer(self.rules, self._asked, error)
        with self._lock:
            self.granted = granted
            is_abandoned = self._abandoned.is_set()
        if is_abandoned and granted is not None and granted.hold_id is not None:
            Release(granted.hold_id)()
        return granted

    def _reserved(self) -> Granted | None:
        return reserve(self._asked.organization, self._asked.ask, flush=book_what_is_spooled)

    def abandon(self) -> None:
        """Nobody waits for it any more: what it has got, or still gets, is released."""
        with self._lock:
            self._abandoned.set()
            granted = self.granted
        if granted is None or granted.hold_id is None:
            return
        work = Release(granted.hold_id)
        if _shares_connection() and _is_on_event_loop():
            task = asyncio.ensure_future(run_async(work))
            _releases.add(task)
            task.add_done_callback(_releases.discard)
        elif _shares_connection():
            work()
        else:
            on_own_thread(work)


def without_answer(rules: Sequence[BudgetRule], asked: AskedCall, error: Exception) -> Granted | None:
    """Nobody could say whether there is room: admit without a hold if every budget allows that.

    Else raises BudgetUnavailable.
    """
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    for rule in rules:
        if rule.is_hard and rule.on_unavailable is Unavailable.DENY:
            raise BudgetUnavailable(
                budget_id=rule.id, budget=rule.name, organization=asked.organization, reason=reason
            ) from error
    logger.warning("A call is admitted without a reservation: %s", reason)
    return Granted(None, None, False)


def book_what_is_spooled() -> None:
    """Bring what this process has metered to the ledger, for a moment; on SQLite not while a transaction is open."""
    from costtrack.metering import spool

    connection = connections[settings.database]
    if settings.is_inline() or (connection.vendor == "sqlite" and connection.in_atomic_block):
        return
    with suppress(TimeoutError):
        wait_for_later(FLUSH_SECONDS)  # streams that were dropped are recorded there
    spool.flush(FLUSH_SECONDS)


def _savepoint() -> AbstractContextManager[object]:
    """Inline, inside a caller's transaction: one that what fails here leaves usable."""
    if settings.is_inline() and connections[settings.database].in_atomic_block:
        return transaction.atomic(using=settings.database)
    return nullcontext()


def _shares_connection() -> bool:
    """Whether a reservation is made over the caller's connection: inline, and on SQLite, which has one writer."""
    return settings.is_inline() or connections[settings.database].vendor == "sqlite"


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
