"""What the spans of OpenTelemetry tell of LLM calls, in each of the dialects that instrumentations write.

Read are the current GenAI conventions (`gen_ai.*`), their legacy names, OpenLLMetry's (`llm.usage.*`, `traceloop.*`)
and OpenInference's (`llm.token_count.*`). Plain Python, as all extraction: no SDK of OpenTelemetry, nothing raises on a
value that a span holds, and nothing keeps prompts or completions.
"""

from __future__ import annotations

from costtrack.extraction.spans.attribution import SpanAttribution, attribution_of
from costtrack.extraction.spans.call import SpanCall, read_call
from costtrack.extraction.spans.kind import is_call, may_be_call
from costtrack.extraction.spans.same_call import calls_of
from costtrack.extraction.spans.span import Span

__all__ = [
    "Span",
    "SpanAttribution",
    "SpanCall",
    "attribution_of",
    "calls_of",
    "is_call",
    "may_be_call",
    "read_call",
]
