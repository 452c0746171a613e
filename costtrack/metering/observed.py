"""What the responses and stream chunks of one metered call have told so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeAlias
from weakref import ref

from costtrack.extraction import ArrivedText, Extracted, StreamUsage, extract
from costtrack.metering.estimate import GivenInput

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
    arrived: ArrivedText | None = None
    """Of a stream: how much text has come."""
    input: GivenInput | None = None
    """What the model was given to read, if the caller said so."""
    estimate: str = ""
    """How its counts were estimated, if they were."""

    @property
    def tells(self) -> bool:
        """Whether it is a call of its own: it told its usage, or text came with it."""
        has_text = self.arrived is not None and self.arrived.characters > 0
        return has_text or (self.found is not None and self.found.tokens is not None)


NOTHING_FOUND = Extracted()
NO_RESPONSE = ObservedResponse(None, 0)


class _OpenStream:
    """A stream whose chunks are passing."""

    def __init__(self, usage: StreamUsage, given: GivenInput | None) -> None:
        self.usage = usage
        self.input = given
        self.is_whole = True
        self.source: Source | None = None
        self.is_seen_inside = False

    def so_far(self, latency_ms: int) -> ObservedResponse:
        return ObservedResponse(
            self.usage.result(),
            latency_ms,
            ended_early=not self.is_whole,
            source=self.source,
            is_seen_inside=self.is_seen_inside,
            arrived=self.usage.arrived,
            input=self.input,
        )


class Observed:
    """Collects responses; each with an id of its own, or without any, counts as a call of its own."""

    def __init__(self, *, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self._earlier: list[ObservedResponse] = []
        self._last = NO_RESPONSE
        self._response: object = None
        self._stream: _OpenStream | None = None
        self._input: GivenInput | None = None
        self._mark = perf_counter()
        self.problems: list[str] = []
        """What could not be read at all."""

    def given_input(self, given: GivenInput) -> None:
        """What the model is given to read: in the stream that is open if none was given yet, else in what follows."""
        if self._stream is not None and self._stream.input is None:
            self._stream.input = given
        else:
            self._input = given

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
        source = _source_of(response)
        self._take(ObservedResponse(found, 0, source=source, is_seen_inside=is_seen_inside, input=self._input))
        self._response = response

    def begin_stream(self) -> None:
        """A stream begins; what was observed before is another call."""
        self._settle_stream()
        self._put_away()
        self._stream = _OpenStream(StreamUsage(provider=self._provider, model=self._model), self._input)

    def chunk(self, chunk: object, *, is_seen_inside: bool = False) -> None:
        """A chunk of the stream that has begun."""
        if self._stream is None:
            self.begin_stream()
        stream: _OpenStream = self._stream  # type: ignore[assignment]
        stream.is_whole = False
        stream.source = _source_of(chunk)
        stream.is_seen_inside = stream.is_seen_inside or is_seen_inside
        try:
            stream.usage.add(chunk)
        except Exception as error:  # as above
            self.problems.append(f"chunk: {type(error).__name__} while it was read")

    def stream_ended(self, error: BaseException | None) -> None:
        """The stream was read to its end if there is no `error`; without this call, a stream that began ended early.

        One that was cut off before its first chunk began, too: the provider may well have worked. One that failed there
        did not.
        """
        is_cut_off = error is not None and not isinstance(error, Exception)
        if self._stream is None and is_cut_off and self._last.found is None and not self._earlier:
            self.begin_stream()
        if self._stream is not None:
            self._stream.is_whole = error is None

    def has_usage(self) -> bool:
        """Whether any response told what was used or what it cost."""
        found = [response.found for response in self.responses() if response.found is not None]
        return any(one.tokens is not None or one.reported_cost_usd is not None for one in found)

    def has_seen(self, thing: object) -> bool:
        """Whether this very object is a response that was observed, or the last chunk of a stream."""
        newest = self._stream.source if self._stream is not None else self._last.source
        sources = (newest, *(response.source for response in self._earlier))
        return any(source is not None and source() is thing for source in sources)

    def let_go(self) -> None:
        """Keep no object alive so that it can be found again; the facts about them stay."""
        if self._stream is not None:
            self._stream.source = _weak(self._stream.source)
        self._last = replace(self._last, source=_weak(self._last.source))
        self._earlier = [replace(response, source=_weak(response.source)) for response in self._earlier]

    def close(self) -> None:
        """Nothing more will be observed; of what was given to read only the sizes stay, where they were counted."""
        self._response = None
        given = [response.input for response in (self._last, *self._earlier)]
        for one in (self._input, self._stream.input if self._stream is not None else None, *given):
            if one is not None:
                one.let_go()

    def restart(self) -> None:
        """The time of the first response begins now."""
        self._mark = perf_counter()

    def responses(self) -> list[ObservedResponse]:
        """All that was observed, at least one (an empty one)."""
        milliseconds = self._milliseconds()
        if self._stream is not None:
            last = self._stream.so_far(milliseconds)
        else:
            last = replace(self._last, latency_ms=milliseconds, input=self._last.input or self._input)
        return [*self._earlier, last]

    def _settle_stream(self) -> None:
        """The stream is over; `begin_stream` has put away what was before it."""
        if self._stream is not None:
            self._last, self._stream = self._stream.so_far(0), None

    def _take(self, response: ObservedResponse) -> None:
        if self._last.tells:
            if not response.tells:
                return
            if _is_another(self._last, response):
                self._put_away()
        self._last = response

    def _put_away(self) -> None:
        """The last response is complete: what comes next is another call."""
        if self._last.tells:
            self._earlier.append(replace(self._last, latency_ms=self._milliseconds()))
            if len(self._earlier) > MAX_KEPT_ALIVE:
                old = self._earlier[-1 - MAX_KEPT_ALIVE]
                self._earlier[-1 - MAX_KEPT_ALIVE] = replace(old, source=_weak(old.source))
            self._mark = perf_counter()
        self._last = NO_RESPONSE

    def _milliseconds(self) -> int:
        return round((perf_counter() - self._mark) * 1000)


def _is_another(before: ObservedResponse, response: ObservedResponse) -> bool:
    """Whether these are two calls, by their ids. A stream without usage may be followed by its whole message."""
    earlier, later = before.found or NOTHING_FOUND, response.found or NOTHING_FOUND
    if earlier.tokens is None and not (earlier.response_id and later.response_id):
        return False
    return not later.response_id or earlier.response_id != later.response_id


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
