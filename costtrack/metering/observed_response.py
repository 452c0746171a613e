"""What one response told, and how it is known again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias
from weakref import ref

from costtrack.extraction import ArrivedText, Extracted
from costtrack.metering.estimate import GivenInput

Source: TypeAlias = Callable[[], object]
"""Gives an object that was observed, None if it is gone."""


class ObservedResponse(NamedTuple):
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
    """Of a stream: how much text has come; not all of it is counted where the provider told its counts."""
    input: GivenInput | None = None
    """What the model was given to read, if the caller said so."""
    estimate: str = ""
    """How its counts were estimated, if they were."""

    @property
    def tells(self) -> bool:
        """Whether it is a call of its own: it told its usage, or text came with it."""
        has_text = self.arrived is not None and self.arrived.characters > 0
        return has_text or (self.found is not None and self.found.tokens is not None)


def source_of(thing: object) -> Source:
    """A weak reference where there may be one; a dict or a text is kept."""
    try:
        return ref(thing)
    except TypeError:
        return lambda: thing


def weak(source: Source | None) -> Source | None:
    """The source, if it does not keep its object."""
    return source if isinstance(source, ref) else None


def is_same_source(one: Source | None, other: Source | None) -> bool:
    """Whether both are of one object. It may be gone: CPython gives one weak reference per object."""
    if one is None or other is None:
        return False
    return one is other or (one() is other() is not None)
