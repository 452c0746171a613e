"""Who answered, with which model, under which id, and why it stopped."""

from __future__ import annotations

from costtrack.extraction.anthropic_usage import read_anthropic
from costtrack.extraction.bedrock_usage import read_headers, read_llama, read_metrics, read_titan
from costtrack.extraction.fields import as_text, items, may_have, read, read_text
from costtrack.extraction.identity import provider_namespace
from costtrack.extraction.locate import Format, Located
from costtrack.extraction.openai_usage import read_responses
from costtrack.extraction.other_usage import read_cohere, read_gemini, read_ollama
from costtrack.extraction.reported_cost import is_openrouter

_SOLE_SPEAKERS: dict[Format, str] = {
    read_gemini: "google",
    read_cohere: "cohere",
    read_ollama: "ollama",
    read_titan: "aws",
    read_llama: "aws",
    read_metrics: "aws",
    read_headers: "aws",
}
"""Formats that one provider alone speaks."""

_ANTHROPIC_HOSTS = {"msg_bdrk_": "aws", "msg_vrtx_": "google"}

_MODEL_FIELDS = ("model", "modelVersion", "model_version", "model_name", "modelId")
_ID_FIELDS = ("id", "responseId", "response_id", "generation_id")
_STOP_FIELDS = ("finish_reason", "stop_reason", "stopReason", "done_reason", "completionReason")
_IDS = frozenset(_ID_FIELDS)
_STOPS = frozenset(("candidates", "results", *_STOP_FIELDS))


def provider_of(response: object, located: Located | None) -> str:
    """The provider that the body itself proves, else ""."""
    if read(response, "ResponseMetadata") is not None:
        return "aws"
    through_litellm = read_text(read(response, "_hidden_params"), "custom_llm_provider")
    if located is None or through_litellm:
        return through_litellm
    sole = _SOLE_SPEAKERS.get(located.read_tokens)
    if sole is not None:
        return sole
    if located.read_tokens in (read_anthropic, read_responses) and read(located.body, "type") == "message":
        return _anthropic_host(located.body)
    return _openai_speaker(response, located)


def _anthropic_host(body: object) -> str:
    response_id = read_text(body, "id")
    for prefix, host in _ANTHROPIC_HOSTS.items():
        if response_id.startswith(prefix):
            return host
    model = read_text(body, "model")
    return "anthropic" if not model or "claude" in model else ""


def _openai_speaker(response: object, located: Located) -> str:
    """Of the many that speak OpenAI's formats, the few that sign what they say."""
    if read(response, "x_groq") is not None:
        return "groq"
    if read(located.usage, "cost_in_usd_ticks") is not None:
        return "x-ai"
    if is_openrouter(located.body, located.usage):
        return "openrouter"
    if read(read(located.usage, "cost"), "total_cost") is not None:
        return "perplexity"
    if read(located.body, "prompt_filter_results") is not None:
        return "azure"
    return ""


def reported_model(response: object, body: object) -> str:
    """The model as the response names it."""
    return (
        read_text(body, *_MODEL_FIELDS)
        or (read_text(response, *_MODEL_FIELDS) if response is not body else "")
        or read_text(read(response, "response_metadata"), "model_name", "model")
    )


def choose_model(*, reported: str, given: str, provider: str) -> str:
    """The reported model, which is the exact snapshot; on Bedrock the given one, whose region has its own price."""
    if given and provider_namespace(provider) == "aws":
        return given
    return reported or given


def is_of_litellm(thing: object) -> bool:
    """Whether a response, a stream, or a piece of one is an object of LiteLLM's SDK."""
    return type(thing).__module__.startswith("litellm.")


def litellm_call_id_of(thing: object) -> str:
    """LiteLLM's id of the call, which responses and streams of its SDK carry; "" of all others."""
    return read_text(read(thing, "_hidden_params"), "litellm_call_id") if is_of_litellm(thing) else ""


def response_id_of(response: object, body: object) -> str:
    """The provider's id of this response."""
    of_aws = read(response, "ResponseMetadata")
    aws_id = "" if of_aws is None else read_text(of_aws, "RequestId")
    if aws_id:
        return aws_id
    found = read_text(body, *_ID_FIELDS) if may_have(body, _IDS) else ""
    return found or (read_text(response, *_ID_FIELDS) if response is not body else "")


def finish_reason_of(body: object) -> str:
    """Why the model stopped, in the provider's own words; "" in the middle of a stream."""
    choices = read(body, "choices")
    if isinstance(choices, (list, tuple)):
        return as_text(read(choices[0], "finish_reason")) if choices else ""
    if read(body, "object") == "response":
        return read_text(read(body, "incomplete_details"), "reason") or read_text(body, "status")
    if not may_have(body, _STOPS):
        return ""
    for name in ("candidates", "results"):
        for choice in items(read(body, name)):
            return read_text(choice, "finishReason", "finish_reason", "completionReason")
    return read_text(body, *_STOP_FIELDS)
