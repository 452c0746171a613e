"""Ollama's client: `instrument(client)` meters chat, generate and embeddings of one client. Needs the package `ollama`.

A local model costs nothing, and its rate of 0 books it as free; the tokens, the time and the failures count all the
same. Its answers have no id of their own, so each call is one of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Unpack

from costtrack.exceptions import InvalidUsage
from costtrack.extraction.fields import read
from costtrack.integrations.needed import needed
from costtrack.integrations.one_method import OneCall
from costtrack.integrations.request_body import expected_of_body, fields_of
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution

needed("ollama", install="pip install ollama")

Client = TypeVar("Client")

ANSWERED = frozenset(("/api/chat", "/api/generate"))
EMBEDDED = frozenset(("/api/embed", "/api/embeddings"))


def instrument(client: Client, **attribution: Unpack[CallerFields]) -> Client:
    """The same Client or AsyncClient; from now on each of its calls is metered, and refused before if a budget says so.

    The keyword arguments are those of `attribute`, which win over what is in force where a call is made. A sync stream
    is refused, and sent, with its first step. To instrument twice meters once, as is said last. Raises InvalidUsage for
    what is no client of this package.
    """
    uninstrument(client)
    original = client._request  # type: ignore[attr-defined] # all calls of the client pass it
    given = given_attribution(dict(attribution), caller="instrument()")
    make = _async_request if inspect.iscoroutinefunction(original) else _request
    vars(client)["_request"] = make(original, given)
    return client


def uninstrument(client: Client) -> Client:
    """The same client, not metered any more. Streams that are still open are metered to their end."""
    if not callable(getattr(client, "_request", None)) or not hasattr(client, "generate"):
        raise InvalidUsage("client", type(client).__name__, "an ollama.Client or ollama.AsyncClient")
    vars(client).pop("_request", None)
    return client


def _request(original: Callable[..., Any], given: GivenAttribution) -> Callable[..., Any]:
    def request(*args: Any, stream: bool = False, **kwargs: Any) -> Any:
        def make() -> Any:
            return original(*args, stream=stream, **kwargs)

        one = _call_of(args, kwargs, given)
        if one is None:
            return make()
        return one.streamed(make()) if stream else one.made(make)

    return request


def _async_request(original: Callable[..., Any], given: GivenAttribution) -> Callable[..., Any]:
    async def request(*args: Any, stream: bool = False, **kwargs: Any) -> Any:
        def make() -> Any:
            return original(*args, stream=stream, **kwargs)

        one = _call_of(args, kwargs, given)
        if one is None:
            return await make()
        return await (one.streamed_async(make) if stream else one.made_async(make))

    return request


def _call_of(args: tuple[Any, ...], kwargs: Mapping[str, Any], given: GivenAttribution) -> OneCall | None:
    """The call that a request is, of (type of the answer, method, path); None for one that no model answers."""
    path = args[2] if len(args) > 2 else kwargs.get("url")
    if path not in ANSWERED | EMBEDDED:
        return None
    body = kwargs.get("json")
    body = body if isinstance(body, Mapping) else {}
    most = 0 if path in EMBEDDED else read(read(body, "options"), "num_predict")
    expected = expected_of_body(
        {**body, "max_tokens": None, "n": None}, max_output_tokens=most if type(most) is int and most >= 0 else None
    )
    return OneCall({**fields_of(body), "provider": "ollama"}, given, expected, see=lambda response: response)
