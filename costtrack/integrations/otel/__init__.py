"""OpenTelemetry: the spans that GenAI instrumentations make in this process become usage.

    provider.add_span_processor(CostTrackSpanProcessor())

Needs the extra `otel`. Spans of other processes are sent to the REST API, at `otlp/v1/traces`.
"""

from __future__ import annotations

from costtrack.integrations.needed import needed

needed("opentelemetry.sdk.trace", install="pip install 'costtrack[otel]'")

from costtrack.integrations.otel.exporter import CostTrackSpanExporter  # noqa: E402 - after what it needs is there
from costtrack.integrations.otel.processor import CostTrackSpanProcessor  # noqa: E402

__all__ = ["CostTrackSpanExporter", "CostTrackSpanProcessor"]
