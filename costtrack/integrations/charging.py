"""What the hook of a client charges, told to the spans of the same call: they are not booked beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol
from weakref import ref

from costtrack.metering.nested import same_model


class SpanWatcher(Protocol):
    """Knows the spans that run in this process."""

    def charged_here(self, *models: str) -> None:
        """The call of such a model that begins here is charged: the spans around it that name that model are its."""


_watchers: set[ref[SpanWatcher]] = set()
_UNWATCHED = nullcontext()
logger = logging.getLogger("costtrack")


class _Charged:
    """One call that is charged, for the contexts inside it; some outlive it."""

    __slots__ = ("is_over", "models")

    def __init__(self, models: tuple[str, ...]) -> None:
        self.models = models
        self.is_over = False


_inside: ContextVar[tuple[_Charged, ...]] = ContextVar("costtrack_charged_calls", default=())


def models_charged_here() -> set[str]:
    """The models of the charged calls that are being made, and that this context is inside of."""
    return {model for call in _inside.get() if not call.is_over for model in call.models}


def add_watcher(watcher: SpanWatcher) -> None:
    """Have it told, as long as it lives."""
    _watchers.add(ref(watcher, _watchers.discard))


def tell_spans(*models: str) -> None:
    """A call is about to be made that is charged by who calls this; `models` are the names that it may have."""
    for reference in tuple(_watchers):
        watcher = reference()
        if watcher is not None:
            try:
                watcher.charged_here(*filter(None, models))
            except Exception:  # the boundary: what becomes of spans must not break the call
                logger.exception("The spans round a call could not be told that it is charged.")


def charging(*models: str) -> AbstractContextManager[None]:
    """The same, and of the spans that begin in here. Where nobody watches spans it does nothing."""
    return _charging(*models) if _watchers else _UNWATCHED


@contextmanager
def _charging(*models: str) -> Iterator[None]:
    tell_spans(*models)
    around, call = _inside.get(), _Charged(tuple(filter(None, models)))
    _inside.set((*around, call))
    try:
        yield
    finally:
        call.is_over = True
        _inside.set(around)  # no token: a coroutine may be closed in another context


def is_charged(charged: Iterable[str], *names: str) -> bool:
    """Whether a span with these names of its model is of one of the charged calls; one without a name is."""
    told = [name for name in names if name]
    return any(same_model(model, name) for model in charged for name in told or ("",))
