"""A stream whose chunks are passing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from costtrack.extraction import StreamUsage
from costtrack.metering.estimate import GivenInput
from costtrack.metering.observed_response import ObservedResponse, Source, source_of, weak
from costtrack.metering.open_calls import open_calls

MOST_UNCOUNTED = 64
"""So many chunks of mere text are kept at most, before they are counted: a model's answer may be long."""


class OpenStream:
    """Looks at each chunk as it passes, but for those of mere text.

    Their characters are counted later, many at once, or never: where the provider tells its counts nobody asks.
    """

    def __init__(
        self,
        usage: StreamUsage,
        given: GivenInput | None,
        problems: list[str],
        on_open_calls: Callable[[], None] | None = None,
    ) -> None:
        """What can not be read is noted in `problems`. `on_open_calls()` is for chunks that pass within other calls."""
        self.input = given
        self.is_whole = True
        """It was read to its end, as far as is known."""
        self.is_seen_inside = False
        self._usage = usage
        self._problems = problems
        self._on_open_calls = on_open_calls
        self._newest: object = None
        self._earlier_newest: Source | None = None
        self._uncounted: deque[object] = deque()
        self._is_told = False

    def add(self, chunk: object) -> None:
        """It passes."""
        if open_calls.get() and self._on_open_calls is not None:
            self._on_open_calls()
        self.is_whole = False
        self._newest = chunk
        try:
            if not self._usage.is_mere_text(chunk):
                self._usage.add(chunk)
                return
        except Exception as error:  # whatever a provider's object does, it must not break the caller
            self._problems.append(f"chunk: {type(error).__name__} while it was read")
            return
        self._uncounted.append(chunk)
        if len(self._uncounted) >= MOST_UNCOUNTED:
            self._count()

    def has_newest(self, thing: object) -> bool:
        """Whether it is the last chunk so far."""
        return thing is self._newest or (self._earlier_newest is not None and thing is self._earlier_newest())

    def let_go(self) -> None:
        """Keep no chunk alive so that it can be found again."""
        self._count()
        if self._newest is not None:
            self._earlier_newest, self._newest = weak(source_of(self._newest)), None

    def close(self) -> None:
        """The call is over, whether all chunks have come or not; those of mere text are kept no longer."""
        if self._is_told:
            self._uncounted.clear()
        elif self._uncounted:
            self._count()
        if self._newest is not None:
            self._earlier_newest, self._newest = source_of(self._newest), None
        if self.input is not None:
            self.input.let_go()

    def so_far(self, latency_ms: int) -> ObservedResponse:
        """What it has told."""
        found = self._usage.result()
        self._is_told = self._usage.is_final(found, is_whole=self.is_whole)
        if self._uncounted and not self._is_told:
            self._count()
        return ObservedResponse(
            found,
            latency_ms,
            ended_early=not self.is_whole,
            source=self._earlier_newest if self._newest is None else source_of(self._newest),
            is_seen_inside=self.is_seen_inside,
            arrived=self._usage.arrived,
            input=self.input,
        )

    def _count(self) -> None:
        with suppress(IndexError):  # another thread counts them as well
            while self._uncounted:
                chunk = self._uncounted.popleft()
                try:
                    self._usage.add(chunk)
                except Exception as error:  # as above
                    self._problems.append(f"chunk: {type(error).__name__} while it was read")
