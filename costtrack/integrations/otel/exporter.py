"""CostTrackSpanExporter: books the calls in batches of spans, for a span processor of the SDK's own."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from costtrack.integrations.otel.sdk_spans import Ended, record_ended, span_of


class CostTrackSpanExporter(SpanExporter):
    """Records the LLM calls among the spans that it is given; for a BatchSpanProcessor.

    It runs on that one's thread: what `costtrack.attribute` says where a call is made is not known there. Prefer
    CostTrackSpanProcessor, which knows it, and waits for the other spans of a call.
    """

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Always a success: what can not be recorded now is kept, and nobody should send it again."""
        nowhere = Context()
        record_ended([Ended(found, nowhere) for span in spans if (found := span_of(span)) is not None])
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is kept here."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is kept here."""
        return True
