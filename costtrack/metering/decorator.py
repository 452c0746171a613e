"""`@track_api_call("feature")`: every call of a function becomes a ledger row, whatever kind of function it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload

from asgiref.sync import iscoroutinefunction

from costtrack.domain.events import ResourceType
from costtrack.metering.attribution import CallerFields, given_attribution
from costtrack.metering.database_thread import run_quietly, run_quietly_async
from costtrack.metering.ending import do_later
from costtrack.metering.expected import expected_of
from costtrack.metering.given_fields import EventFields
from costtrack.metering.meter import checked_before_call
from costtrack.metering.stepping import each_async_step_in, each_step_in
from costtrack.metering.tracked import TrackedCall, TrackedFunction

P = ParamSpec("P")
R = TypeVar("R")


@overload
def track_api_call(endpoint: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def track_api_call(
    endpoint: str = "",
    /,
    *,
    provider: str = "",
    model: str = "",
    resource_type: str = ResourceType.LLM_TOKENS,
    service_tier: str = "",
    gateway: str = "",
    metadata: Mapping[str, Any] | None = None,
    input_tokens: int | None = None,
    max_output_tokens: int | None = None,
    input: object = None,
    writes_cache: bool = False,
    **attribution: Unpack[CallerFields],
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def track_api_call(
    endpoint: Any = "",
    /,
    *,
    provider: str = "",
    model: str = "",
    resource_type: str = ResourceType.LLM_TOKENS,
    service_tier: str = "",
    gateway: str = "",
    metadata: Mapping[str, Any] | None = None,
    input_tokens: int | None = None,
    max_output_tokens: int | None = None,
    input: object = None,
    writes_cache: bool = False,
    **attribution: Unpack[CallerFields],
) -> Any:
    """Meter a function that calls a model or a tool: sync, async, a generator or an async generator.

    `endpoint` is the feature's name, by default the function's. The returned response tells what was used; a
    returned or yielded stream passes through untouched, and is recorded when it ends, breaks or is closed. An
    argument named `conversation_id` or `thread_id` is the conversation, one named `model` the model; the text of
    those named `messages`, `prompt` and the like is counted, and not kept, if no usage ever comes. What is metered
    inside belongs to the same feature and conversation; a function that only wraps other metered LLM calls, and
    returns no usage or the response or chunks of one of them, adds no row. The function's result and exceptions
    reach the caller unchanged.

    Hard budgets hold the worst case before the function runs, or refuse it with BudgetExceeded (a CallRefused), as they
    do with `meter`. Its most output is the argument `max_tokens`, `max_completion_tokens` or `max_output_tokens`, else
    what is given here; its input are the arguments named above, and what every call is given beside them (`input`).
    A generator asks at its first step. An outer function that only wraps metered calls holds too while it runs: say
    its model and most tokens as well, or decorate the inner ones alone.
    """
    if callable(endpoint) or isinstance(endpoint, (staticmethod, classmethod)):
        return track_api_call()(endpoint)
    given = given_attribution({"endpoint": endpoint, **attribution}, caller="track_api_call()")
    fields: EventFields = {
        "provider": provider,
        "model": model,
        "resource_type": resource_type,
        "service_tier": service_tier,
        "gateway": gateway,
        "metadata": metadata,
    }
    fields = checked_before_call(fields)
    expected = expected_of(
        input_tokens=input_tokens, max_output_tokens=max_output_tokens, input=input, writes_cache=writes_cache
    )

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, (staticmethod, classmethod)):
            return type(function)(decorate(function.__func__))
        tracked = TrackedFunction(function, fields, given, expected)
        return cast("Callable[P, R]", wraps(function)(_wrapper(function, tracked)))

    return decorate


def _wrapper(function: Callable[..., Any], tracked: TrackedFunction) -> Callable[..., Any]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        is_async = inspect.isasyncgenfunction(function)
        each_step: Any = each_async_step_in if is_async else each_step_in

        def generator(*args: Any, **kwargs: Any) -> Any:
            call = tracked.begin(args, kwargs)
            steps = function(*args, **kwargs)
            on_start = call.start_async if is_async else call.start
            return each_step(call.scope, steps, on_start=on_start, on_item=call.chunk, on_end=call.end)

        return generator
    if iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            call = await tracked.begin(args, kwargs).running_async()
            return await _awaited(call, function(*args, **kwargs))

        return coroutine

    def plain(*args: Any, **kwargs: Any) -> Any:
        call = tracked.begin(args, kwargs).running()
        try:
            with call.scope:
                result = function(*args, **kwargs)
        except BaseException as error:
            run_quietly(call.end(error))
            raise
        if inspect.iscoroutine(result):
            return _awaited(call, result)
        result, is_over = call.take(result)
        if is_over:
            run_quietly(call.end(None))
        return result

    return plain


async def _awaited(call: TrackedCall, coroutine: Any) -> Any:
    try:
        with call.scope:
            result = await coroutine
    except GeneratorExit as error:  # dropped with its loop: nothing may be awaited any more
        do_later(call.end(error))
        raise
    except BaseException as error:
        await run_quietly_async(call.end(error))
        raise
    result, is_over = call.take(result)
    if is_over:
        await run_quietly_async(call.end(None))
    return result
