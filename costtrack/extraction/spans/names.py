"""The names of attributes by dialect, the current one first, and the names of providers.

Sources, read 2026-11: OpenTelemetry's GenAI semantic conventions 1.40 and their deprecated names; OpenLLMetry's
opentelemetry-semantic-conventions-ai 0.5.1; OpenInference's semantic conventions 0.1.42.
"""

from __future__ import annotations

OPERATION = "gen_ai.operation.name"
OPENINFERENCE_KIND = "openinference.span.kind"
TRACELOOP_KIND = "traceloop.span.kind"
OPENLLMETRY_TYPE = "llm.request.type"

PROVIDER = (
    "costtrack.provider",
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "decision.provider",
    "llm.system",
)
REQUEST_MODEL = ("gen_ai.request.model", "llm.request.model_name", "llm.request.model", "decision.request.model_name")
RESPONSE_MODEL = (
    "gen_ai.response.model",
    "llm.response.model_name",
    "llm.response.model",
    "llm.model_name",
    "embedding.model_name",
    "decision.response.model_name",
    "decision.model_name",
)
RESPONSE_ID = ("gen_ai.response.id", "llm.response.id")
AWS_REQUEST_ID = ("aws.request_id", "aws.requestId")
"""Bedrock's answers have no id of their own: that of the request stands for it."""
SERVICE_TIER = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
)
FINISH_REASON = (
    "gen_ai.response.finish_reasons",
    "llm.finish_reason",
    "gen_ai.response.finish_reason",
    "gen_ai.response.stop_reason",
    "llm.response.finish_reason",
    "llm.response.stop_reason",
)

INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.token_count.prompt",
    "decision.token_count.input",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.token_count.completion",
    "decision.token_count.output",
)
TOTAL = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")
CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_input",
)
CACHE_WRITE = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)
REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
INPUT_AUDIO = ("llm.token_count.prompt_details.audio",)
OUTPUT_AUDIO = ("llm.token_count.completion_details.audio",)

PROVIDERS = {
    **dict.fromkeys(("azure.ai.openai", "az.ai.openai", "azure.ai.inference", "az.ai.inference"), "azure"),
    "aws.bedrock": "aws",
    **dict.fromkeys(("gcp.vertex_ai", "gcp.gemini", "gcp.gen_ai", "vertex_ai", "vertexai"), "google"),
    **dict.fromkeys(("mistral_ai", "mistralai"), "mistral"),
    **dict.fromkeys(("x_ai", "xai"), "x-ai"),
    "together_ai": "together",
    "ibm.watsonx.ai": "watsonx",
    "hugging_face": "huggingface",
    "moonshot": "moonshotai",
}
"""Those whose name is another one in the tables of prices."""
FRAMEWORKS = frozenset(("langchain", "langgraph", "crewai", "llama_index", "llamaindex", "haystack", "_other"))
"""Instrumentations of these name themselves where the provider belongs: it is derived from the model then."""
