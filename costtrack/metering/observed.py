"""What the responses and stream chunks of one metered call have told so far."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from costtrack.extraction import Extracted, StreamUsage, extract


@dataclass(frozen=True, slots=True)
class ObservedResponse:
    """What one response told, and how long it took. `found` is None if there was none to observe."""

    found: Extracted | None
    latency_ms: int
    ended_early: bool = False
    """A stream that was closed, or broke, before its end."""


class Observed:
    """Collects responses; each with an id of its own, or without any, counts as a call of its own."""

    def __init__(self, *, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self._earlier: list[ObservedResponse] = []
        self._found: Extracted | None = None
        self._response: object = None
        self._stream: StreamUsage | None = None
        self._stream_is_whole = True
        self._mark = perf_counter()
        self.problems: list[str] = []
        """What could not be read at all."""

    def response(self, response: object) -> None:
        """A whole response. One that was observed before, or that tells less than the last, changes nothing."""
        if response is None or response is self._response:
            return
        self._settle_stream()
        try:
            found = extract(response, provider=self._provider, model=self._model)
        except Exception as error:  # whatever a provider's object does, it must not break the caller
            self.problems.append(f"response: {type(error).__name__} while it was read")
            return
        self._take(found)
        self._response = response

    def begin_stream(self) -> None:
        """A stream begins; what was observed before is another call."""
        self._settle_stream()
        self._put_away()
        self._stream = StreamUsage(provider=self._provider, model=self._model)
        self._stream_is_whole = True

    def chunk(self, chunk: object) -> None:
        """A chunk of the stream that has begun."""
        if self._stream is None:
            self.begin_stream()
        self._stream_is_whole = False
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

    def restart(self) -> None:
        """The time of the first response begins now."""
        self._mark = perf_counter()

    def responses(self) -> list[ObservedResponse]:
        """All that was observed, at least one (an empty one)."""
        found, ended_early = self._found, False
        if self._stream is not None:
            found, ended_early = self._stream.result(), not self._stream_is_whole
        return [*self._earlier, ObservedResponse(found, self._milliseconds(), ended_early)]

    def _settle_stream(self) -> None:
        if self._stream is not None:
            found, self._stream = self._stream.result(), None
            self._take(found)

    def _take(self, found: Extracted) -> None:
        before = self._found
        if before is not None and before.tokens is not None:
            if found.tokens is None:
                return
            if not found.response_id or found.response_id != before.response_id:
                self._put_away()
        self._found = found

    def _put_away(self) -> None:
        """The last response is complete: what comes next is another call."""
        if self._found is not None and self._found.tokens is not None:
            self._earlier.append(ObservedResponse(self._found, self._milliseconds()))
            self._mark = perf_counter()
        self._found = None

    def _milliseconds(self) -> int:
        return round((perf_counter() - self._mark) * 1000)
