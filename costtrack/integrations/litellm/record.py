"""What LiteLLM's own record of a call says: its id, what it cost, whether it is a call that anybody charges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from costtrack.extraction.fields import items, read, read_text
from costtrack.integrations.litellm.admitted import GATEWAY
from costtrack.integrations.litellm.attribution import metadata_of
from costtrack.integrations.needed import needed

litellm: Any = needed("litellm", install="pip install 'costtrack[litellm]'")

EXPLICIT_PRICES = ("input_cost_per_token", "output_cost_per_token")
SHORTEST_UNIQUE_ID = 16
"""A shorter id of a response, `chatcmpl-123`, is of a local server that may send it again."""

MANAGES = re.compile(
    r"_?a?(get|list|delete|cancel|retrieve|file|add)_\w+"
    r"|a?create_(file|batch|assistants|thread|fine_tuning_job|container|sandbox|skill)"
    r"|a?(video_(retrieve|content|list|delete|get)\w*|vector_store_(create|file_\w+)|upload_container_file|a_add_message)"
)
"""Types of calls that look something up, or change what a provider keeps. What was asked for is charged elsewhere:
LiteLLM tells of a response that is fetched again with its usage, as of one that was made."""


def is_charged(kwargs: Mapping[str, Any]) -> bool:
    """Whether it is a call that a provider charges for; of one that only manages things nothing is booked."""
    return MANAGES.fullmatch(read_text(kwargs, "call_type")) is None


def call_key(kwargs: Mapping[str, Any], response: object, *, began: str = "") -> str:
    """LiteLLM's id of the call as the idempotency key.

    A client of the proxy may choose that id by a header. All that he did would be one charge if he sent the same one
    each time, so then the id of the response is part of the key, and the instant where that may repeat, too.
    """
    call_id = read_text(kwargs, "litellm_call_id")
    if not call_id:
        return ""
    if read_text(_client_headers(kwargs), "x-litellm-call-id") != call_id:
        return f"{GATEWAY}:{call_id}"
    response_id = read_text(response, "id")
    is_unique = len(response_id) >= SHORTEST_UNIQUE_ID and response_id != call_id
    return ":".join(part for part in (GATEWAY, call_id, response_id, "" if is_unique else began) if part)


def reported_cost(kwargs: Mapping[str, Any]) -> object:
    """What LiteLLM says the call cost; None where it does not know, which it often writes as 0.

    A 0 is believed of a cached answer, and where the model's prices are 0 outright: in LiteLLM's map of prices, or
    among the call's own parameters.
    """
    if is_cached(kwargs):
        return 0
    cost = kwargs.get("response_cost")
    if cost or cost is None:
        return cost
    payload = kwargs.get("standard_logging_object")
    known = litellm.model_cost.get(read_text(read(payload, "model_map_information"), "model_map_key"))
    params = params_of(kwargs)
    infos = [read(metadata, "model_info") for metadata in metadata_of(params)]
    is_free = any(all(read(prices, name) == 0 for name in EXPLICIT_PRICES) for prices in (known, params, *infos))
    return cost if is_free else None


def is_cached(kwargs: Mapping[str, Any]) -> bool:
    """Whether LiteLLM's own cache has answered."""
    return kwargs.get("cache_hit") is True


def is_streaming(kwargs: Mapping[str, Any]) -> bool:
    """Whether the answer comes in pieces."""
    return kwargs.get("stream") is True or optional_params_of(kwargs).get("stream") is True


def tells_tokens(response: object) -> bool:
    """Whether a response counts any, or is none of which text could be counted."""
    usage = read(response, "usage")
    names = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens")
    return any(read(usage, name) for name in names) or not any(True for _ in items(read(response, "choices")))


def usage_of_failure(kwargs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What LiteLLM has counted of an async stream that broke, as the body of a response."""
    usage = kwargs.get("combined_usage_object")
    return None if usage is None else {"model": read_text(kwargs, "model"), "usage": usage}


def params_of(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What LiteLLM itself was told with the call: metadata, prices of its own."""
    return _mapping(kwargs.get("litellm_params"))


def optional_params_of(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What goes to the provider, beside model and messages."""
    return _mapping(kwargs.get("optional_params"))


def _client_headers(kwargs: Mapping[str, Any]) -> object:
    return read(read(params_of(kwargs), "proxy_server_request"), "headers")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
