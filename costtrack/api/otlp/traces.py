"""The view that takes spans."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, cast

from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from costtrack.api.bodies import media_type_of
from costtrack.api.ingest import LANDED, MAX_EVENTS, book, outcome_of
from costtrack.api.negotiation import Negotiation
from costtrack.api.otlp.answers import export_answer, status_response
from costtrack.api.otlp.bodies import PROTOBUF, read_body
from costtrack.api.otlp.json_spans import spans_in_json
from costtrack.api.otlp.protobuf_spans import spans_in_protobuf
from costtrack.api.sending import SendingView
from costtrack.domain.events import UsageEvent
from costtrack.exceptions import InvalidUsage
from costtrack.extraction.spans import SpanCall, calls_of
from costtrack.metering.attribution import NOT_GIVEN
from costtrack.metering.events import event_after_call
from costtrack.metering.given_fields import EventFields
from costtrack.metering.importing.reasons import reason_of
from costtrack.metering.spans import fields_of_call

NO_IDS = "a span has no valid traceId and spanId"


class AsSent(Negotiation):
    """Answers in the media type of the request, as OTLP says, whatever the Accept header does."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The first one, as it renders nothing here; one that the query names has to be there."""
        if self.settings.URL_FORMAT_OVERRIDE in request.query_params:
            return super().select_renderer(request, renderers, format_suffix)
        first = next(iter(renderers))
        return first, first.media_type


class TracesView(SendingView):
    """Takes spans as OTLP/HTTP sends them, in JSON or protobuf, gzipped or not. Parameter: organization.

    LLM calls among them, in any of the dialects that instrumentations write, are booked, each once: by the response's
    id where the provider's are unique, else by trace and span. Other spans are passed over. What is not acceptable is
    told by `partialSuccess`; errors are of the form of google.rpc.Status.
    """

    content_negotiation_class = AsSent

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], HttpResponse | None]:
        """OTLP's."""
        return status_response

    def post(self, request: Request) -> HttpResponse:
        """Read, book, tell."""
        media_type = media_type_of(request)
        body = read_body(request)
        decoded = spans_in_protobuf(body) if media_type == PROTOBUF else spans_in_json(body)
        now = self.now()
        reasons = [NO_IDS] * decoded.malformed
        events = []
        for call in calls_of(decoded.spans):
            try:
                events.append(self.event_of_span(call, now=now))
            except InvalidUsage as error:
                reasons.append(f"span {call.span.span_id}: {reason_of(error)}")
        for start in range(0, len(events), MAX_EVENTS):
            for number, result in enumerate(book(events[start : start + MAX_EVENTS]), start=start):
                outcome = outcome_of(number, result)
                if outcome.status not in LANDED:
                    reasons.append(f"{outcome.idempotency_key}: {outcome.reason}")
        return export_answer(media_type, rejected=len(reasons), message=_told(reasons))

    def event_of_span(self, call: SpanCall, *, now: datetime) -> UsageEvent:
        """The event of a call. Raises InvalidUsage if it is somebody else's, or too old; for no figure of a span."""
        fields = cast(EventFields, self.owned(fields_of_call(call, taken=self.principal.attribution)))
        return self.in_window(event_after_call(fields, NOT_GIVEN, now=now, problems=call.found.problems), now=now)


def _told(reasons: list[str]) -> str:
    if not reasons:
        return ""
    others = f" The first of {len(reasons):,}." if len(reasons) > 1 else ""
    return f"{reasons[0].rstrip('.')}.{others}"
