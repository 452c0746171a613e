"""What LiteLLM's callbacks tell of one call: which it is, who served it, what it cost, and how it is metered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from costtrack.domain.events import ResourceType
from costtrack.extraction.fields import items, read, read_text
from costtrack.integrations.litellm.admitted import GATEWAY, Admitted
from costtrack.integrations.litellm.attribution import attribution_of, metadata_of
from costtrack.integrations.needed import needed
from costtrack.integrations.request_body import fields_of
from costtrack.metering.call import Call
from costtrack.metering.database_thread import Work
from costtrack.metering.ending import StreamEnd
from costtrack.metering.finish import finish

litellm: Any = needed("litellm", install="pip install 'costtrack[litellm]'")

STASH = "costtrack"
"""Under which LiteLLM's own record of a call carries ours, from before the call to every callback after it."""
MCP_CALL = "call_mcp_tool"
KEPT_AS_METADATA = ("call_type", "model_group", "cache_hit")
EXPLICIT_PRICES = ("input_cost_per_token", "output_cost_per_token")
UNKNOWN_OUTPUT = "LiteLLM does not tell what had come of a stream that was left: the output is not in the estimate"


class Attempt:
    """One call of LiteLLM to a provider. It is over once, whichever callback comes first."""

    def __init__(self, kwargs: Mapping[str, Any], *, admitted: Admitted | None = None) -> None:
        """`kwargs` is LiteLLM's record of the call, which begins now, attributed as in force here."""
        params = _params(kwargs)
        fields = fields_of(_mapping(kwargs.get("optional_params")))
        fields |= {"provider": read_text(kwargs, "custom_llm_provider"), "model": read_text(kwargs, "model")}
        fields["gateway"] = GATEWAY
        if kwargs.get("call_type") == MCP_CALL:
            fields["resource_type"] = ResourceType.API_CALL
        given = attribution_of(params, kwargs) if admitted is None else admitted.attribution
        self.call = Call(fields, given)
        self.admitted = admitted
        self.is_over = False
        self._dropped: _Dropped | None = None
        self._end: StreamEnd | None = None

    def __deepcopy__(self, memo: object) -> Attempt:
        """Itself: LiteLLM copies its record, and every copy is of this one call."""
        return self

    def begin(self, kwargs: Mapping[str, Any]) -> None:
        """It goes to the provider. A stream that nobody reads to its end is told by no callback: it ends here then."""
        tools = _mapping(kwargs.get("optional_params")).get("tools")
        self.call.set_input(kwargs.get("messages") or kwargs.get("input"), tools)
        self.call.announce()
        if _is_streaming(kwargs):
            self._dropped = _Dropped(self.call, self.admitted)
            self._end = StreamEnd(self._dropped)

    def succeeded(self, kwargs: Mapping[str, Any], response: object, start: object, end: object) -> Work | None:
        """The provider has answered; gives the work of recording it, None if that is done."""
        if not self._ends_now():
            return None
        call = self.call
        call.said |= {"idempotency_key": call_key(kwargs, response), "key_from_provider": True}
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
        began = start.isoformat() if isinstance(start, datetime) else ""
        call.said |= {"idempotency_key": f"{call_key(kwargs, None)}:failed:{began}", "key_from_provider": True}
        if _is_streaming(kwargs) and kwargs.get("completion_start_time") is not None:
            call.observed.begin_stream()
            call.observed.stream_ended(GeneratorExit())
        self._describe(kwargs, start, end)
        return finish(call, error if isinstance(error, Exception) else RuntimeError(str(error)))

    def _ends_now(self) -> bool:
        if self.is_over:
            return False
        self.is_over = True
        if self._dropped is not None:
            if self._dropped.is_told:
                return False
            self._dropped.is_told = True
        return True

    def _observe(self, kwargs: Mapping[str, Any], response: object) -> None:
        call = self.call
        if _is_streaming(kwargs) and not _is_cached(kwargs) and not _tells_tokens(response):
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

    def _describe(self, kwargs: Mapping[str, Any], start: object, end: object) -> None:
        if isinstance(start, datetime) and isinstance(end, datetime):
            self.call.said["latency_ms"] = max(0, round((end - start).total_seconds() * 1000))
        if any(read(metadata, "client_disconnected") for metadata in metadata_of(_params(kwargs))):
            self.call.said["is_estimated"] = True  # LiteLLM has counted what had come
            self.call.add_metadata(stream="ended early")
        payload = kwargs.get("standard_logging_object")
        told = {name: read(kwargs, name) or read(payload, name) for name in KEPT_AS_METADATA}
        self.call.add_metadata({name: value for name, value in told.items() if value})


class _Dropped:
    """Records a stream that was left before its end: the callbacks of LiteLLM's SDK never hear of it."""

    def __init__(self, call: Call, admitted: Admitted | None) -> None:
        self._call = call
        self._admitted = admitted
        self.is_told = False
        """Its end is known, from here or from a callback."""

    def __call__(self, error: BaseException | None) -> Work | None:
        if self.is_told:
            return None
        self.is_told = True
        call = self._call
        call.observed.begin_stream()
        call.observed.stream_ended(error)
        call.problems.append(UNKNOWN_OUTPUT)
        if self._admitted is not None:
            self._admitted.is_settled_by(call)
        return finish(call, None)


def call_key(kwargs: Mapping[str, Any], response: object) -> str:
    """LiteLLM's id of the call as the idempotency key.

    A client of the proxy may choose that id by a header. All that he did would be one charge if he sent the same one
    each time, so then the id of the response is part of the key.
    """
    call_id = read_text(kwargs, "litellm_call_id")
    if not call_id:
        return ""
    if read_text(_client_headers(kwargs), "x-litellm-call-id") == call_id:
        payload = kwargs.get("standard_logging_object")
        return f"{GATEWAY}:{call_id}:{read_text(response, 'id') or read_text(payload, 'id')}"
    return f"{GATEWAY}:{call_id}"


def reported_cost(kwargs: Mapping[str, Any]) -> object:
    """What LiteLLM says the call cost; None where it does not know, which it often writes as 0.

    A 0 is believed of a cached answer, and where the model's prices are 0 outright: in LiteLLM's map of prices, or
    among the call's own parameters.
    """
    if _is_cached(kwargs):
        return 0
    cost = kwargs.get("response_cost")
    if cost or cost is None:
        return cost
    payload = kwargs.get("standard_logging_object")
    known = litellm.model_cost.get(read_text(read(payload, "model_map_information"), "model_map_key"))
    params = _params(kwargs)
    infos = [read(metadata, "model_info") for metadata in metadata_of(params)]
    is_free = any(all(read(prices, name) == 0 for name in EXPLICIT_PRICES) for prices in (known, params, *infos))
    return cost if is_free else None


def _is_cached(kwargs: Mapping[str, Any]) -> bool:
    return kwargs.get("cache_hit") is True


def _is_streaming(kwargs: Mapping[str, Any]) -> bool:
    return kwargs.get("stream") is True or _mapping(kwargs.get("optional_params")).get("stream") is True


def _tells_tokens(response: object) -> bool:
    usage = read(response, "usage")
    names = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens")
    return any(read(usage, name) for name in names) or not any(True for _ in items(read(response, "choices")))


def _client_headers(kwargs: Mapping[str, Any]) -> object:
    return read(read(_params(kwargs), "proxy_server_request"), "headers")


def _params(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(kwargs.get("litellm_params"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
