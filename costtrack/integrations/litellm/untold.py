"""Calls of whose end LiteLLM's callbacks never hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costtrack.extraction.fields import read
from costtrack.integrations.litellm.admitted import GATEWAY, Admitted
from costtrack.metering.call import Call
from costtrack.metering.database_thread import Work
from costtrack.metering.finish import finish, nothing_to_record
from costtrack.metering.told_later import ToldLater

if TYPE_CHECKING:
    from costtrack.integrations.litellm.sdk_request import SdkRequest

UNKNOWN_OUTPUT = "It is not known what had come of a stream that was left: the output is not in the estimate"


class Untold:
    """Records one: a stream that was left, a task that was cancelled, an answer that LiteLLM dropped before it told."""

    def __init__(
        self,
        call: Call,
        told_later: ToldLater,
        admitted: Admitted | None,
        request: SdkRequest | None,
        *,
        is_stream: bool,
        response: object,
    ) -> None:
        """It refers to the call only: it is the attempt that is dropped with its stream, or with LiteLLM's record."""
        self._call = call
        self._told_later = told_later
        self._admitted = admitted
        self._request = request
        self._is_stream = is_stream
        self._response = response
        self.chunks: list[object] = []
        """Of a stream, those that have come, as far as somebody keeps them."""

    def __call__(self, error: BaseException | None) -> Work | None:
        """The work of recording it, None if a callback has come or a client inside has seen it."""
        if not self._told_later.ends_now():
            return None
        call = self._call
        if self._admitted is not None:
            self._admitted.is_settled_by(call)
        if self._request is not None:
            call.inside = self._request.metered_inside()
        if self._response is not None or self.chunks:
            call.said |= {"idempotency_key": f"{GATEWAY}:{self._told_later.call_id}", "key_from_provider": True}
        if self._response is not None:
            call.observe(self._response)
            if cost := read(read(self._response, "_hidden_params"), "response_cost"):
                call.said["reported_cost_usd"] = cost
            return finish(call, None)
        if self._request is not None and call.inside.has_calls:  # a client that is metered itself has seen it
            work = nothing_to_record(call)
            call.close()
            return work
        if self._is_stream:
            call.observed.begin_stream()
            for chunk in self.chunks:
                call.observed.chunk(chunk)
            call.observed.stream_ended(None if call.observed.has_usage() else error)  # the counts come last
            if not self.chunks:
                call.problems.append(UNKNOWN_OUTPUT)
            return finish(call, None)
        return finish(call, error)
