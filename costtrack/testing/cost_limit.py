"""assert_cost_below: a test fails when the code that it runs costs too much, and shows what cost how much."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction

from costtrack.domain.money import parse_usd
from costtrack.exceptions import InvalidUsage
from costtrack.testing.capture import UsageLog, capture_usage, sum_of
from costtrack.testing.cost_table import cost_table, usd

F = TypeVar("F", bound=Callable[..., Any])


def assert_cost_below(
    limit_usd: Decimal | int | str, *, allow_unpriced: bool = False, rates: Path | str | None = None
) -> CostLimit:
    """Assert that everything metered inside costs less than `limit_usd`; a context manager, and a decorator of tests.

    `with assert_cost_below("0.05") as log:` gives the log of `capture_usage`: nothing reaches the ledger. Calls are
    priced by the prices that ship with costtrack, after those of the file `rates`. A call without a known price fails
    as well, since unknown is not 0, unless `allow_unpriced` leaves it out. An exception from inside goes its way.
    Raises InvalidUsage for a limit that is a float, or not above 0.
    """
    return CostLimit(_limit(limit_usd), allow_unpriced=allow_unpriced, rates=rates)


class CostLimit(AbstractContextManager[UsageLog]):
    """What `assert_cost_below` returns. It can be entered again, one after the other."""

    def __init__(self, limit_usd: Decimal, *, allow_unpriced: bool, rates: Path | str | None) -> None:
        self._limit_usd = limit_usd
        self._allows_unpriced = allow_unpriced
        self._rates = rates
        self._entered: tuple[AbstractContextManager[UsageLog], UsageLog] | None = None

    def __enter__(self) -> UsageLog:
        """Begin to capture."""
        if self._entered is not None:
            raise RuntimeError("This assert_cost_below(...) is in use; make one for each `with`.")
        capture = capture_usage(rates=self._rates)
        log = capture.__enter__()
        self._entered = capture, log
        return log

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End to capture, and judge; after an exception there is nothing to judge."""
        __tracebackhide__ = True
        if self._entered is None:
            return
        (capture, log), self._entered = self._entered, None
        capture.__exit__(kind, error, traceback)
        if kind is None:
            self._judge(log)

    def __call__(self, function: F) -> F:
        """Let every call of `function`, sync or async, cost less than the limit."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function) or inspect.isclass(function):
            # It would judge before anything has run, and so never fail.
            raise TypeError(f"assert_cost_below decorates functions and coroutine functions, not {function!r}.")
        if iscoroutinefunction(function):

            @wraps(function)
            async def limited_async(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                with self._anew():
                    return await function(*args, **kwargs)

            return cast("F", limited_async)

        @wraps(function)
        def limited(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with self._anew():
                return function(*args, **kwargs)

        return cast("F", limited)

    def _anew(self) -> CostLimit:
        return CostLimit(self._limit_usd, allow_unpriced=self._allows_unpriced, rates=self._rates)

    def _judge(self, log: UsageLog) -> None:
        __tracebackhide__ = True
        costs = log.costs
        total = sum_of(costs)
        faults = []
        if total >= self._limit_usd:
            faults.append(f"{_calls(len(log))} cost {usd(total)}, which is not below {usd(self._limit_usd)}.")
        if (unpriced := costs.count(None)) and not self._allows_unpriced:
            faults.append(
                f"{_calls(unpriced)} of {len(log)} {'has' if unpriced == 1 else 'have'} no known cost, and unknown is "
                "not 0. Give prices as rates=FILE, or leave such calls out by allow_unpriced=True."
            )
        if faults:
            table = cost_table(tuple(log), costs=costs, limit_usd=self._limit_usd)
            raise AssertionError("\n".join([*faults, "", *table]))


def _limit(value: object) -> Decimal:
    if isinstance(value, float):
        raise InvalidUsage(
            "limit_usd", value, f'a Decimal, an int or a text such as "{value}": a float is not an exact amount'
        )
    limit = parse_usd("limit_usd", value)
    if not limit:
        raise InvalidUsage(
            "limit_usd", value, "more than 0: nothing costs less (for no calls: `assert not log` of capture_usage)"
        )
    return limit


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
