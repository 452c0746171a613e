"""Admission of metered calls: their worst case is held before they are made, or they are refused.

Where no budget holds, nothing is done but to look at a list in memory. While `costtrack.testing.capture_usage` is in
force nothing is held either: what it captures reaches no ledger, and would settle no hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from costtrack.conf import settings
from costtrack.metering.memory import active_log

if TYPE_CHECKING:
    from costtrack.budgets.known import KnownBudgets
    from costtrack.metering.asked_call import AskedCall
    from costtrack.metering.call import Call
    from costtrack.metering.expected import Expected

_known: Callable[[str], KnownBudgets] | None = None
"""`costtrack.budgets.known.known_budgets`, which needs Django's apps, once it has been asked for."""
_seen: tuple[object, bool] = (None, False)
"""The list of budgets that was looked at last, and whether any of it holds."""


def admit(call: Call, expected: Expected | Callable[[], Expected]) -> None:
    """Hold the worst case of the call, which begins now; raises CallRefused, and then it must not be made.

    `expected` may be a function that gives it, which is called only if any budget holds.
    """
    if nobody_holds():
        return
    from costtrack.metering.holding import ask_for

    call.begin_with(ask_for(_asked(call, expected)))


async def admit_async(call: Call, expected: Expected | Callable[[], Expected]) -> None:
    """The same in a coroutine, without holding up its loop; if it is cancelled meanwhile nothing stays held."""
    await list_is_fresh()
    if nobody_holds():
        return
    from costtrack.metering.holding import ask_for_async

    call.begin_with(await ask_for_async(_asked(call, expected)))


def nobody_holds() -> bool:
    """Whether no organization has a budget for which calls reserve; no query, so inline it is not known."""
    global _seen
    if active_log() is not None:
        return True
    if settings.is_inline():
        return False
    known = _known_budgets().fresh()
    seen, is_any = _seen
    if seen is not known:
        is_any = any(budgets.holding for budgets in known.values())
        _seen = known, is_any
    return not is_any


async def list_is_fresh() -> None:
    """Wait, after a pause, until the list of budgets has been read anew."""
    if active_log() is None and not settings.is_inline():
        known = _known_budgets()
        if not known.is_fresh:
            from costtrack.budgets.threads import on_own_thread

            await asyncio.wrap_future(on_own_thread(known.fresh))


def _known_budgets() -> KnownBudgets:
    global _known
    known = _known
    if known is None:  # an import in each call would cost more than all the rest
        from costtrack.budgets.known import known_budgets

        _known = known = known_budgets
    return known(settings.database)


def _asked(call: Call, expected: Expected | Callable[[], Expected]) -> AskedCall:
    from costtrack.metering.asked_call import AskedCall

    if callable(expected):
        expected = expected()

    given: Any = call.given.get("occurred_at")
    at: datetime = given or call.occurred_at
    return AskedCall(call.given, call.attribution, expected, at=at)
