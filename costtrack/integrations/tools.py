"""Tools and APIs that are paid by the call: `@track_tool("pubmed")` on a function, or `instrument` on an HTTP client.

Only success is billed: one unit of `api_call` of that name. A failure is recorded as a failure. Needs no package.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar, Unpack, cast

from asgiref.sync import iscoroutinefunction

from costtrack.domain.events import ResourceType
from costtrack.exceptions import InvalidUsage
from costtrack.integrations.http_hosts import instrument, part_of, uninstrument
from costtrack.metering.attribution import CallerFields
from costtrack.metering.decorator import track_api_call

__all__ = ["instrument", "track_tool", "uninstrument"]

P = ParamSpec("P")
R = TypeVar("R")


def track_tool(
    name: str, /, *, metadata: Mapping[str, Any] | None = None, **attribution: Unpack[CallerFields]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Bill each call of a function, sync or async, as one call of the tool `name`; one that raises costs nothing.

    `name` is stored as the provider, where a rate per call is looked up. The other keyword arguments are those of
    `attribute`; `endpoint` is by default the function's name. Requests that the function sends to hosts of the same
    name through an instrumented HTTP client are part of its call, and not billed again. Budgets ask before each call,
    and refuse it with BudgetExceeded. The function's result and exceptions reach the caller unchanged.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidUsage("name", name, 'the name of a tool: @track_tool("pubmed")')
    tracked = track_api_call("", provider=name, resource_type=ResourceType.API_CALL, metadata=metadata, **attribution)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, (staticmethod, classmethod)):
            return type(function)(decorate(function.__func__))
        return tracked(cast("Callable[P, R]", _within(name, function)))

    return decorate


def _within(name: str, function: Any) -> Any:
    """The function, which tells what is sent inside that it belongs to the tool."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return function  # whoever reads it would be within it, too, between two steps
    if iscoroutinefunction(function):

        @wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with part_of(name):
                return await function(*args, **kwargs)

        return coroutine

    @wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with part_of(name):
            return function(*args, **kwargs)

    return plain
