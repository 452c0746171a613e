"""Which spans are LLM calls: what is billed are those, not the agents, chains and tools around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costtrack.extraction.fields import as_text, read_first, read_text
from costtrack.extraction.spans import names

OPERATIONS = frozenset(("chat", "text_completion", "generate_content", "embeddings"))
"""Of `gen_ai.operation.name`: those that use tokens."""
REQUEST_TYPES = frozenset(("chat", "completion", "embedding", "rerank"))
"""Of `llm.request.type`."""
KINDS = frozenset(("LLM", "EMBEDDING", "DECISION"))
"""Of `openinference.span.kind`."""
UNDECIDED = "UNKNOWN"


def is_call(attributes: Mapping[str, Any]) -> bool:
    """Whether a finished span is an LLM call.

    A span that says another kind (`invoke_agent`, `execute_tool`, CHAIN, workflow ...) never is, whatever counts it
    carries: they are the sum of its children's. One that says none is, if it names a model and has counts.
    """
    kind = read_text(attributes, names.OPENINFERENCE_KIND).upper()
    if kind and kind != UNDECIDED:
        return kind in KINDS
    if read_text(attributes, names.TRACELOOP_KIND):
        return False
    operation = read_text(attributes, names.OPERATION).lower()
    if operation:
        return operation in OPERATIONS
    request_type = read_text(attributes, names.OPENLLMETRY_TYPE).lower()
    if request_type in REQUEST_TYPES:
        return True
    return _names_a_model(attributes) and read_first(attributes, *names.INPUT, *names.OUTPUT, *names.TOTAL) is not None


def may_be_call(attributes: Mapping[str, Any]) -> bool:
    """Whether a span that still runs may become one: not all of its attributes are set yet.

    OpenInference says the kind at the end; its `llm.system`, or the input of an LLM, is there from the beginning.
    """
    if is_call(attributes):
        return True
    if any(as_text(attributes.get(name)) for name in (names.OPENINFERENCE_KIND, names.OPERATION, names.TRACELOOP_KIND)):
        return False
    return _names_a_model(attributes) or any(
        isinstance(name, str) and name.startswith(("llm.", "embedding.")) for name in attributes
    )


def _names_a_model(attributes: Mapping[str, Any]) -> bool:
    return read_text(attributes, *names.REQUEST_MODEL, *names.RESPONSE_MODEL) != ""
