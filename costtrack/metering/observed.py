"""What the responses and stream chunks of one metered call have told so far."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from costtrack.extraction import Extracted, StreamUsage, extract
from costtrack.metering.cut_off import is_cut_off
from costtrack.metering.estimate import GivenInput
from costtrack.metering.observed_response import ObservedResponse, source_of, weak
from costtrack.metering.open_stream import OpenStream
from costtrack.metering.told_later import ToldLater

MAX_KEPT_ALIVE = 16
"""How many responses are kept alive to be found again if they are dicts, which have no weak references."""

NOTHING_FOUND = Extracted()
NO_RESPONSE = ObservedResponse(None, 0)


class Observed:
    """Collects responses; each with an id of its own, or without any, counts as a call of its own."""

    def __init__(self, *, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self._earlier: list[ObservedResponse] = []
        self._last = NO_RESPONSE
        self._response: object = None
        self._stream: OpenStream | None = None
        self._input: GivenInput | None = None
        self._mark = perf_counter()
        self.told_later: ToldLater | None = None
        """If this is a call of a gateway, which tells of its end when it likes."""
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
        if self._stream is not None:
            self._settle_stream(self._stream)
        try:
            found = extract(response, provider=self._provider, model=self._model)
        except Exception as error:  # whatever a provider's object does, it must not break the caller
            self.problems.append(f"response: {type(error).__name__} while it was read")
            return
        source = source_of(response)
        self._take(ObservedResponse(found, 0, source=source, is_seen_inside=is_seen_inside, input=self._input))
        self._response = response

    def begin_stream(self, stream: object = None, *, on_open_calls: Callable[[], None] | None = None) -> OpenStream:
        """A stream begins, this one if it is known; what was observed before is another call.

        `on_open_calls()` is called for chunks that pass within other metered calls.
        """
        if self._stream is not None:
            self._settle_stream(self._stream)
        if self._last is not NO_RESPONSE:
            self._put_away()
        usage = StreamUsage(provider=self._provider, model=self._model, stream=stream)
        begun = self._stream = OpenStream(usage, self._input, self.problems, on_open_calls)
        return begun

    def chunk(self, chunk: object, *, is_seen_inside: bool = False) -> None:
        """A chunk of the stream that has begun."""
        stream = self._stream or self.begin_stream()
        if is_seen_inside:
            stream.is_seen_inside = True
        stream.add(chunk)

    def stream_ended(self, error: BaseException | None) -> None:
        """The stream was read to its end if there is no `error`; without this call, a stream that began ended early.

        One that was cut off before its first chunk began, too: the provider may well have worked. One that failed there
        did not.
        """
        if self._stream is None and is_cut_off(error) and self._last.found is None and not self._earlier:
            self.begin_stream()
        if self._stream is not None:
            self._stream.is_whole = error is None

    def has_usage(self) -> bool:
        """Whether any response told what was used or what it cost."""
        found = [response.found for response in self.responses() if response.found is not None]
        return any(one.tokens is not None or one.reported_cost_usd is not None for one in found)

    def has_begun(self) -> bool:
        """Whether anything of a stream has come."""
        return any(response.arrived is not None and response.arrived.is_any for response in self.responses())

    def has_seen(self, thing: object) -> bool:
        """Whether this very object is a response that was observed, or the last chunk of a stream."""
        if self._stream is not None:
            if self._stream.has_newest(thing):
                return True
        elif self._last.source is not None and self._last.source() is thing:
            return True
        return any(one.source is not None and one.source() is thing for one in self._earlier)

    def let_go(self) -> None:
        """Keep no object alive so that it can be found again; the facts about them stay."""
        if self._stream is not None:
            self._stream.let_go()
        self._last = self._last._replace(source=weak(self._last.source))
        self._earlier = [response._replace(source=weak(response.source)) for response in self._earlier]

    def close(self) -> None:
        """Nothing more will be observed; of what was given to read only the sizes stay, where they were counted."""
        self._response = None
        if self._stream is not None:
            self._stream.close()
        if self._input is not None and (self._stream is None or self._stream.input is not self._input):
            self._input.let_go()
        for response in (self._last, *self._earlier):
            if response.input is not None:
                response.input.let_go()

    def restart(self) -> None:
        """The time of the first response begins now."""
        self._mark = perf_counter()

    def responses(self, *, sole_ms: int | None = None) -> list[ObservedResponse]:
        """All that was observed, at least one (an empty one). `sole_ms` is how long it took, if it is the only one."""
        milliseconds = self._milliseconds() if sole_ms is None or self._earlier else sole_ms
        if self._stream is not None:
            return [*self._earlier, self._stream.so_far(milliseconds)]
        last = self._last
        last = ObservedResponse(
            last.found,
            milliseconds,
            ended_early=last.ended_early,
            source=last.source,
            is_seen_inside=last.is_seen_inside,
            arrived=last.arrived,
            input=last.input or self._input,
        )
        return [*self._earlier, last]

    def _settle_stream(self, stream: OpenStream) -> None:
        """The stream is over; `begin_stream` has put away what was before it."""
        self._last, self._stream = stream.so_far(0), None

    def _take(self, response: ObservedResponse) -> None:
        if self._last is not NO_RESPONSE and self._last.tells:
            if not response.tells:
                return
            if _is_another(self._last, response):
                self._put_away()
        self._last = response

    def _put_away(self) -> None:
        """The last response is complete: what comes next is another call."""
        if self._last.tells:
            self._earlier.append(self._last._replace(latency_ms=self._milliseconds()))
            if len(self._earlier) > MAX_KEPT_ALIVE:
                old = self._earlier[-1 - MAX_KEPT_ALIVE]
                self._earlier[-1 - MAX_KEPT_ALIVE] = old._replace(source=weak(old.source))
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
