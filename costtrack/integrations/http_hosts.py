"""API calls to named hosts, seen where requests and httpx send them: each is one call of a tool."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, Unpack
from urllib.parse import urlsplit

from costtrack.domain.events import ResourceType
from costtrack.exceptions import InvalidUsage
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution
from costtrack.metering.call import Call
from costtrack.metering.expected import NOTHING_EXPECTED
from costtrack.metering.meter import Meter

Client = TypeVar("Client")

FIRST_FAILURE = 400
"""Answers of this status and above are failures."""

_open: ContextVar[tuple[str, ...]] = ContextVar("costtrack_open_tools", default=())


def instrument(client: Client, *, hosts: Mapping[str, str], **attribution: Unpack[CallerFields]) -> Client:
    """The same client; each request that it sends to one of `hosts` is billed as one call of the tool named there.

    `client` is a `requests.Session`, or a Client or AsyncClient of httpx. `hosts` maps a host, as in
    `{"eutils.ncbi.nlm.nih.gov": "pubmed"}`, to the name that is stored as the provider, where a rate per call is looked
    up. Other hosts are not looked at. An answer of 400 and above, or none, is recorded as a failure and costs nothing;
    redirects are part of their request, and requests inside a function that `@track_tool` bills by the same name are
    part of its call. Budgets ask before each request, and refuse it with BudgetExceeded before it is sent.

    To instrument twice bills once, as is said last. Raises InvalidUsage for another client, or for what is no host.
    """
    uninstrument(client)
    names = {_host(host): name for host, name in hosts.items()}
    if not names or not all(isinstance(name, str) and name.strip() for name in names.values()):
        raise InvalidUsage("hosts", dict(hosts), 'hosts with their names: {"api.example.org": "example"}')
    given = given_attribution(dict(attribution), caller="instrument()")
    http: Any = client
    original = http.send
    http.send = (_async_send if inspect.iscoroutinefunction(original) else _send)(original, names, given)
    return client


def uninstrument(client: Client) -> Client:
    """The same client, as it was."""
    if not callable(getattr(client, "send", None)) or not (
        hasattr(client, "get_adapter") or hasattr(client, "build_request")
    ):
        raise InvalidUsage("client", client, "a requests.Session, an httpx.Client or an httpx.AsyncClient")
    vars(client).pop("send", None)
    return client


@contextmanager
def part_of(name: str) -> Iterator[None]:
    """What is sent in here to hosts of this name is part of a call that is billed already."""
    token = _open.set((*_open.get(), name))
    try:
        yield
    finally:
        _open.reset(token)


def _host(host: str) -> str:
    text = str(host).strip().lower().rstrip(".")
    if not text or any(character in text for character in "/:@?*") or text.split() != [text]:
        raise InvalidUsage("hosts", host, "a host without scheme, port and path, such as api.example.org")
    return text


def _named(request: Any, names: Mapping[str, str]) -> str | None:
    """The name that the request is billed under; None if it is not, or is part of another call."""
    url = request.url
    host = urlsplit(url).hostname if isinstance(url, str) else getattr(url, "host", None)
    name = names.get((host or "").lower())
    return None if name in _open.get() else name


def _meter(name: str, given: GivenAttribution) -> Meter:
    return Meter({"provider": name, "resource_type": ResourceType.API_CALL}, given, NOTHING_EXPECTED)


def _send(original: Callable[..., Any], names: Mapping[str, str], given: GivenAttribution) -> Callable[..., Any]:
    def send(request: Any, *args: Any, **kwargs: Any) -> Any:
        name = _named(request, names)
        if name is None:
            return original(request, *args, **kwargs)
        with _meter(name, given) as call, part_of(name):
            response = original(request, *args, **kwargs)
            _look_at(response, call)
            return response

    return send


def _async_send(original: Callable[..., Any], names: Mapping[str, str], given: GivenAttribution) -> Callable[..., Any]:
    async def send(request: Any, *args: Any, **kwargs: Any) -> Any:
        name = _named(request, names)
        if name is None:
            return await original(request, *args, **kwargs)
        async with _meter(name, given) as call:
            with part_of(name):
                response = await original(request, *args, **kwargs)
            _look_at(response, call)
            return response

    return send


def _look_at(response: Any, call: Call) -> None:
    if response.status_code >= FIRST_FAILURE:
        call.set_error(f"HTTP {response.status_code}")
