"""Responses whose body the caller reads himself, raw or line by line: it is watched as it passes, and not held up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any
from weakref import ref

from costtrack.integrations.watched_body import WatchedBody, decoded, watched_body
from costtrack.metering.call import Call
from costtrack.metering.ending import OnEnd, StreamEnd
from costtrack.metering.streams import metered_stream


def watch_response(response: Any, call: Call, *, on_end: OnEnd) -> bool:
    """Observe the body of an httpx response; gives whether it has come already, so that the call is over.

    Else `on_end` is told when it has been read, is closed, or is dropped.
    """
    if response.is_stream_consumed or response.is_closed:
        try:
            content = response.content
        except Exception:  # closed before it was read: there is nothing to see
            return True
        call.observe(decoded(content))
        return True
    body = watched_body(call, response.headers.get("content-type", ""))
    watch(response, BodyWatch(body, _end_of_stream(call, on_end)))
    return False


def watch_stream(stream: Any, call: Call, *, on_end: OnEnd) -> Any:
    """The stream of an SDK in a wrapper that observes its chunks; `on_end` is told its end.

    That is when its HTTP response is closed, too, which is all that the SDKs' helpers for streams do.
    """
    begun = call.observed.begin_stream(on_open_calls=call.announce)
    metered = metered_stream(stream, on_chunk=begun.add, on_end=_end_of_stream(call, on_end))
    response = getattr(stream, "response", None)
    if hasattr(response, "is_stream_consumed"):
        watch(response, StreamWatch(metered))
    return metered


def _end_of_stream(call: Call, on_end: OnEnd) -> OnEnd:
    def end(error: BaseException | None) -> Any:
        call.observed.stream_ended(error)
        return on_end(None if isinstance(error, GeneratorExit) else error)  # the consumer had enough: no failure

    return end


class BodyWatch:
    """Sees the bytes of one response pass, and its end."""

    def __init__(self, body: WatchedBody, on_end: OnEnd) -> None:
        """Tells `on_end` once."""
        self._body = body
        self._end = StreamEnd(on_end)
        self._is_reading = False

    def passing(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """The parts, untouched."""
        try:
            while True:
                self._is_reading = True
                try:
                    part = next(parts, None)
                finally:
                    self._is_reading = False
                if part is None:
                    break
                self._body.add(part)
                yield part
            self._body.end()
        except BaseException as error:
            self._end.tell(self._how(error))
            raise
        self._end.tell(None)

    async def apassing(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same of an async response."""
        try:
            while True:
                self._is_reading = True
                try:
                    part = await anext(parts, None)
                finally:
                    self._is_reading = False
                if part is None:
                    break
                self._body.add(part)
                yield part
            self._body.end()
        except GeneratorExit as error:  # closed or dropped: nothing may be awaited any more
            self._end.tell_later(self._how(error))
            raise
        except BaseException as error:
            await self._end.tell_async(self._how(error))
            raise
        await self._end.tell_async(None)

    def closed(self) -> None:
        """The response was closed; by its own last step, too, which tells the end itself."""
        if not self._is_reading:
            self._end.tell(self._how(GeneratorExit()))

    async def aclosed(self) -> None:
        """The same of an async response."""
        if not self._is_reading:
            await self._end.tell_async(self._how(GeneratorExit()))

    def _how(self, error: BaseException) -> BaseException | None:
        """A stream that is left after the provider's last event was read to its end."""
        return None if self._body.is_whole and isinstance(error, GeneratorExit) else error


class StreamWatch:
    """Closes the metered stream of an SDK with its response."""

    def __init__(self, stream: Any) -> None:
        """Does not keep the stream: dropped, it tells its end itself."""
        self._stream = ref(stream)
        self._is_closing = False

    def closed(self) -> None:
        """The response was closed."""
        stream = self._open_stream()
        if stream is not None:
            stream.close()

    async def aclosed(self) -> None:
        """The same of an async response."""
        stream = self._open_stream()
        if stream is not None:
            await stream.aclose()

    def _open_stream(self) -> Any:
        """None from within a step of the stream: there it has been read to its end, and tells that itself."""
        stream = None if self._is_closing else self._stream()
        if stream is None or stream.is_in_step:
            return None
        self._is_closing = True
        return stream


def watch(response: Any, watcher: BodyWatch | StreamWatch) -> None:
    """Have the response tell the watcher. It gets a class of its own, so that nothing refers back to it."""
    response._costtrack_watcher = watcher
    kind: Any = type(response)
    response.__class__ = _passing(kind) if type(watcher) is BodyWatch else _closing(kind)


@cache
def _closing(kind: Any) -> Any:
    class Watched(kind):  # type: ignore[misc]  # httpx's Response, or that of httpx2, which is a package of its own
        def close(self) -> None:
            try:
                super().close()
            finally:
                self._costtrack_watcher.closed()

        async def aclose(self) -> None:
            try:
                await super().aclose()
            finally:
                await self._costtrack_watcher.aclosed()

    return _named_as(kind, Watched)


@cache
def _passing(kind: Any) -> Any:
    class Watched(_closing(kind)):  # type: ignore[misc]  # the same
        def iter_bytes(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
            return self._costtrack_watcher.passing(super().iter_bytes(*args, **kwargs))  # type: ignore[no-any-return]

        def aiter_bytes(self, *args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
            return self._costtrack_watcher.apassing(super().aiter_bytes(*args, **kwargs))  # type: ignore[no-any-return]

    return _named_as(kind, Watched)


def _named_as(kind: Any, watched: Any) -> Any:
    watched.__name__, watched.__qualname__ = kind.__name__, kind.__qualname__
    return watched
