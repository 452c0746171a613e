"""Model ids as people write them, with the price that holds: literals from the sources named, never calculated.

`CASES`: (model id, provider as the caller gives it, provider of the rate, input, output, source), in USD per million
tokens. `UNPRICED`: ids for which any price would be a guess.
"""

from __future__ import annotations

from typing import NamedTuple

A5, C4, D11, E2, D8 = "FEATURES.md A5", "FEATURES.md C4", "FEATURES.md D11", "FEATURES.md E2", "DESIGN.md 8"
ANTHROPIC = "docs.claude.com/en/docs/about-claude/pricing"
OPENAI = "platform.openai.com/docs/pricing"
OPENAI_OLD = "openai.com/api/pricing of 2024, models since retired"
GOOGLE = "ai.google.dev/gemini-api/docs/pricing"
BEDROCK = "aws.amazon.com/bedrock/pricing, us-east-1"
MISTRAL = "mistral.ai/pricing"
GROQ = "groq.com/pricing"
XAI = "docs.x.ai/docs/models"
DEEPSEEK = "api-docs.deepseek.com/quick_start/pricing"
COHERE = "cohere.com/pricing"
AI21 = "ai21.com/pricing"
OPENROUTER = "openrouter.ai/models"
PERPLEXITY = "docs.perplexity.ai/getting-started/pricing"
OLLAMA = "FEATURES.md D11: local models cost 0"
AZURE = "azure.microsoft.com pricing of Azure OpenAI, global deployment: OpenAI's list price"
VERTEX = "cloud.google.com/vertex-ai/generative-ai/pricing: Anthropic's list price"


class Case(NamedTuple):
    """One id and its price."""

    model: str
    given: str
    provider: str
    input_usd: str
    output_usd: str
    source: str


