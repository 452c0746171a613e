"""Google's Gen AI SDK: `instrument(client)` meters the models of one client, on the Gemini API and on Vertex AI.

Each request to a model is a call: the rounds of automatic function calling are booked one by one. Needs the package
`google-genai`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Unpack

from costtrack.exceptions import InvalidUsage
from costtrack.extraction.fields import items, read, read_first
from costtrack.integrations.needed import needed
from costtrack.integrations.one_method import OneCall
from costtrack.integrations.request_body import expected_of_body
from costtrack.integrations.watched_body import decoded
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution
from costtrack.metering.expected import Expected

needed("google.genai", install="pip install google-genai")

Client = TypeVar("Client")

METHODS = ("request", "async_request", "request_streamed", "async_request_streamed")
"""Of the SDK's own API client, which the models, chats and the async client share."""
ANSWERED = frozenset(("generateContent", "streamGenerateContent"))
EMBEDDED = frozenset(("embedContent", "batchEmbedContents"))
"""What a path ends with, after the model. Embeddings of the Gemini API tell no usage: they are booked unpriced."""
PREDICTED = "predict"
"""The same of older models of Vertex AI, of embeddings and of images; of those only the former are metered."""


def instrument(client: Client, **attribution: Unpack[CallerFields]) -> Client:
    """The same client; from now on each of its calls is metered, and refused before it is sent if a budget says so.

    The keyword arguments are those of `attribute`, which win over what is in force where a call is made. A stream is
    refused, and sent, with its first step. To instrument twice meters once, as is said last. Raises InvalidUsage for
    what is no client of this SDK.
    """
    api = _api_of(client)
    given = given_attribution(dict(attribution), caller="instrument()")
    uninstrument(client)
    request, streamed = api.request, api.request_streamed
    async_request, async_streamed = api.async_request, api.async_request_streamed

    def metered(http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        one = _call_of(path, request_dict, given)

        def make() -> Any:
            return request(http_method, path, request_dict, *args, **kwargs)

        return make() if one is None else one.made(make)

    async def metered_async(http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        one = _call_of(path, request_dict, given)

        def make() -> Any:
            return async_request(http_method, path, request_dict, *args, **kwargs)

        return await (make() if one is None else one.made_async(make))

    def metered_stream(http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        one = _call_of(path, request_dict, given)
        pieces = streamed(http_method, path, request_dict, *args, **kwargs)
        return pieces if one is None else one.streamed(pieces)

    async def metered_async_stream(http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        one = _call_of(path, request_dict, given)

        def make() -> Any:
            return async_streamed(http_method, path, request_dict, *args, **kwargs)

        return await (make() if one is None else one.streamed_async(make))

    ours: tuple[Callable[..., Any], ...] = (metered, metered_async, metered_stream, metered_async_stream)
    vars(api).update(zip(METHODS, ours, strict=True))
    return client


def uninstrument(client: Client) -> Client:
    """The same client, not metered any more. Streams that are still open are metered to their end."""
    api = _api_of(client)
    for name in METHODS:
        vars(api).pop(name, None)
    return client


def _api_of(client: object) -> Any:
    api = getattr(client, "_api_client", None)
    if api is None or not all(hasattr(api, name) for name in METHODS):
        raise InvalidUsage("client", type(client).__name__, "a google.genai.Client, or its aio")
    return api


def _call_of(path: str, request: Any, given: GivenAttribution) -> OneCall | None:
    """The call that a request is; None for one that no model answers."""
    model, _, method = path.partition("?")[0].rpartition(":")
    request = request if isinstance(request, Mapping) else {}
    is_embedding = method in EMBEDDED or (method == PREDICTED and _has_contents(request))
    if not is_embedding and method not in ANSWERED:
        return None
    fields: Any = {"provider": "google", "model": model.rpartition("/")[2]}
    see = _body_of_prediction if method == PREDICTED else _body_of
    return OneCall(fields, given, _expected(request, is_embedding=is_embedding), see=see)


def _has_contents(request: Mapping[str, Any]) -> bool:
    return any(read(one, "content") is not None for one in items(request.get("instances")))


def _expected(request: Mapping[str, Any], *, is_embedding: bool) -> Expected:
    config = read(request, "generationConfig")
    body = {
        "contents": read_first(request, "contents", "requests", "content", "instances"),
        "system": read(request, "systemInstruction"),
        "tools": request.get("tools"),
        "max_output_tokens": read(config, "maxOutputTokens"),
        "candidate_count": read(config, "candidateCount"),
    }
    return expected_of_body(body, max_output_tokens=0 if is_embedding else None)


def _body_of(response: Any) -> object:
    """The JSON of a response, or of a piece of a stream."""
    body = read(response, "body")
    return decoded(body.encode()) if isinstance(body, str) else None


def _body_of_prediction(response: Any) -> object:
    """The same, with the sum of the tokens that it tells of each embedding as usage."""
    body = _body_of(response)
    told = [
        read(read(read(one, "embeddings"), "statistics"), "token_count") for one in items(read(body, "predictions"))
    ]
    counts = [int(count) for count in told if isinstance(count, (int, float))]
    if not isinstance(body, dict) or not counts or len(counts) < len(told):
        return body
    return {**body, "usageMetadata": {"promptTokenCount": sum(counts)}}
