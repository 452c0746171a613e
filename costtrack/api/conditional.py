"""Conditional GET: an answer that the client has already is a 304 without a body."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.base import CostView
from costtrack.api.problems import problem_response
from costtrack.metering.request_ids import REQUEST_ID_HEADER

OWN_HEADERS = "costtrack-"
"""How the headers begin that tell something of the answer: they change its ETag, too."""
DEPENDS_ON = ("Authorization", "Cookie", "Accept")


class PreconditionFailed(APIException):
    """412."""

    status_code = 412


class ConditionalView(CostView):
    """A view whose answers to GET and HEAD have a strong ETag: the same as the client's own is a 304.

    The ETag is a hash of the answer as it is sent, not the newest ledger id or a version of the summaries. Ids are
    taken before commit, so a later commit may bring a lower one, and a client would keep an old sum for ever; a period
    also changes with the day, with an organization's zone and with the slugs that are shown. And a fold, which
    rewrites summaries, or another price list changes no answer, and so no hash. The sums are read either way; what a
    304 saves is the way to the client, and that it draws the same again.
    """

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """REST framework's, and what a successful answer to GET or HEAD is known again by; an export has no ETag."""
        final = super().finalize_response(request, response, *args, **kwargs)
        if request.method not in ("GET", "HEAD") or final.status_code != 200:
            return final
        final["Cache-Control"] = "private, no-cache"
        patch_vary_headers(final, DEPENDS_ON)
        return _conditional(request, final) if isinstance(final, Response) else final


def _conditional(request: Request, response: Response) -> HttpResponse:
    """The answer, or that the client has it."""
    response.render()  # Django does it once only
    etag = _etag_of(response)
    response["ETag"] = etag
    answer = get_conditional_response(request._request, etag=etag, response=response)
    assert isinstance(answer, HttpResponse)
    if answer.status_code == 412 and "If-Match" not in request.headers:
        answer = response  # If-Unmodified-Since, which is to be ignored without a Last-Modified (RFC 9110, 13.1.4)
    elif answer.status_code == 412:
        expected = f"If-Match: expected {etag}, which is the answer's ETag, or no such condition."
        problem = problem_response(PreconditionFailed(expected), {})
        assert problem is not None
        answer = problem
    answer[REQUEST_ID_HEADER] = response[REQUEST_ID_HEADER]
    return answer


def _etag_of(response: Response) -> str:
    digest = hashlib.sha256(response.content)
    for name, value in sorted(response.items()):
        if name.lower().startswith(OWN_HEADERS):
            digest.update(f"\n{name}: {value}".encode())
    return f'"{digest.hexdigest()}"'
