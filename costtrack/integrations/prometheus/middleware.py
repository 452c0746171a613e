"""RequestMetricsMiddleware: how many requests there are, how long they take, how many are under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from costtrack.integrations.prometheus.requests import ACTIVE, count_request

FAILED = 500
"""Of a request whose answer was never made: cancelled, or the process told to go."""


class RequestMetricsMiddleware:
    """Counts `api_requests_total`, `api_request_latency_seconds` and `api_active_requests`, by method, view and status.

    Place it first. The view is told by its route's name, so that there are few; a streamed answer is under way until
    the server has closed it.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Async if what it wraps is."""
        self.get_response = get_response
        self.async_mode = iscoroutinefunction(get_response)
        if self.async_mode:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer it, and count."""
        if self.async_mode:
            return self.__acall__(request)
        under_way = _UnderWay(request)
        try:
            response: HttpResponseBase = self.get_response(request)
        except BaseException:
            under_way.end(FAILED)
            raise
        return under_way.until_answered(response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """The same, async."""
        under_way = _UnderWay(request)
        try:
            response: HttpResponseBase = await self.get_response(request)
        except BaseException:
            under_way.end(FAILED)
            raise
        return under_way.until_answered(response)


class _UnderWay:
    """A request that is being answered; it ends once."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._began = perf_counter()
        self._has_ended = False
        ACTIVE.inc()

    def until_answered(self, response: HttpResponseBase) -> HttpResponseBase:
        """The response; a streaming one ends when it is closed."""
        if response.streaming:
            streaming: Any = response
            streaming._resource_closers.append(lambda: self.end(response.status_code))
        else:
            self.end(response.status_code)
        return response

    def end(self, status: int) -> None:
        """Count it."""
        if self._has_ended:
            return
        self._has_ended = True
        ACTIVE.dec()
        match = getattr(self._request, "resolver_match", None)
        count_request(
            method=str(self._request.method),
            endpoint=match.view_name if match is not None else "",
            status=status,
            seconds=perf_counter() - self._began,
        )
