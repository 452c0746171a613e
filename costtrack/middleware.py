"""CostTrackMiddleware: what is metered during a request is attributed to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from costtrack.budgets.problem import CONTENT_TYPE, problem_of
from costtrack.conf import settings
from costtrack.exceptions import CallRefused
from costtrack.metering.attribution import GivenAttribution, Lazy
from costtrack.metering.context import AttributionScope
from costtrack.metering.request_ids import REQUEST_ID_HEADER, request_id_of
from costtrack.metering.stepping import each_async_step_in, each_step_in

logger = logging.getLogger("costtrack")


class CostTrackMiddleware:
    """Opens a scope per request: request id, user, organization, and the view's name as the endpoint.

    The scope lasts until a streaming response has ended or was closed. User, organization and view are looked up only
    if something is metered, so a request that meters nothing costs no query and touches no session. Place it after
    the authentication middleware.

    A call that a budget refused, and that the view did not catch, is answered with 402 (503 if the budget could not be
    asked) and a problem document.
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
        """Answer the request in its scope."""
        if self.async_mode:
            return self.__acall__(request)
        request_id = request_id_of(request)
        scope = request_scope(request, request_id, organization=Lazy(lambda: _organization_of(request)))
        with scope:
            response: HttpResponseBase = self.get_response(request)
        return _finished(response, request_id, scope)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """The same, async. An async resolver is awaited at once: later there may be no loop to await it on."""
        request_id = request_id_of(request)
        organization = Lazy(lambda: _organization_of(request))
        resolver = organization_resolver()
        if iscoroutinefunction(resolver):
            organization = await _awaited_organization(resolver, request)
        scope = request_scope(request, request_id, organization=organization)
        with scope:
            response: HttpResponseBase = await self.get_response(request)
        return _finished(response, request_id, scope)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answer to a refused call; None leaves any other exception as it is. Django calls it in sync code."""
        if not isinstance(exception, CallRefused):
            return None
        problem = problem_of(exception)
        return HttpResponse(json.dumps(problem), status=problem["status"], content_type=CONTENT_TYPE)


def request_scope(request: HttpRequest, request_id: str, *, organization: Lazy) -> AttributionScope:
    """The attribution of a request; all but its id is looked up when something is metered."""
    return AttributionScope(
        GivenAttribution(
            {
                "request_id": request_id,
                "user": Lazy(lambda: _user_of(request)),
                "organization": organization,
                "endpoint": Lazy(lambda: _view_of(request)),
            },
            {},
        )
    )


def organization_resolver() -> Callable[[HttpRequest], Any] | None:
    """The function that COSTTRACK["ORGANIZATION_RESOLVER"] names."""
    path = settings.organization_resolver
    if not path:
        return None
    resolver: Callable[[HttpRequest], Any] = import_string(path)
    return resolver


def _organization_of(request: HttpRequest) -> object:
    """What the resolver says, asked once per request."""
    if not hasattr(request, "_costtrack_organization"):
        resolver = organization_resolver()
        if resolver is None:
            answer = None
        elif iscoroutinefunction(resolver):
            answer = async_to_sync(resolver)(request)
        else:
            answer = resolver(request)
        request._costtrack_organization = answer  # type: ignore[attr-defined]
    return request._costtrack_organization  # type: ignore[attr-defined]


async def _awaited_organization(resolver: Callable[[HttpRequest], Any], request: HttpRequest) -> Lazy:
    try:
        answer = await resolver(request)
    except Exception as error:  # the host's own code; the request must not fail for its accounting
        failure = error
        logger.exception("The organization resolver failed.")

        def fail() -> object:
            raise failure

        return Lazy(fail)
    return Lazy(lambda: answer)


def _user_of(request: HttpRequest) -> object:
    user = getattr(request, "user", None)
    return user.pk if user is not None and user.is_authenticated else None


def _view_of(request: HttpRequest) -> object:
    match = getattr(request, "resolver_match", None)
    return match.view_name if match is not None else None


def _finished(response: HttpResponseBase, request_id: str, scope: AttributionScope) -> HttpResponseBase:
    """The response with its id; a streaming one goes on in the scope, to its end or its closing."""
    response.headers.setdefault(REQUEST_ID_HEADER, request_id)
    # A file is not worth it: nothing is metered in there, and a generator would defeat the server's sendfile.
    if response.streaming and getattr(response, "file_to_stream", None) is None:
        streaming: Any = response
        # Django's public streaming_content hides the iterator's own closing from us, and close() runs these.
        streaming._resource_closers[:] = [scope(closer) for closer in streaming._resource_closers]
        each_step: Any = each_async_step_in if streaming.is_async else each_step_in
        streaming.streaming_content = each_step(scope, streaming._iterator)
    return response
