"""Who sells models: the one spelling of each provider and gateway, and where one provider passes another's price on.

Provider ids are those of genai-prices, so that its rates need no translation.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MAKERS: tuple[str, ...] = (
    "anthropic",
    "openai",
    "google",
    "mistral",
    "deepseek",
    "x-ai",
    "cohere",
    "ai21",
    "perplexity",
    "moonshotai",
    "zai",
    "minimax",
    "voyageai",
    "meta",
)
"""First-party makers, in the order in which a model id without any provider is looked for."""

PASSES_PRICES_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "azure": ("openai", "anthropic", "deepseek", "x-ai", "moonshotai"),
        "google": ("anthropic",),
        "aws": ("anthropic",),
    }
)
"""Clouds that bill a maker's list price where they have none of their own.

Azure and Google as in genai-prices 0.2.3 (`fallback_model_providers`); Bedrock bills Anthropic's list price but for
regional endpoints (aws.amazon.com/bedrock/pricing, read 2026-11), and its own for open models.
"""

_PROVIDER_SPELLINGS: dict[str, tuple[str, ...]] = {
    "ai21": ("ai21", "ai21_chat", "ai21labs"),
    "anthropic": ("anthropic", "anthropic_text"),
    "arcee": ("arcee",),
    "avian": ("avian",),
    "aws": (
        "aws",
        "amazon_bedrock",
        "aws.bedrock",
        "aws_bedrock",
        "bedrock",
        "bedrock_converse",
        "bedrock_mantle",
    ),
    "azure": (
        "azure",
        "az.ai.openai",
        "az.ai.inference",
        "azure.ai.openai",
        "azure.ai.inference",
        "azure_ai",
        "azure_openai",
        "azure_text",
    ),
    "baseten": ("baseten",),
    "cerebras": ("cerebras",),
    "cohere": ("cohere", "cohere_chat"),
    "databricks": ("databricks",),
    "deepinfra": ("deepinfra",),
    "deepseek": ("deepseek",),
    "elevenlabs": ("elevenlabs",),
    "fireworks": ("fireworks", "fireworks_ai", "fireworks_ai-embedding-models"),
    "github-copilot": ("github_copilot",),
    "google": (
        "google",
        "gcp",
        "gcp.gemini",
        "gcp.gen_ai",
        "gcp.vertex_ai",
        "gemini",
        "google_ai_studio",
        "google_genai",
        "google_gla",
        "google_vertex",
        "vertex",
        "vertex_ai",
        "vertex_ai_beta",
        "vertexai",
    ),
    "groq": ("groq",),
    "meta": ("meta", "meta_llama_api"),
    "minimax": ("minimax",),
    "mistral": ("mistral", "mistral_ai", "mistralai", "codestral", "text_completion_codestral"),
    "moonshotai": ("moonshotai", "moonshot"),
    "novita": ("novita",),
    "ollama": ("ollama", "ollama_chat"),
    "openai": ("openai", "open_ai", "text_completion_openai"),
    "ovhcloud": ("ovhcloud",),
    "perplexity": ("perplexity",),
    "together": ("together", "together_ai", "togetherai"),
    "voyageai": ("voyageai", "voyage"),
    "x-ai": ("x_ai", "xai"),
    "zai": ("zai", "z_ai"),
}

_PROVIDER_OF: dict[str, str] = {
    spelling.replace("-", "_"): provider
    for provider, spellings in _PROVIDER_SPELLINGS.items()
    for spelling in spellings
}

_GATEWAY_OF: dict[str, str] = {
    "helicone": "helicone",
    "litellm": "litellm",
    "litellm_proxy": "litellm",
    "openrouter": "openrouter",
    "portkey": "portkey",
    "portkey_ai": "portkey",
    "vercel": "vercel",
    "vercel_ai_gateway": "vercel",
}

OPENROUTER = "openrouter"
"""The one gateway with a price list of its own."""

OPENROUTER_VENDORS: Mapping[str, str] = MappingProxyType({"mistral": "mistralai", "zai": "z-ai", "aws": "amazon"})
"""How OpenRouter spells a maker in its ids, where that differs from ours."""


def known_provider(spelling: str) -> str | None:
    """Our id of a provider that is known under `spelling` (any case, - or _), else None."""
    folded = spelling.strip().lower().replace("-", "_")
    provider = _PROVIDER_OF.get(folded)
    if provider is None and folded.startswith("vertex_ai_"):
        return "google"
    return provider


def canonical_provider(spelling: str) -> str:
    """Our id of a provider; an unknown one in lower case as it is."""
    return known_provider(spelling) or spelling.strip().lower()


def known_gateway(spelling: str) -> str | None:
    """Our id of a gateway that is known under `spelling`, else None."""
    return _GATEWAY_OF.get(spelling.strip().lower().replace("-", "_"))


def rate_provider(spelling: str) -> str:
    """The provider of a rate: ours for any spelling; a gateway counts, for its own price list."""
    return known_gateway(spelling) or canonical_provider(spelling)
