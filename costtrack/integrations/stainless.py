"""OpenAI's and Anthropic's SDKs are made by one generator, Stainless: all their calls pass one method, `request`.

So that method of one client is what is metered: whatever resource, helper or framework makes a call, it is seen once,
with the body that goes on the wire, and before any try to send it. The SDK's own retries are within one call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from costtrack.integrations.charging import charging
from costtrack.integrations.fetched import FetchedAnswer
from costtrack.integrations.raw_responses import watch_response, watch_stream
from costtrack.integrations.request_body import (
    expected_of_body,
    fields_of,
    inputs_of,
    marks_cache,
    without_iterators,
)
from costtrack.metering.admitting import admit, admit_async
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.call import Call
from costtrack.metering.database_thread import run_quietly, run_quietly_async
from costtrack.metering.ending import do_later
from costtrack.metering.finish import finish
from costtrack.metering.given_fields import EventFields
from costtrack.metering.nested import within_the_block
from costtrack.metering.streams import is_stream

if TYPE_CHECKING:
    from costtrack.metering.database_thread import Work
    from costtrack.metering.expected import Expected

Client = TypeVar("Client")

_RAW_HEADER = "X-Stainless-Raw-Response"
_LEFT_OUT = ("Omit", "NotGiven")
_COPYING = ("copy", "with_options")


@dataclass(frozen=True, kw_only=True)
class Metering:
    """How the calls of one client are metered."""

    fields: EventFields
    """Provider and gateway."""
    given: GivenAttribution
    paths: frozenset[str]
    """Of the calls that are charged by tokens."""
    always_writes_cache: bool = False
    """The provider caches by itself; else only where a part of the request is marked so."""
    max_output_tokens: Mapping[str, int] = field(default_factory=dict)
    """By path, where an API has no argument that says so."""
    fetched_from: str = ""
    """Under this path is fetched what was made in the background, and is charged then; "" = nothing is."""


def instrument_client(client: Client, metering_of: Callable[[Client], Metering]) -> Client:
    """The same client, metered from now on, and so are the copies that it makes. Again: only as is said last."""
    uninstrument_client(client)
    metering = metering_of(client)
    sdk: Any = client
    original = sdk.request
    is_async = inspect.iscoroutinefunction(original)
    sdk.request = _async_request(original, metering) if is_async else _request(original, metering)
    for name in _COPYING:
        setattr(sdk, name, _copying(getattr(sdk, name), metering_of))
    return client


def uninstrument_client(client: Client) -> Client:
    """The same client, as it was. Streams that are still open are metered to their end."""
    for name in ("request", *_COPYING):
        vars(client).pop(name, None)
    return client


def _copying(copy: Callable[..., Client], metering_of: Callable[[Client], Metering]) -> Callable[..., Client]:
    def copied(*args: Any, **kwargs: Any) -> Client:
        return instrument_client(copy(*args, **kwargs), metering_of)

    return copied


def _request(original: Callable[..., Any], metering: Metering) -> Callable[..., Any]:
    def request(cast_to: Any, options: Any, **how: Any) -> Any:
        path = _path(options)
        if path not in metering.paths or options.method.lower() != "post":
            result = original(cast_to, options, **how)
            if _may_fetch(options, path, metering):
                fetched = FetchedAnswer(metering.fields, metering.given)
                result, is_over = fetched.take(result, is_raw=_is_raw(options))
                if is_over:
                    run_quietly(fetched.end(None))
            return result
        one = _OneCall(options, metering, path=path, is_stream=bool(how.get("stream")))
        admit(one.call, one.expected)
        one.admitted()
        try:
            with charging(one.model):
                result = original(cast_to, options, **how)
        except BaseException as error:
            run_quietly(one.end(error))
            raise
        result, is_over = one.take(result)
        if is_over:
            run_quietly(one.end(None))
        return result

    return request


def _async_request(original: Callable[..., Any], metering: Metering) -> Callable[..., Any]:
    async def request(cast_to: Any, options: Any, **how: Any) -> Any:
        path = _path(options)
        if path not in metering.paths or options.method.lower() != "post":
            result = await original(cast_to, options, **how)
            if _may_fetch(options, path, metering):
                fetched = FetchedAnswer(metering.fields, metering.given)
                result, is_over = fetched.take(result, is_raw=_is_raw(options))
                if is_over:
                    await run_quietly_async(fetched.end(None))
            return result
        one = _OneCall(options, metering, path=path, is_stream=bool(how.get("stream")))
        await admit_async(one.call, one.expected)
        one.admitted()
        try:
            with charging(one.model):
                result = await original(cast_to, options, **how)
        except GeneratorExit as error:  # dropped with its loop: nothing may be awaited any more
            do_later(one.end(error))
            raise
        except BaseException as error:
            await run_quietly_async(one.end(error))
            raise
        result, is_over = one.take(result)
        if is_over:
            await run_quietly_async(one.end(None))
        return result

    return request


def _may_fetch(options: Any, path: str, metering: Metering) -> bool:
    """Whether an answer that was made in the background may come with this; to cancel one gives what it used, too."""
    is_asked = options.method.lower() == "get" or path.endswith("/cancel")
    return bool(metering.fetched_from) and is_asked and path.startswith(metering.fetched_from)


def _is_raw(options: Any) -> bool:
    return bool(options.headers) and _RAW_HEADER in options.headers


def _path(options: Any) -> str:
    """As the SDK reads it, which takes it with a slash before it or without."""
    return "/" + str(options.url).partition("?")[0].lstrip("/")


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without what was left out, for which the SDKs have marks of their own."""
    return {name: value for name, value in body.items() if type(value).__name__ not in _LEFT_OUT}


