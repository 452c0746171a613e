"""SDK streams in a wrapper that watches their chunks pass; everything else of the stream stays reachable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from functools import lru_cache
from types import AsyncGeneratorType, GeneratorType
from typing import Any, TypeVar

from costtrack.metering.ending import OnEnd, StreamEnd
from costtrack.metering.stepping import OnItem, Scope, aclose, close, each_async_step_in, each_step_in

Stream = TypeVar("Stream")


def is_stream(value: object) -> bool:
    """Whether a returned value is a stream still to be read: it is an iterator, sync or async, and no file."""
    kind: Any = type(value)
    return _is_iterator(kind) and not hasattr(value, "read")


@lru_cache(maxsize=256)
def _is_iterator(kind: type) -> bool:
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


def metered_stream(stream: Stream, *, on_chunk: OnItem, on_end: OnEnd, scope: Scope | None = None) -> Stream:
    """The stream in a wrapper: each step in `scope`, each chunk told to `on_chunk`, its end to `on_end`, once.

    A generator stays a generator. Any other stream keeps its attributes, `with`, `close` and isinstance.
    """
    source: Any = stream
    wrapped: Any
    if isinstance(source, GeneratorType):
        wrapped = each_step_in(scope or nullcontext(), source, on_item=on_chunk, on_end=on_end)
    elif isinstance(source, AsyncGeneratorType):
        wrapped = each_async_step_in(scope or nullcontext(), source, on_item=on_chunk, on_end=on_end)
    else:
        kind: Any = type(source)
        wrapped = _wrapper_of(kind)(source, on_chunk, on_end, scope)
    return wrapped  # type: ignore[no-any-return]


@lru_cache(maxsize=256)
def _wrapper_of(kind: type) -> type[MeteredStream] | type[MeteredAsyncStream]:
    is_async = hasattr(kind, "__anext__") or hasattr(kind, "__aiter__")
    is_sync = hasattr(kind, "__next__") or hasattr(kind, "__iter__")
    return MeteredEitherStream if is_async and is_sync else MeteredAsyncStream if is_async else MeteredStream


class _Watched:
    """What both wrappers share: the stream behind them, and its end."""

    def __init__(self, stream: Any, on_chunk: OnItem, on_end: OnEnd, scope: Scope | None) -> None:
        self._stream = stream
        self._iterator: Any = None
        self._on_chunk = on_chunk
        self._end = StreamEnd(on_end)
        self._scope = scope
        self.is_in_step = False
        """A chunk is being waited for."""

    def __getattr__(self, name: str) -> Any:
        if name == "_stream":
            raise AttributeError(name)
        return getattr(self._stream, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """Of the stream, as it says itself, so that a caller's isinstance holds: it may be a wrapper, too."""
        return self._stream.__class__


class MeteredStream(_Watched):
    """A sync stream."""

    def __iter__(self) -> Iterator[Any]:
        return self if self._scope is not None else self._each(iter(self._stream))

    def _each(self, chunks: Iterator[Any]) -> Iterator[Any]:
        """As `__next__` gives them, at half its cost. A consumer that leaves its loop may go on in another one."""
        on_chunk = self._on_chunk
        while True:
            self.is_in_step = True
            try:
                chunk = next(chunks)
            except StopIteration:
                self._end.tell(None)
                return
            except BaseException as error:
                self._end.tell(error)
                raise
            finally:
                self.is_in_step = False
            on_chunk(chunk)
            yield chunk

    def __next__(self) -> Any:
        self.is_in_step = True
        try:
            with self._scope or nullcontext():
                if self._iterator is None:
                    self._iterator = self._stream if hasattr(type(self._stream), "__next__") else iter(self._stream)
                chunk = next(self._iterator)
        except StopIteration:
            self._end.tell(None)
            raise
        except BaseException as error:
            self._end.tell(error)
            raise
        finally:
            self.is_in_step = False
        self._on_chunk(chunk)
        return chunk

    def close(self) -> Any:
        """Close the stream; what it used so far is recorded."""
        try:
            with self._scope or nullcontext():
                close(self._stream)
        finally:
            self._end.tell(GeneratorExit())

    def __enter__(self) -> MeteredStream:
        if hasattr(self._stream, "__enter__"):
            self._stream.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> Any:
        try:
            if hasattr(self._stream, "__exit__"):
                return self._stream.__exit__(kind, error, traceback)
            close(self._stream)
        finally:
            self._end.tell(error or GeneratorExit())
        return None


class MeteredAsyncStream(_Watched):
    """An async stream."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        self.is_in_step = True
        try:
            with self._scope or nullcontext():
                if self._iterator is None:
                    self._iterator = self._stream if hasattr(type(self._stream), "__anext__") else aiter(self._stream)
                chunk = await anext(self._iterator)
        except StopAsyncIteration:
            await self._end.tell_async(None)
            raise
        except GeneratorExit as error:  # this coroutine was dropped with its loop
            self._end.tell_later(error)
            raise
        except BaseException as error:
            await self._end.tell_async(error)
            raise
        finally:
            self.is_in_step = False
        self._on_chunk(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the stream; what it used so far is recorded."""
        try:
            with self._scope or nullcontext():
                await aclose(self._stream)
        finally:
            await self._end.tell_async(GeneratorExit())

    def close(self) -> Any:
        """The same, to be awaited."""
        return self.aclose()

    async def __aenter__(self) -> MeteredAsyncStream:
        if hasattr(self._stream, "__aenter__"):
            await self._stream.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> Any:
        try:
            if hasattr(self._stream, "__aexit__"):
                return await self._stream.__aexit__(kind, error, traceback)
            await aclose(self._stream)
        finally:
            await self._end.tell_async(error or GeneratorExit())
        return None


class MeteredEitherStream(MeteredStream, MeteredAsyncStream):
    """One that may be read either way, as LiteLLM's can; it closes as a sync one."""
