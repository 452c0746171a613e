"""One call of LiteLLM to a provider: how it is metered, from before it is made to whichever callback tells its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from costtrack.domain.events import ResourceType
from costtrack.extraction.fields import read, read_text
from costtrack.integrations.litellm.admitted import GATEWAY, Admitted
from costtrack.integrations.litellm.attribution import attribution_of, metadata_of
from costtrack.integrations.litellm.record import (
    call_key,
    is_cached,
    is_streaming,
    optional_params_of,
    params_of,
    reported_cost,
    tells_tokens,
    usage_of_failure,
)
from costtrack.integrations.litellm.untold import Untold
from costtrack.integrations.request_body import fields_of
from costtrack.metering.call import Call
from costtrack.metering.database_thread import Work
from costtrack.metering.ending import StreamEnd
from costtrack.metering.finish import finish
from costtrack.metering.nested import within_the_block
from costtrack.metering.told_later import ToldLater

if TYPE_CHECKING:
    from costtrack.integrations.litellm.sdk_request import SdkRequest

STASH = "costtrack"
"""Under which LiteLLM's own record of a call carries ours, from before the call to every callback after it."""
MCP_CALL = "call_mcp_tool"
KEPT_AS_METADATA = ("call_type", "model_group", "cache_hit")


class Attempt:
    """One call of LiteLLM to a provider. It is over once, whichever callback comes first."""

    def __init__(
        self, kwargs: Mapping[str, Any], *, admitted: Admitted | None = None, request: SdkRequest | None = None
    ) -> None:
        """`kwargs` is LiteLLM's record of the call, which begins now, attributed as in force here.

        `admitted` is the request of the proxy's client, or of the SDK's caller, that it is made for; `request` the
        latter, where `instrument` sees it.
        """
        params = params_of(kwargs)
        fields = fields_of(optional_params_of(kwargs))
        fields |= {"provider": read_text(kwargs, "custom_llm_provider"), "model": read_text(kwargs, "model")}
        fields["gateway"] = GATEWAY
        if kwargs.get("call_type") == MCP_CALL:
            fields["resource_type"] = ResourceType.API_CALL
        given = attribution_of(params, kwargs) if admitted is None else admitted.attribution
        self.call = Call(fields, within_the_block(given))
        self.admitted = admitted
        self._request = request
        self._told_later = ToldLater(
            self.call,
            call_id=read_text(kwargs, "litellm_call_id"),
            is_stream=is_streaming(kwargs),
            may_take_hold=admitted is None,
        )
        self.is_over = False
        self._end: StreamEnd | None = None
        self._untold: Untold | None = None

    def __deepcopy__(self, memo: object) -> Attempt:
        """Itself: LiteLLM copies its record, and every copy is of this one call."""
        return self

    def begin(self, kwargs: Mapping[str, Any]) -> None:
        """It goes to the provider. A stream that nobody reads to its end is told by no callback: it ends here then."""
        self.call.set_input(kwargs.get("messages") or kwargs.get("input"), optional_params_of(kwargs).get("tools"))
        self.call.observed.told_later = self._told_later
        self.call.announce()
        if self._request is not None:
            self._request.began(self)
        if is_streaming(kwargs):
            self._ends_when_dropped(self._untold_end(is_stream=True))

    def succeeded(self, kwargs: Mapping[str, Any], response: object, start: object, end: object) -> Work | None:
        """The provider has answered; gives the work of recording it, None if that is done."""
        if not self._ends_now():
            return None
        call = self.call
        key = call_key(kwargs, response, began=_instant(start))
        call.said |= {"idempotency_key": key, "key_from_provider": True}
        if call.is_llm:
            self._observe(kwargs, response)
        cost = reported_cost(kwargs)
        if cost is not None:
            call.said["reported_cost_usd"] = cost
        self._describe(kwargs, start, end)
        if self.admitted is not None:
            self.admitted.is_settled_by(call)
        return finish(call, None)

    def failed(self, kwargs: Mapping[str, Any], start: object, end: object) -> Work | None:
        """The provider has failed, or its stream has broken; the call may well be made again, under its own id."""
        if not self._ends_now():
            return None
        error = kwargs.get("exception")
        call = self.call
        key = f"{call_key(kwargs, None)}:failed:{_instant(start)}"
        call.said |= {"idempotency_key": key, "key_from_provider": True}
        if is_streaming(kwargs) and kwargs.get("completion_start_time") is not None:
            self._observe_broken(kwargs)
        self._describe(kwargs, start, end)
        return finish(call, error if isinstance(error, Exception) else RuntimeError(str(error)))

    def answered(self, response: object) -> Work | None:
        """The same of an answer that LiteLLM tells no callback of, or late: the caller has got it."""
        return self._untold_end(response=response)(None)

    def answered_if_untold(self, response: object) -> None:
        """The caller has got this answer. A callback is to tell of it, with more; LiteLLM drops some where many wait.

        Its record of the call, which has this attempt, is dropped with that: then it is recorded by the answer.
        """
        if not self.is_over:
            self._ends_when_dropped(self._untold_end(response=response))

    def reads(self, stream: object) -> None:
        """The caller has got this stream, in which LiteLLM keeps what has come."""
        chunks = getattr(stream, "chunks", None)
        if self._untold is not None and type(chunks) is list:
            self._untold.chunks = chunks

    def cut_off(self, error: BaseException) -> Work | None:
        """The caller waits no more for an answer, which no callback is told; the provider may well have worked."""
        if self._end is not None:
            return None  # a stream tells of itself when it is dropped
        return self._untold_end()(error)

    def _ends_when_dropped(self, untold: Untold) -> None:
        self._untold = untold
        self._end = StreamEnd(untold)

    def _untold_end(self, *, is_stream: bool = False, response: object = None) -> Untold:
        return Untold(self.call, self._told_later, self.admitted, self._request, is_stream=is_stream, response=response)

    def _ends_now(self) -> bool:
        if self.is_over:
            return False
        self.is_over = True
        if not self._told_later.ends_now():
            return False
        if self._request is not None:
            self.call.inside = self._request.metered_inside()
        return True

    def _observe(self, kwargs: Mapping[str, Any], response: object) -> None:
        call = self.call
        if is_streaming(kwargs) and not is_cached(kwargs) and not tells_tokens(response):
            # LiteLLM counts a stream without a usage chunk as 0 tokens for 0 dollars: the text that came is known.
            call.observed.begin_stream()
            call.observed.chunk({name: read(response, name) for name in ("id", "model", "choices")})
            call.observed.stream_ended(None)
        else:
            call.observe(response)
        asked = read_text(kwargs, "model")
        payload = kwargs.get("standard_logging_object")
        if asked and read_text(response, "model") in ("", read_text(payload, "model_group")):
            call.said["model"] = asked  # the proxy shows its clients the name that they asked for

    def _observe_broken(self, kwargs: Mapping[str, Any]) -> None:
        call = self.call
        counted = usage_of_failure(kwargs)
        if counted is not None and tells_tokens(counted):
            call.observe(counted)  # LiteLLM has counted what had come
            call.said["is_estimated"] = True
        else:
            call.observed.begin_stream()
            call.observed.stream_ended(GeneratorExit())
        call.add_metadata(stream="ended early")

    def _describe(self, kwargs: Mapping[str, Any], start: object, end: object) -> None:
        if isinstance(start, datetime) and isinstance(end, datetime):
            self.call.said["latency_ms"] = max(0, round((end - start).total_seconds() * 1000))
        if any(read(metadata, "client_disconnected") for metadata in metadata_of(params_of(kwargs))):
            self.call.said["is_estimated"] = True  # LiteLLM has counted what had come
            self.call.add_metadata(stream="ended early")
        payload = kwargs.get("standard_logging_object")
        told = {name: read(kwargs, name) or read(payload, name) for name in KEPT_AS_METADATA}
        self.call.add_metadata({name: value for name, value in told.items() if value})


def _instant(start: object) -> str:
    return start.isoformat() if isinstance(start, datetime) else ""
