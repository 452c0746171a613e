"""Which providers' response ids may serve as idempotency keys, and how they are written."""

from __future__ import annotations

_NAMESPACES = {
    "openai": "openai",
    "azure": "azure",
    "azure_openai": "azure",
    "azure-openai": "azure",
    "anthropic": "anthropic",
    "aws": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "aws_bedrock": "aws",
    "aws-bedrock": "aws",
    "amazon_bedrock": "aws",
    "amazon-bedrock": "aws",
    "google": "google",
    "gemini": "google",
    "google_genai": "google",
    "vertex": "google",
    "vertexai": "google",
    "vertex_ai": "google",
    "google-vertex": "google",
    "openrouter": "openrouter",
    "litellm": "litellm",
}
"""Providers whose ids are unique, by every name in use, and their namespace. Google: responseId encodes the event's
id (google-genai's own documentation). LiteLLM: its call id, a UUID, not the id of the response that it hands on."""

_SHORTEST_ID = 16
"""The ids of these providers have 22 characters and more. A local server behind the same SDK sends `chatcmpl-123`,
and sends it again."""

_LONGEST_ID = 200


def provider_namespace(provider: str) -> str:
    """The one name of a provider with unique ids, however it is written; "" for all others."""
    return _NAMESPACES.get(provider) or _NAMESPACES.get(provider.strip().lower(), "")


def trusted_id(provider: str, response_id: str) -> str:
    """An idempotency key, `openai:chatcmpl-...`, if this provider's ids never repeat; else "".

    For local servers and unknown providers it is always "": to trust a repeating id is to lose charges.
    """
    if not _SHORTEST_ID <= len(response_id) <= _LONGEST_ID:
        return ""
    namespace = provider_namespace(provider)
    if not namespace:
        return ""
    if not response_id.isascii() or not response_id.isprintable() or " " in response_id:
        return ""
    return f"{namespace}:{response_id}"
