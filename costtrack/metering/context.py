"""Who causes the calls in this context: `attribute(...)` over a contextvar.

Every asyncio task and `asyncio.to_thread` inherits the scope in which it was started. A plain thread or executor
starts without one: hand it over with `executor.submit(contextvars.copy_context().run, function)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, Unpack

from costtrack.domain.events import Attribution
from costtrack.metering.attribution import NOT_GIVEN, AttributionFields, GivenAttribution, given_attribution
from costtrack.metering.stepping import each_async_step_in, each_step_in

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Entered:
    """One entered scope; the stack of them lives in the context itself, so that no two tasks can mix theirs up."""

    scope: AttributionScope
    merged: GivenAttribution
    outer: _Entered | None


_current: ContextVar[_Entered | None] = ContextVar("costtrack_attribution", default=None)


class AttributionScope:
    """A context manager and decorator; may be entered many times, at once and in any thread."""

    def __init__(self, given: GivenAttribution) -> None:
        """Attributes to `given`, over whatever is in force when it is entered."""
        self._given = given

    def __enter__(self) -> AttributionScope:
        """Put these fields over those in force."""
        outer = _current.get()
        _current.set(_Entered(self, self._given.over(outer.merged if outer else None), outer))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Back to what was in force before; a scope that is not open in this context changes nothing.

        That happens to a generator with a `with` inside that is closed from another task.
        """
        entered = _current.get()
        while entered is not None:
            if entered.scope is self:
                _current.set(entered.outer)
                return
            entered = entered.outer

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """`function` attributed so: a plain, async, generator or async generator function."""
        return wraps(function)(self._decorated(function))

    def _decorated(self, function: Any) -> Any:
        if inspect.isgeneratorfunction(function):

            def generator(*args: Any, **kwargs: Any) -> Any:
                return (yield from each_step_in(self, function(*args, **kwargs)))

            return generator
        if inspect.isasyncgenfunction(function):
            return lambda *args, **kwargs: each_async_step_in(self, function(*args, **kwargs))
        if inspect.iscoroutinefunction(function):

            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return coroutine

        def plain(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return plain


def attribute(**fields: Unpack[AttributionFields]) -> AttributionScope:
    """Attributes the usage that is metered inside: a context manager and a decorator.

    Fields: organization, project, agent, sprint, workflow, stage, thread_id, request_id, entity_type, entity_id,
    entity=(type, id), endpoint, customer, user, run, tags. Nested scopes inherit what they do not give (None and ""
    give nothing) and merge tags. A decorated generator is in its scope while it runs, its consumer is not; around a
    `yield` of your own prefer the decorator to the `with`. Raises TypeError for another name.
    """
    return AttributionScope(given_attribution(fields, caller="attribute()"))


def current_attribution() -> Attribution:
    """Whom usage metered right here belongs to; organization "" is COSTTRACK["DEFAULT_ORGANIZATION"]."""
    return given_here().resolve()


def given_here() -> GivenAttribution:
    """The merged fields of all scopes in force here."""
    entered = _current.get()
    return NOT_GIVEN if entered is None else entered.merged