CASES = [
    Case(*row)
    for row in (
        # The five earlier systems' figures
        ("claude-3-sonnet", "", "anthropic", "3", "15", A5),
        ("claude-3-haiku", "", "anthropic", "0.25", "1.25", A5),
        ("claude-3-opus", "", "anthropic", "15", "75", A5),
        ("us.anthropic.claude-sonnet-4-6", "", "aws", "3.3", "16.5", A5),
        ("grok-3", "", "x-ai", "3", "15", C4),
        ("grok-4.1", "", "x-ai", "3", "15", C4),
        ("Grok-4.1", "xai", "x-ai", "3", "15", C4),
        ("claude-opus-4", "", "anthropic", "15", "75", C4),
        ("claude-sonnet-4", "", "anthropic", "3", "15", C4),
        ("claude-3-5-sonnet", "", "anthropic", "3", "15", C4),
        ("claude-sonnet-3-5", "", "anthropic", "3", "15", C4),
        ("Claude-Sonnet-3.5", "", "anthropic", "3", "15", C4),
        ("gpt-4o", "", "openai", "2.5", "10", C4),
        ("GPT-4o", "OpenAI", "openai", "2.5", "10", C4),
        ("gpt-4o-mini", "", "openai", "0.15", "0.6", C4),
        ("o1", "", "openai", "15", "60", C4),
        ("o3-mini", "", "openai", "1.1", "4.4", C4),
        ("claude-3-5-sonnet-20241022", "anthropic", "anthropic", "3", "15", D11),
        ("claude-3-haiku-20240307", "anthropic", "anthropic", "0.25", "1.25", D11),
        ("gpt-4-turbo", "", "openai", "10", "30", D11),
        ("gpt-4o-mini-2024-07-18", "", "openai", "0.15", "0.6", D11),
        ("llama3", "ollama", "ollama", "0", "0", D11),
        ("gpt-4", "", "openai", "30", "60", E2),
        ("gpt-4-turbo-2024-04-09", "", "openai", "10", "30", E2),
        ("gpt-3.5-turbo", "", "openai", "0.5", "1.5", E2),
        ("claude-3-opus-20240229", "", "anthropic", "15", "75", E2),
        ("claude-3-sonnet-20240229", "", "anthropic", "3", "15", E2),
        # Anthropic
        ("claude-sonnet-4-5-20250929", "", "anthropic", "3", "15", D8),
        ("claude-sonnet-4-5", "anthropic", "anthropic", "3", "15", ANTHROPIC),
        ("anthropic/claude-3-5-sonnet", "", "anthropic", "3", "15", ANTHROPIC),
        ("anthropic:claude-3-5-sonnet-latest", "", "anthropic", "3", "15", ANTHROPIC),
        ("claude-3-7-sonnet-20250219", "", "anthropic", "3", "15", ANTHROPIC),
        ("claude-3-7-sonnet-latest", "", "anthropic", "3", "15", ANTHROPIC),
        ("claude-3-5-haiku-20241022", "", "anthropic", "0.8", "4", ANTHROPIC),
        ("claude-haiku-3-5", "", "anthropic", "0.8", "4", ANTHROPIC),
        ("claude-haiku-4-5-20251001", "", "anthropic", "1", "5", ANTHROPIC),
        ("claude-haiku-4-5", "", "anthropic", "1", "5", ANTHROPIC),
        ("claude-opus-4-20250514", "", "anthropic", "15", "75", D8),
        ("claude-opus-4-1-20250805", "", "anthropic", "15", "75", ANTHROPIC),
        ("claude-opus-4-1", "", "anthropic", "15", "75", ANTHROPIC),
        ("claude-opus-4-5", "", "anthropic", "5", "25", D8),
        ("claude-opus-4-5-20251101", "", "anthropic", "5", "25", D8),
        ("claude-opus-4.5", "", "anthropic", "5", "25", D8),
        ("claude-sonnet-4-20250514", "", "anthropic", "3", "15", ANTHROPIC),
        ("claude-2.1", "", "anthropic", "8", "24", ANTHROPIC),
        ("claude-instant-1.2", "", "anthropic", "0.8", "2.4", ANTHROPIC),
        # OpenAI
        ("openai/gpt-4o-2024-08-06", "", "openai", "2.5", "10", OPENAI),
        ("gpt-4o-2024-11-20", "openai", "openai", "2.5", "10", OPENAI),
        ("gpt-4o-2024-05-13", "", "openai", "5", "15", OPENAI),
        ("gpt-4o-20240513", "", "openai", "5", "15", OPENAI),
        ("openai:gpt-4o-mini", "", "openai", "0.15", "0.6", OPENAI),
        ("gpt-4-0613", "", "openai", "30", "60", OPENAI),
        ("gpt-4-32k", "", "openai", "60", "120", OPENAI_OLD),
        ("gpt-4-32k-0613", "", "openai", "60", "120", OPENAI_OLD),
        ("gpt-4-1106-preview", "", "openai", "10", "30", OPENAI),
        ("gpt-4-0125-preview", "", "openai", "10", "30", OPENAI),
        ("gpt-3.5-turbo-0125", "", "openai", "0.5", "1.5", OPENAI),
        ("gpt-3.5-turbo-1106", "", "openai", "1", "2", OPENAI),
        ("gpt-3.5-turbo-16k", "", "openai", "3", "4", OPENAI_OLD),
        ("gpt-3.5-turbo-instruct", "", "openai", "1.5", "2", OPENAI),
        ("gpt-4.1", "", "openai", "2", "8", OPENAI),
        ("gpt-4.1-2025-04-14", "", "openai", "2", "8", OPENAI),
        ("gpt-4.1-mini", "", "openai", "0.4", "1.6", OPENAI),
        ("gpt-4.1-nano", "", "openai", "0.1", "0.4", OPENAI),
        ("gpt-5", "", "openai", "1.25", "10", OPENAI),
        ("gpt-5-2025-08-07", "", "openai", "1.25", "10", OPENAI),
        ("gpt-5-mini", "", "openai", "0.25", "2", OPENAI),
        ("gpt-5-nano", "", "openai", "0.05", "0.4", OPENAI),
        ("gpt-5-pro", "", "openai", "15", "120", OPENAI),
        ("o1-2024-12-17", "", "openai", "15", "60", OPENAI),
        ("o1-pro", "", "openai", "150", "600", OPENAI),
        ("o3", "", "openai", "2", "8", OPENAI),
        ("o3-pro-2025-06-10", "", "openai", "20", "80", OPENAI),
        ("o4-mini-2025-04-16", "", "openai", "1.1", "4.4", OPENAI),
        ("gpt-4.5-preview-2025-02-27", "", "openai", "75", "150", OPENAI_OLD),
        ("chatgpt-4o-latest", "", "openai", "5", "15", OPENAI),
        ("davinci-002", "", "openai", "2", "2", OPENAI),
        ("ft:gpt-4o-mini-2024-07-18:acme::x", "", "openai", "0.3", "1.2", OPENAI),
        ("ft:gpt-4o-2024-08-06:acme:support:AbC123", "openai", "openai", "3.75", "15", OPENAI),
        ("ft:gpt-4.1-2025-04-14:acme::y", "", "openai", "3", "12", OPENAI),
        ("ft:gpt-4.1-mini-2025-04-14:acme::y", "", "openai", "0.8", "3.2", OPENAI),
        ("ft:gpt-4.1-nano-2025-04-14:acme::y", "", "openai", "0.2", "0.8", OPENAI),
        ("ft:gpt-3.5-turbo-0125:acme::z", "", "openai", "3", "6", OPENAI),
        # Azure
        ("azure/gpt-4o", "", "openai", "2.5", "10", AZURE),
        ("gpt-4o-mini", "azure", "openai", "0.15", "0.6", AZURE),
        ("gpt-35-turbo", "azure", "openai", "0.5", "1.5", AZURE),
        ("azure/global-standard/gpt-4o-2024-08-06", "", "openai", "2.5", "10", AZURE),
        ("azure/o1", "", "azure", "15", "60", AZURE),
        ("gpt-4.1", "azure.ai.openai", "openai", "2", "8", AZURE),
        # Google
        ("gemini-2.5-pro", "", "google", "1.25", "10", GOOGLE),
        ("models/gemini-2.5-pro", "", "google", "1.25", "10", GOOGLE),
        ("gemini/gemini-2.5-pro", "", "google", "1.25", "10", GOOGLE),
        ("google/gemini-2.5-pro", "", "google", "1.25", "10", GOOGLE),
        ("publishers/google/models/gemini-2.5-flash", "", "google", "0.3", "2.5", GOOGLE),
        ("vertex_ai/gemini-2.5-flash", "", "google", "0.3", "2.5", GOOGLE),
        ("gemini-2.5-flash-lite", "google_genai", "google", "0.1", "0.4", GOOGLE),
        ("gemini-2.0-flash", "", "google", "0.1", "0.4", GOOGLE),
        ("gemini-2.0-flash-001", "", "google", "0.1", "0.4", GOOGLE),
        ("gemini-2.0-flash-lite-001", "", "google", "0.075", "0.3", GOOGLE),
        ("gemini-1.5-pro-002", "", "google", "1.25", "5", GOOGLE),
        ("gemini-1.5-flash", "vertex_ai", "google", "0.075", "0.3", GOOGLE),
        ("gemini-1.5-flash-8b", "", "google", "0.0375", "0.15", GOOGLE),
        ("gemini-2.5-pro-preview-05-06", "", "google", "1.25", "10", GOOGLE),
        ("claude-sonnet-4-5@20250929", "vertex_ai", "google", "3", "15", VERTEX),
        ("vertex_ai/claude-3-5-sonnet-v2@20241022", "", "google", "3", "15", VERTEX),
        (
            "projects/acme/locations/us-east5/publishers/anthropic/models/claude-3-haiku@20240307",
            "",
            "google",
            "0.25",
            "1.25",
            VERTEX,
        ),
        # Amazon Bedrock: regional endpoints of Claude 4.5 and later cost a tenth more than global ones
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "", "aws", "3", "15", BEDROCK),
        ("anthropic.claude-3-haiku-20240307-v1:0", "bedrock", "aws", "0.25", "1.25", BEDROCK),
        ("us.anthropic.claude-3-5-haiku-20241022-v1:0", "", "aws", "0.8", "4", BEDROCK),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "", "aws", "3.3", "16.5", D8),
        ("bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "", "aws", "3.3", "16.5", D8),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws", "aws", "3", "15", D8),
        ("us.anthropic.claude-sonnet-4-5", "", "aws", "3.3", "16.5", D8),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "", "aws", "15", "75", BEDROCK),
        ("anthropic.claude-v2:1", "", "aws", "8", "24", BEDROCK),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "",
            "aws",
            "3.3",
            "16.5",
            D8,
        ),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "", "aws", "0.06", "0.24", BEDROCK),
        ("bedrock/us-east-1/amazon.nova-micro-v1:0", "", "aws", "0.035", "0.14", BEDROCK),
        ("us.amazon.nova-pro-v1:0", "", "aws", "0.8", "3.2", BEDROCK),
        ("amazon.titan-embed-text-v2:0", "", "aws", "0.02", "None", BEDROCK),
        ("meta.llama3-3-70b-instruct-v1:0", "", "aws", "0.72", "0.72", BEDROCK),
        ("mistral.mistral-large-2402-v1:0", "", "aws", "4", "12", BEDROCK),
        ("ai21.jamba-1-5-large-v1:0", "", "aws", "2", "8", BEDROCK),
        ("cohere.command-r-v1:0", "bedrock_converse", "aws", "0.5", "1.5", BEDROCK),
        # Others
        ("mistral-small-latest", "", "mistral", "0.15", "0.6", MISTRAL),
        ("mistral/mistral-large-2411", "", "mistral", "2", "6", MISTRAL),
        ("codestral-2508", "mistral", "mistral", "0.3", "0.9", MISTRAL),
        ("mistral-medium-2508", "", "mistral", "0.4", "2", MISTRAL),
        ("groq/llama-3.3-70b-versatile", "", "groq", "0.59", "0.79", GROQ),
        ("llama-3.1-8b-instant", "groq", "groq", "0.05", "0.08", GROQ),
        ("groq/openai/gpt-oss-120b", "", "groq", "0.15", "0.6", GROQ),
        ("openai/gpt-oss-20b", "groq", "groq", "0.075", "0.3", GROQ),
        ("xai/grok-3-mini", "", "x-ai", "0.3", "0.5", XAI),
        ("grok-4-0709", "", "x-ai", "3", "15", XAI),
        ("grok-4-fast-reasoning", "x-ai", "x-ai", "0.2", "0.5", XAI),
        ("grok-4.1-fast", "", "x-ai", "0.2", "0.5", XAI),
        ("deepseek/deepseek-v3.2-exp", "", "deepseek", "0.27", "0.41", DEEPSEEK),
        ("command-r-plus-08-2024", "", "cohere", "2.5", "10", COHERE),
        ("cohere/command-r-03-2024", "", "cohere", "0.5", "1.5", COHERE),
        ("command-a-03-2025", "cohere_chat", "cohere", "2.5", "10", COHERE),
        ("jamba-1.5-large", "", "ai21", "2", "8", AI21),
        ("ai21/jamba-mini", "", "ai21", "0.2", "0.4", AI21),
        ("sonar-pro", "", "perplexity", "3", "15", PERPLEXITY),
        ("perplexity/sonar", "", "perplexity", "1", "1", PERPLEXITY),
        ("ollama/llama3.2:3b", "", "ollama", "0", "0", OLLAMA),
        ("ollama_chat/qwen3:8b", "", "ollama", "0", "0", OLLAMA),
        # Gateways
        ("openrouter/anthropic/claude-3.5-haiku", "", "openrouter", "0.8", "4", OPENROUTER),
        ("anthropic/claude-sonnet-4.5", "openrouter", "openrouter", "3", "15", OPENROUTER),
        ("openrouter/openai/gpt-4o", "", "openrouter", "2.5", "10", OPENROUTER),
        ("openrouter/anthropic/claude-3-5-sonnet-20241022", "", "anthropic", "3", "15", ANTHROPIC),
        ("openrouter/deepseek/deepseek-r1:free", "", "openrouter", "0", "0", OPENROUTER),
        ("litellm_proxy/openai/ft:gpt-4o-mini-2024-07-18:acme::x", "", "openai", "0.3", "1.2", OPENAI),
        ("litellm_proxy/groq/openai/gpt-oss-120b", "", "groq", "0.15", "0.6", GROQ),
        ("litellm_proxy/gpt-4o-mini", "", "openai", "0.15", "0.6", OPENAI),
        ("litellm_proxy/bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "", "aws", "3.3", "16.5", D8),
        ("litellm_proxy/ollama/llama3:latest", "", "ollama", "0", "0", OLLAMA),
        ("vercel_ai_gateway/openai/gpt-4.1-nano", "", "openai", "0.1", "0.4", OPENAI),
        ("@openai/gpt-4o", "portkey", "openai", "2.5", "10", OPENAI),
    )
]

