"""What the responses and stream chunks of one metered call have told so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeAlias
from weakref import ref

from costtrack.extraction import Extracted, StreamUsage, extract

MAX_KEPT_ALIVE = 16
"""How many responses are kept alive to be found again if they are dicts, which have no weak references."""

Source: TypeAlias = Callable[[], object]
"""Gives an object that was observed, None if it is gone."""


@dataclass(frozen=True, slots=True)
class ObservedResponse:
    """What one response told, and how long it took. `found` is None if there was none to observe."""

    found: Extracted | None
    latency_ms: int
    ended_early: bool = False
    """A stream that was closed, or broke, before its end."""
    source: Source | None = None
    """The response, or the last chunk of the stream."""
    is_seen_inside: bool = False
    """It, or chunks of it, had been seen by a call that is metered inside this one."""


class Observed:
    """Collects responses; each with an id of its own, or without any, counts as a call of its own."""

    def __init__(self, *, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self._earlier: list[ObservedResponse] = []
        self._found: Extracted | None = None
        self._response: object = None
        self._source: Source | None = None
        self._is_seen_inside = False
        self._stream: StreamUsage | None = None
        self._stream_is_whole = True
        self._mark = perf_counter()
        self.problems: list[str] = []
        """What could not be read at all."""

    def response(self, response: object, *, is_seen_inside: bool = False) -> None:
        """A whole response. One that was observed before, or that tells less than the last, changes nothing."""
        if response is None or response is self._response:
            return
        self._settle_stream()
        try:
            found = extract(response, provider=self._provider, model=self._model)
        except Exception as error:  # whatever a provider's object does, it must not break the caller
            self.problems.append(f"response: {type(error).__name__} while it was read")
            return
        self._take(found, _source_of(response), is_seen_inside=is_seen_inside)
        self._response = response

    def begin_stream(self) -> None:
        """A stream begins; what was observed before is another call."""
        self._settle_stream()
        self._put_away()
        self._stream = StreamUsage(provider=self._provider, model=self._model)
        self._stream_is_whole = True

    def chunk(self, chunk: object, *, is_seen_inside: bool = False) -> None:
        """A chunk of the stream that has begun."""
        if self._stream is None:
            self.begin_stream()
        self._stream_is_whole = False
        self._source = _source_of(chunk)
        self._is_seen_inside = self._is_seen_inside or is_seen_inside
        try:
            self._stream.add(chunk)  # type: ignore[union-attr]
        except Exception as error:  # as above
            self.problems.append(f"chunk: {type(error).__name__} while it was read")

    def stream_ended(self, error: BaseException | None) -> None:
        """The stream was read to its end if there is no `error`; without this call, a stream that began ended early."""
        self._stream_is_whole = error is None

    def has_usage(self) -> bool:
        """Whether any response told what was used or what it cost."""
        found = [response.found for response in self.responses() if response.found is not None]
        return any(one.tokens is not None or one.reported_cost_usd is not None for one in found)

    def has_seen(self, thing: object) -> bool:
        """Whether this very object is a response that was observed, or the last chunk of a stream."""
        sources = (self._source, *(response.source for response in self._earlier))
        return any(source is not None and source() is thing for source in sources)

    def let_go(self) -> None:
        """Keep no object alive so that it can be found again; the facts about them stay."""
        self._source = _weak(self._source)
        self._earlier = [replace(response, source=_weak(response.source)) for response in self._earlier]

    def close(self) -> None:
        """Nothing more will be observed."""
        self._response = None

    def restart(self) -> None:
        """The time of the first response begins now."""
        self._mark = perf_counter()

    def responses(self) -> list[ObservedResponse]:
        """All that was observed, at least one (an empty one)."""
        found, ended_early = self._found, False
        if self._stream is not None:
            found, ended_early = self._stream.result(), not self._stream_is_whole
        last = ObservedResponse(found, self._milliseconds(), ended_early, self._source, self._is_seen_inside)
        return [*self._earlier, last]

    def _settle_stream(self) -> None:
        if self._stream is not None:
            found, self._stream = self._stream.result(), None
            self._take(found, self._source, is_seen_inside=self._is_seen_inside)

    def _take(self, found: Extracted, source: Source | None, *, is_seen_inside: bool) -> None:
        before = self._found
        if before is not None and before.tokens is not None:
            if found.tokens is None:
                return
            if not found.response_id or found.response_id != before.response_id:
                self._put_away()
        self._found, self._source, self._is_seen_inside = found, source, is_seen_inside

    def _put_away(self) -> None:
        """The last response is complete: what comes next is another call."""
        if self._found is not None and self._found.tokens is not None:
            self._earlier.append(
                ObservedResponse(
                    self._found, self._milliseconds(), source=self._source, is_seen_inside=self._is_seen_inside
                )
            )
            if len(self._earlier) > MAX_KEPT_ALIVE:
                old = self._earlier[-1 - MAX_KEPT_ALIVE]
                self._earlier[-1 - MAX_KEPT_ALIVE] = replace(old, source=_weak(old.source))
            self._mark = perf_counter()
        self._found, self._source, self._is_seen_inside = None, None, False

    def _milliseconds(self) -> int:
        return round((perf_counter() - self._mark) * 1000)


def _source_of(thing: object) -> Source:
    try:
        return ref(thing)
    except TypeError:  # a dict, a text
        return lambda: thing


def is_same_source(one: Source | None, other: Source | None) -> bool:
    """Whether both are of one object. It may be gone: CPython gives one weak reference per object."""
    if one is None or other is None:
        return False
    return one is other or (one() is other() is not None)


def _weak(source: Source | None) -> Source | None:
    return source if isinstance(source, ref) else None
