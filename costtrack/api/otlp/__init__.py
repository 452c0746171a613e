"""`POST otlp/v1/traces`: OpenTelemetry's protocol over HTTP; the LLM calls among the spans are booked."""