UNPRICED = [
    # Near misses: a longer or shorter name is another model
    ("claude-opus-4-9", ""),
    ("claude-opus-41", ""),
    ("claude-opus", ""),
    ("claude-sonnet-4-5-mini", ""),
    ("claude-3-5-sonnet-fast", ""),
    ("gpt-4o-mega", ""),
    ("gpt-4-64k", ""),
    ("gpt-4o-mini-turbo", ""),
    ("gpt-40", ""),
    ("gpt", ""),
    ("o1-ultra", ""),
    ("grok-4.1-heavy", ""),
    ("gemini-2.5-pro-exp-03-25", ""),
    ("gemini-1.5-flash-16b", ""),
    ("mistral-large-2402", "mistral"),
    # Fine-tuned models of bases whose tuned price is unknown: never the base's
    ("ft:gpt-4-0613:acme::z", ""),
    ("ft:o1:acme::z", ""),
    ("gpt-4-0613.ft-0123456789abcdef", "azure"),
    # Vendors and hosts that nobody knows, or that sell open models at prices of their own
    ("foo/gpt-4o", ""),
    ("openrouter/foo/gpt-4o", ""),
    ("acme/claude-sonnet-4-5", ""),
    ("meta-llama/Llama-3.3-70B-Instruct", ""),
    ("hosted_vllm/meta-llama/Llama-3.3-70B-Instruct", ""),
    ("llama-3.3-70b-versatile", ""),
    ("gpt-4o", "groq"),
    ("groq/gpt-oss-120b-preview", ""),
    ("anthropic/claude-sonnet-4-5", "openai"),
    # Offers of a gateway that is not on its list: neither free nor at the plain price
    ("openrouter/anthropic/claude-sonnet-4-5:free", ""),
    ("openrouter/openai/gpt-4o:nitro", ""),
    ("anthropic/claude-3-5-sonnet:thinking", "openrouter"),
    ("openrouter/openai/gpt-4o:online", ""),
    ("openai/gpt-4o:free", ""),
    ("litellm_proxy/openai/gpt-4o:free", ""),
    ("groq/meta-llama/llama-4-scout-17b-16e-instruct", "openrouter"),
    # Deployments at other prices than the list's
    ("azure/eu/gpt-4o", ""),
    ("azure/our-own-deployment", ""),
    ("arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0:8k/abc123", ""),
    ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123", ""),
    ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", ""),
    ("bedrock/us-east-1/1-month-commitment/anthropic.claude-v2:1", ""),
    ("accounts/acme/models/deepseek-v3p2", "fireworks"),
    ("", "openai"),
    ("*", ""),
]
"""(model id, provider as the caller gives it)."""