class _OneCall:
    """One call of the client."""

    def __init__(self, options: Any, metering: Metering, *, path: str, is_stream: bool) -> None:
        body = options.json_data or {}
        inputs = inputs_of(body)
        for value in inputs:
            if hasattr(type(value), "__next__"):
                body = options.json_data = without_iterators(body)
                inputs = inputs_of(body)
                break
        if options.extra_json:
            body = {**body, **options.extra_json}
            inputs = inputs_of(body)
        self._body = body
        self._metering = metering
        self._path = path
        asked = fields_of(body)
        self.model = str(asked.get("model", ""))
        """As it is asked for; "" if it is not said."""
        self.call = Call({**metering.fields, **asked}, within_the_block(metering.given))
        self.call.set_input(*inputs)
        self._is_in_background = metering.fetched_from != "" and body.get("background") is True
        self._is_stream = is_stream
        self._is_raw = _is_raw(options)
        if callable(options.post_parser) and not is_stream and not self._is_raw:
            options.post_parser = self._seen_first(options.post_parser)

    def expected(self) -> Expected:
        """Its worst case."""
        body = _said(self._body)
        return expected_of_body(
            body,
            writes_cache=self._metering.always_writes_cache or marks_cache(body),
            max_output_tokens=self._metering.max_output_tokens.get(self._path),
        )

    def admitted(self) -> None:
        """It is about to be sent."""
        self._body = {}  # keep nothing of the input
        self.call.announce()

    def _seen_first(self, parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The provider charges an answer that does not parse as the caller would have it."""

        def parsed(response: Any) -> Any:
            self.call.observe(response)
            return parse(response)

        return parsed

    def end(self, error: BaseException | None) -> Work | None:
        """The call is over; gives the work of recording it. An answer that is still to be made is recorded later."""
        observed = self.call.observed
        if self._is_in_background and not observed.has_usage() and (error is None or observed.has_begun()):
            return None  # it may be fetched, also where a stream of it has broken, whose first event tells its id
        return finish(self.call, error)

    def take(self, result: Any) -> tuple[Any, bool]:
        """What the client returned, to be handed on, and whether the call is over."""
        response = getattr(result, "http_response", None) if self._is_raw else result
        if "is_stream_consumed" in getattr(response, "__dict__", ()):  # of httpx; models answer hasattr slowly
            return result, watch_response(response, self.call, on_end=self.end)
        if self._is_stream and is_stream(result):
            return watch_stream(result, self.call, on_end=self.end), False
        self.call.observe(result)
        return result, True
