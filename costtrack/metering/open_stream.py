"""A stream whose chunks are passing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from costtrack.extraction import COUNTING_EVENTS, TEXT_EVENTS, StreamUsage
from costtrack.metering.estimate import GivenInput
from costtrack.metering.observed_response import ObservedResponse, Source, source_of, weak
from costtrack.metering.open_calls import open_calls

MOST_UNREAD = 64
"""So many chunks are kept at most, before they are read: a model's answer may be long."""

ENDING = 3
"""Among so many chunks before the counts is the one that says why the answer ends."""


class OpenStream:
    """Reads each chunk as it passes, but for those that carry no counts: mere text, mostly.

    They are read later, many at once, or never: where the provider tells its counts nobody asks how much text came.
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
        self._unread: deque[object] = deque()
        self._is_begun = False
        self._is_told = False

    def add(self, chunk: object) -> None:
        """It passes."""
        if open_calls.get() and self._on_open_calls is not None:
            self._on_open_calls()
        self.is_whole = False
        self._newest = chunk
        fields: Any = getattr(chunk, "__dict__", None)
        has_counts = False
        if fields is None:
            is_text = self._is_mere_text(chunk)
        elif "choices" in fields:
            has_counts = fields.get("usage", chunk) is not None
            # The first of a chat has the model and the id, the others are not looked at before they are read.
            is_text = not has_counts and (self._is_begun or self._is_mere_text(chunk))
        else:
            kind = fields.get("type")
            is_known = type(kind) is str
            is_text = is_known and kind in TEXT_EVENTS
            if not is_text and not (is_known and kind in COUNTING_EVENTS):
                is_text = self._is_mere_text(chunk)
        self._is_begun = True
        if is_text:
            self._unread.append(chunk)
            if len(self._unread) >= MOST_UNREAD:
                self._read()
            return
        if has_counts and self._unread:
            self._read_ending()
        self._read_one(chunk)

    def has_newest(self, thing: object) -> bool:
        """Whether it is the last chunk so far."""
        return thing is self._newest or (self._earlier_newest is not None and thing is self._earlier_newest())

    def let_go(self) -> None:
        """Keep no chunk alive so that it can be found again."""
        self._read()
        if self._newest is not None:
            self._earlier_newest, self._newest = weak(source_of(self._newest)), None

    def close(self) -> None:
        """The call is over, whether all chunks have come or not; none is kept any longer."""
        if self._is_told:
            self._unread.clear()
        elif self._unread:
            self._read()
        if self._newest is not None:
            self._earlier_newest, self._newest = source_of(self._newest), None
        if self.input is not None:
            self.input.let_go()

    def so_far(self, latency_ms: int) -> ObservedResponse:
        """What it has told."""
        found = self._usage.result()
        self._is_told = self._usage.is_final(found, is_whole=self.is_whole)
        if self._unread and not self._is_told:
            self._read()
            found = self._usage.result()
        return ObservedResponse(
            found,
            latency_ms,
            ended_early=not self.is_whole,
            source=self._earlier_newest if self._newest is None else source_of(self._newest),
            is_seen_inside=self.is_seen_inside,
            arrived=self._usage.arrived,
            input=self.input,
        )

    def _read(self) -> None:
        with suppress(IndexError):  # another thread reads them as well
            while self._unread:
                self._read_one(self._unread.popleft())

    def _read_ending(self) -> None:
        """The newest that is no mere text: right before the counts comes the reason why the answer ends."""
        with suppress(IndexError):  # as above
            for place in range(-1, -ENDING - 1, -1):
                chunk = self._unread[place]
                if not self._is_mere_text(chunk):
                    del self._unread[place]
                    self._read_one(chunk)
                    return

    def _is_mere_text(self, chunk: object) -> bool:
        try:
            return self._usage.is_mere_text(chunk)
        except Exception:  # whatever a provider's object does, it must not break the caller
            return False

    def _read_one(self, chunk: object) -> None:
        try:
            self._usage.add(chunk)
        except Exception as error:  # the same
            self._problems.append(f"chunk: {type(error).__name__} while it was read")
