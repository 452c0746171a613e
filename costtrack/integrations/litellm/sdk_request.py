"""One call of a function of LiteLLM's SDK, as its caller makes it: admitted before, and known to its attempts."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from costtrack.extraction.fields import read, read_text
from costtrack.integrations.litellm.admitted import Admitted, admit_call, admit_call_async
from costtrack.metering.database_thread import Work
from costtrack.metering.nested import MeteredInside, attribution_around_here
from costtrack.metering.streams import is_stream

if TYPE_CHECKING:
    from costtrack.integrations.litellm.calls import Attempt

CALL_ID = "litellm_call_id"
SILENT = ("no-log", "fallbacks")
"""Of calls with such an argument LiteLLM tells no callback, or, of sync ones, when some loop runs again."""

_by_call_id: dict[str, SdkRequest] = {}
"""The requests that are being made: LiteLLM's record of a call has its id, on whichever thread it is told."""
_here: ContextVar[SdkRequest | None] = ContextVar("costtrack_litellm_request", default=None)


class SdkRequest:
    """A context manager around the call of LiteLLM's function; its ends are `failed` and `returned`."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        """`arguments` are those of LiteLLM's function, by name."""
        call_id = arguments.get(CALL_ID)
        self.call_id = call_id if isinstance(call_id, str) and call_id not in _by_call_id else str(uuid4())
        """LiteLLM takes it for its own."""
        self.admitted: Admitted | None = None
        self.is_over = False
        self._inside = MeteredInside(attribution_around_here())
        self._arguments = arguments
        self._other_ids: list[str] = []
        self._attempt: Attempt | None = None
        self._around: SdkRequest | None = None

    def admit(self, function: str) -> None:
        """Hold the worst case of the call; raises CallRefused."""
        self.admitted = admit_call(self._arguments, function)

    async def admit_async(self, function: str) -> None:
        """The same in a coroutine."""
        self.admitted = await admit_call_async(self._arguments, function)

    def __enter__(self) -> SdkRequest:
        """It is made: what LiteLLM does for it, and a client that is metered itself, is inside."""
        _by_call_id[self.call_id] = self
        self._around = _here.get()
        _here.set(self)
        self._inside.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """LiteLLM's function has returned, or raised."""
        self.is_over = True
        self._inside.__exit__(None, None, None)
        _here.set(self._around)  # no token: a coroutine may be closed in another context
        self._around = None
        for call_id in (self.call_id, *self._other_ids):
            _by_call_id.pop(call_id, None)
        self._arguments = {}
        self._attempt = None  # which belongs to its stream alone from here on

    def also_known_as(self, call_id: object) -> None:
        """LiteLLM makes a call for it under an id of its own, as it does for each model of `fallbacks`."""
        if isinstance(call_id, str) and call_id not in _by_call_id:
            self._other_ids.append(call_id)
            _by_call_id[call_id] = self

    def began(self, attempt: Attempt) -> None:
        """It goes to a provider."""
        self._attempt = attempt

    def metered_inside(self) -> MeteredInside:
        """What clients that are metered themselves have seen of it."""
        return self._inside.so_far()

    def returned(self, result: object) -> Work | None:
        """The work that is left: what was held is settled by who books the call, which is the callback, mostly."""
        attempt = self._attempt
        if attempt is None:  # LiteLLM's cache has answered
            return self._release()
        if is_stream(result):
            attempt.reads(result)
            return None
        if any(self._arguments.get(name) for name in SILENT):
            return attempt.answered(result)
        attempt.answered_if_untold(result)
        return None

    def failed(self, error: BaseException) -> Work | None:
        """The same where nothing came of it. Cancelled, or cut off from outside, it may have cost all the same."""
        if not isinstance(error, Exception) and self._attempt is not None:
            work = self._attempt.cut_off(error)
            if work is not None:
                return work
        return self._release()

    def _release(self) -> Work | None:
        return None if self.admitted is None else self.admitted.failed()


def request_of(kwargs: Mapping[str, Any]) -> SdkRequest | None:
    """The request that LiteLLM's record of a call belongs to."""
    return _by_call_id.get(read_text(kwargs, CALL_ID)) if _by_call_id else None


def request_around(arguments: Mapping[str, Any]) -> SdkRequest | None:
    """The request for which LiteLLM calls its own function: in this context, or, on another thread, by its log."""
    here = _here.get()
    if here is not None and not here.is_over:  # what LiteLLM does afterwards runs in copies of the context
        return here
    return _by_call_id.get(read_text(read(arguments, "litellm_logging_obj"), CALL_ID))
