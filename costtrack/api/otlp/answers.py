"""Answers in OTLP's own form: ExportTraceServiceResponse, and google.rpc.Status for errors, as they were asked."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from costtrack.api.bodies import JSON, media_type_of
from costtrack.api.otlp.bodies import PROTOBUF
from costtrack.api.otlp.protobuf_spans import service_messages
from costtrack.api.problems import problem_response

KEPT_HEADERS = ("WWW-Authenticate", "Retry-After")


def export_answer(media_type: str, *, rejected: int, message: str) -> HttpResponse:
    """200: all is booked, or, with partial_success, all but `rejected` spans, of which `message` says why."""
    if media_type == PROTOBUF:
        answer = service_messages().ExportTraceServiceResponse()
        if rejected:
            answer.partial_success.rejected_spans = rejected
            answer.partial_success.error_message = message
        return HttpResponse(answer.SerializeToString(), content_type=PROTOBUF)
    # 64 bits are text in protobuf's JSON.
    partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}} if rejected else {}
    return HttpResponse(json.dumps(partial), content_type=JSON)


def status_response(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """An error as a Status, of which only `message` is used, in the media type of the request; else JSON.

    Statuses and headers are those of all other views: 429 and 503 tell an exporter to try again, and when.
    """
    problem = problem_response(error, context)
    if problem is None:
        return None
    message = json.loads(problem.content)["detail"]
    request: Request = context["request"]
    if media_type_of(request) == PROTOBUF:
        answer = HttpResponse(_status_in_protobuf(message), status=problem.status_code, content_type=PROTOBUF)
    else:
        answer = HttpResponse(json.dumps({"message": message}), status=problem.status_code, content_type=JSON)
    for name in KEPT_HEADERS:
        if name in problem:
            answer[name] = problem[name]
    return answer


def _status_in_protobuf(message: str) -> bytes:
    """Field 2 of google.rpc.Status, a text: written out, since no extra is needed to be told that one is missing."""
    text = message.encode()
    length, size = bytearray(), len(text)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return b"\x12" + bytes(length) + text
