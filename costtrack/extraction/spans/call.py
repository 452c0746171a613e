"""SpanCall: the LLM call that one span tells of, or several spans of the same call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from costtrack.extraction.counts import UsageReader
from costtrack.extraction.extracted import Extracted
from costtrack.extraction.fields import as_text, items, read, read_text
from costtrack.extraction.identity import trusted_id
from costtrack.extraction.origin import choose_model
from costtrack.extraction.service_tier import service_tier_of
from costtrack.extraction.spans import names
from costtrack.extraction.spans.kind import is_call
from costtrack.extraction.spans.span import Span
from costtrack.extraction.spans.tokens import read_tokens

ERROR_TYPE = "error.type"
LONGEST_OUTPUT = 1 << 20
"""An `output.value` longer than this is not looked into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCall:
    """A span with what it tells of its call."""

    span: Span
    found: Extracted

    @property
    def key(self) -> str:
        """The idempotency key: the response's id where the provider's are unique, as the hooks of SDKs make it.

        Else the trace and the span, whose ids are random: the same span sent twice is one call.
        """
        return trusted_id(self.found.provider, self.found.response_id) or (
            f"otel:{self.span.trace_id}:{self.span.span_id}"
        )

    @property
    def has_trusted_id(self) -> bool:
        """Whether the key is the response's own."""
        return trusted_id(self.found.provider, self.found.response_id) != ""

    @property
    def failed(self) -> bool:
        """Whether the call raised; its span says so by its status or by `error.type`."""
        return self.span.is_error or self.error_type != ""

    @property
    def error_type(self) -> str:
        """The class of the error; "" for none."""
        told = read_text(self.span.attributes, ERROR_TYPE)
        return told or (read_text(self.span.exception, "exception.type") if self.span.is_error else "")

    @property
    def error_message(self) -> str:
        """What it said."""
        return self.span.status_message or read_text(self.span.exception, "exception.message")


def read_call(span: Span) -> SpanCall | None:
    """What the span tells; None if it is no LLM call."""
    attributes = span.attributes
    if not is_call(attributes):
        return None
    body = _response_in(attributes)
    provider = provider_of(attributes)
    model = choose_model(
        reported=read_text(attributes, *names.RESPONSE_MODEL),
        given=read_text(attributes, *names.REQUEST_MODEL),
        provider=provider,
    )
    reader = UsageReader(model=model)
    tokens = read_tokens(attributes, reader, provider=provider)
    response_id = read_text(attributes, *names.RESPONSE_ID) or read_text(body, "id")
    if provider == "aws":
        response_id = read_text(attributes, *names.AWS_REQUEST_ID) or response_id
    told_tier = {"service_tier": read_text(attributes, *names.SERVICE_TIER) or read_text(body, "service_tier")}
    found = Extracted(
        tokens=tokens,
        model=model,
        provider=provider,
        response_id=response_id,
        service_tier=service_tier_of(told_tier, None),
        finish_reason=_finish_reason(attributes),
        is_adjusted=reader.is_adjusted,
        problems=tuple(reader.problems),
    )
    return SpanCall(span=span, found=found)


def provider_of(attributes: Mapping[str, Any]) -> str:
    """The provider by its name in the tables of prices; "" if none is named."""
    for name in names.PROVIDER:
        told = as_text(read(attributes, name)).strip().lower()
        if told and told not in names.FRAMEWORKS:
            return names.PROVIDERS.get(told, told)
    return ""


def _finish_reason(attributes: Mapping[str, Any]) -> str:
    for name in names.FINISH_REASON:
        value = read(attributes, name)
        told = as_text(value) or next((as_text(one) for one in items(value)), "")
        if told:
            return told
    return ""


def _response_in(attributes: Mapping[str, Any]) -> object:
    """The body of the response, which OpenInference has whole: its id stands nowhere else."""
    text = read_text(attributes, "output.value")
    if not text.startswith("{") or len(text) > LONGEST_OUTPUT or not read_text(attributes, names.OPENINFERENCE_KIND):
        return None
    try:
        return orjson.loads(text)
    except ValueError:  # what a program prints, and that only begins like JSON
        return None
