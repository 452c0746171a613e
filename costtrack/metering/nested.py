"""What was metered inside a call that is still open, so that one response is not charged by both.

A tracked function may return the response of another one, a block may observe it too. Most response ids are no
idempotency keys, so the open call itself remembers what the calls inside it have seen. As with attribution, tasks
and `asyncio.to_thread` are inside, a plain thread is not.
"""

from __future__ import annotations

import re
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted
from costtrack.metering.attribution import NOT_GIVEN, GivenAttribution
from costtrack.metering.observed import MAX_KEPT_ALIVE, Observed
from costtrack.metering.observed_response import ObservedResponse, is_same_source
from costtrack.metering.open_calls import open_calls

if TYPE_CHECKING:
    from costtrack.metering.call import Call

MAX_CALLS = 256
"""A function that runs for days remembers the newest calls only."""

SHORTEST_UNIQUE_ID = 16
"""A shorter one, `chatcmpl-123`, is of a local server that may send it again: the counts must be equal too."""


@dataclass(slots=True, eq=False)
class BookedFigures:
    """What `record_usage` booked; stands for one response."""

    model: str
    tokens: TokenUsage
    is_matched: bool = False

    def are_of(self, tokens: TokenUsage, models: tuple[str, ...]) -> bool:
        """Whether they may be the usage of a response by one of these names of its model."""
        return (
            not self.is_matched
            and self.tokens.total_tokens > 0
            and (self.tokens.input_tokens, self.tokens.output_tokens) == (tokens.input_tokens, tokens.output_tokens)
            and any(same_model(self.model, model) for model in models if model or not any(models))
        )


class MeteredInside(AbstractContextManager["MeteredInside"]):
    """What the calls inside one open call have metered; entered while that one runs, in steps or at once."""

    def __init__(self, attribution: GivenAttribution = NOT_GIVEN) -> None:
        self.attribution = attribution
        """Whom the open call is attributed to."""
        self.has_calls = False
        """Whether an LLM call was metered inside; then a function that returns no usage of its own adds no row."""
        self._calls: deque[Observed] = deque(maxlen=MAX_CALLS)
        self._figures: deque[BookedFigures] = deque(maxlen=MAX_CALLS)
        self._matched_streams: list[str] = []
        self._is_over = False

    def __enter__(self) -> MeteredInside:
        """What is metered from here on is inside."""
        open_calls.set((*metered_around_here(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Only this one is left: a generator may be left open between, or closed out of order."""
        open_calls.set(tuple(one for one in metered_around_here() if one is not self))

    def add(self, call: Observed) -> None:
        """An LLM call begins inside; what it observes from now on is known."""
        self.has_calls = True
        if self._is_over:
            return
        self._calls.append(call)
        if len(self._calls) > MAX_KEPT_ALIVE:
            self._calls[-1 - MAX_KEPT_ALIVE].let_go()

    def add_figures(self, figures: BookedFigures) -> None:
        """LLM usage was recorded inside by its figures."""
        self.has_calls = True
        if not self._is_over:
            self._figures.append(figures)

    def knows(self, chunk: object) -> bool:
        """Whether a call inside has observed this very chunk or response; of a stream, as its last chunk so far."""
        return chunk is not None and any(call.has_seen(chunk) for call in tuple(self._calls))

    def not_charged(self, responses: list[ObservedResponse], *, given_model: str) -> list[ObservedResponse]:
        """Those that no call inside charges: none saw the same object or id, nor were the figures recorded."""
        inner = [one for call in tuple(self._calls) for one in call.responses()]
        return [
            response
            for response in responses
            if response.found is None
            or not (
                response.is_seen_inside
                or any(_same_response(one, response) for one in inner)
                or self._is_told_later(response.found)
                or self._has_figures_of(response.found, given_model)
            )
        ]

    def so_far(self) -> MeteredInside:
        """What was metered inside until now, but by what tells later: for one of those, which may end by itself."""
        copy = MeteredInside(self.attribution)
        for call in tuple(self._calls):
            if call.told_later is None:
                copy.add(call)
        for figures in tuple(self._figures):
            copy.add_figures(figures)
        return copy

    def hands_over(self, hold_of: Call) -> bool:
        """Whether a call inside that a gateway tells of later settles what is held for the open one."""
        told_later = [call.told_later for call in tuple(self._calls)]
        return any(one is not None and one.take_hold(hold_of) for one in told_later)

    def end(self) -> None:
        """The open call is over: nothing is remembered any more."""
        self._is_over = True
        self._calls.clear()
        self._figures.clear()

    @property
    def is_over(self) -> bool:
        """Whether the open call has ended; contexts that were copied meanwhile may still hold it."""
        return self._is_over

    def _is_told_later(self, found: Extracted) -> bool:
        """Whether a gateway's own word of a call inside charges it.

        Pieces of LiteLLM's streams do not say which call they are of: each stream that began inside stands for one.
        """
        if not found.is_of_litellm:
            return False
        for one in [call.told_later for call in tuple(self._calls)]:
            if one is None or (found.litellm_call_id and one.call_id != found.litellm_call_id):
                continue
            if found.litellm_call_id:
                return True
            if one.is_stream and one.call_id not in self._matched_streams:
                self._matched_streams.append(one.call_id)
                return True
        return False

    def _has_figures_of(self, found: Extracted, given_model: str) -> bool:
        if found.tokens is None:
            return False
        for figures in tuple(self._figures):
            if figures.are_of(found.tokens, (found.model, given_model)):
                figures.is_matched = True
                return True
        return False


def metered_around_here() -> tuple[MeteredInside, ...]:
    """Of all metered calls that are open here, the outermost first."""
    here = open_calls.get()
    return tuple([one for one in here if not one.is_over]) if here else here


def attribution_around_here() -> GivenAttribution:
    """Of the innermost metered call that is open here."""
    around = metered_around_here()
    return around[-1].attribution if around else NOT_GIVEN


def within_the_block(given: GivenAttribution) -> GivenAttribution:
    """What a client's call is attributed to that charges in place of the `meter` block around it: to both."""
    return given.over(attribution_around_here()) if open_calls.get() else given


def same_model(one: str, other: str) -> bool:
    """Whether two names may be one model: without gateways before it, and one of them without its snapshot."""
    first, second = (name.strip().lower().rpartition("/")[2] for name in (one, other))
    return (
        not first or not second or first == second or _snapshotless(first) == second or first == _snapshotless(second)
    )


_SNAPSHOT = re.compile(r"[-@](?:latest|\d{4}-\d\d-\d\d|\d{8}|\d{3,4})(?:-v\d+(?::\d+)?)?$")


def _snapshotless(model: str) -> str:
    return _SNAPSHOT.sub("", model)


def _same_response(one: ObservedResponse, other: ObservedResponse) -> bool:
    if is_same_source(one.source, other.source):
        return True
    if one.found is None or other.found is None or not other.found.response_id:
        return False
    return one.found.response_id == other.found.response_id and (
        len(other.found.response_id) >= SHORTEST_UNIQUE_ID or one.found.tokens == other.found.tokens
    )
