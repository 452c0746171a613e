"""Errors as problem documents (RFC 9457, application/problem+json), set by each view, never for the whole host."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from costtrack.api.fields import InvalidFields
from costtrack.budgets.problem import CONTENT_TYPE, problem_of
from costtrack.exceptions import CallRefused
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.read_limit import ReadTooLong

logger = logging.getLogger("costtrack")


class Unavailable(exceptions.APIException):
    """503: the database does not answer, or would have been busy for too long."""

    status_code = 503


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The problem document of an error that is the caller's, or that the database is away; None for any other.

    Any other is a 500 as usual.

    `type` is about:blank, so `title` is the status's own phrase; `detail` says what was seen and expected. A bad
    parameter is named in `parameter`, bad fields of a body in `errors`. A call that a budget refused has
    `refusal_response`.
    """
    if isinstance(error, CallRefused):
        set_rollback()
        return refusal_response(error)
    extra: dict[str, Any] = {}
    if isinstance(error, InvalidFields):
        extra["errors"] = error.errors
    elif isinstance(error, InvalidParameter):
        extra["parameter"] = error.parameter
        error = exceptions.ParseError(str(error))
    elif isinstance(error, ReadTooLong):
        error = Unavailable(str(error))
    elif isinstance(error, (OperationalError, InterfaceError)):
        logger.error("The database does not answer: %s", error, exc_info=error)
        error = Unavailable(f"The database does not answer now ({type(error).__name__}). Try again.")
    elif isinstance(error, Http404):
        error = exceptions.NotFound(str(error) or None)
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    status = error.status_code
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _text(error.detail),
        **extra,
    }
    response = HttpResponse(json.dumps(problem), status=status, content_type=CONTENT_TYPE)
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait))
    return response


def refusal_response(error: CallRefused) -> HttpResponse:
    """402, or 503 if the budget could not be asked, with the figures of the budget: for views that catch it.

    In a host's own REST framework views nothing needs to be done where CostTrackMiddleware is installed; without it
    they can take `ProblemDocuments` as a base.
    """
    problem = problem_of(error)
    return HttpResponse(json.dumps(problem), status=problem["status"], content_type=CONTENT_TYPE)


def _text(detail: object) -> str:
    if isinstance(detail, dict):
        return " ".join(f"{name}: {_text(value)}" for name, value in detail.items())
    if isinstance(detail, list):
        return " ".join(map(_text, detail))
    return str(detail)
