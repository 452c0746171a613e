"""Responses in the shapes that providers' SDKs return: dicts as they come over the wire, or objects."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import UUID

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def response_id(chance: Random, prefix: str, length: int = 24) -> str:
    """An id as providers make them."""
    return prefix + "".join(chance.choices(ALPHABET, k=length))


def as_object(value: Any) -> Any:
    """Nested dicts as objects with attributes, as SDKs parse them."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(member) for name, member in value.items()})
    return [as_object(member) for member in value] if isinstance(value, list) else value


def chat_usage(*, prompt: int, completion: int, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """The usage of OpenAI's chat format: cached tokens are part of the prompt, reasoning of the completion."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
    }


def openai_chat(
    chance: Random, *, model: str, prompt: int, completion: int, cached: int = 0, reasoning: int = 0
) -> dict[str, Any]:
    """OpenAI's chat completion."""
    return {
        "id": response_id(chance, "chatcmpl-", 29),
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "..."}, "finish_reason": "stop"}],
        "usage": chat_usage(prompt=prompt, completion=completion, cached=cached, reasoning=reasoning),
        "service_tier": "default",
    }


def azure_chat(chance: Random, *, model: str, prompt: int, completion: int) -> dict[str, Any]:
    """Azure OpenAI's: the same with the verdicts of its content filter."""
    body = openai_chat(chance, model=model, prompt=prompt, completion=completion)
    del body["service_tier"]
    return {**body, "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}


def openai_response(
    chance: Random, *, model: str, input_tokens: int, output_tokens: int, reasoning: int, service_tier: str
) -> Any:
    """OpenAI's Responses API, as an object."""
    return as_object(
        {
            "id": response_id(chance, "resp_", 48),
            "object": "response",
            "status": "completed",
            "incomplete_details": None,
            "model": model,
            "service_tier": service_tier,
            "usage": {
                "input_tokens": input_tokens,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": output_tokens,
                "output_tokens_details": {"reasoning_tokens": reasoning},
                "total_tokens": input_tokens + output_tokens,
            },
        }
    )


def openai_embedding(*, model: str, tokens: int) -> dict[str, Any]:
    """OpenAI's embeddings, which have no id."""
    return {
        "object": "list",
        "data": [{"object": "embedding", "embedding": [0.5, -0.25], "index": 0}],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def anthropic_usage(
    *, fresh: int, output: int, cache_read: int = 0, cache_write: int = 0, cache_write_1h: int = 0
) -> dict[str, Any]:
    """Anthropic's usage: `input_tokens` leaves the cached and cache-written tokens out."""
    return {
        "input_tokens": fresh,
        "cache_creation_input_tokens": cache_write + cache_write_1h,
        "cache_read_input_tokens": cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache_write,
            "ephemeral_1h_input_tokens": cache_write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }


def anthropic_message(chance: Random, *, model: str, usage: dict[str, Any]) -> Any:
    """Anthropic's message, as an object."""
    return as_object(
        {
            "id": response_id(chance, "msg_01", 22),
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": "..."}],
            "stop_reason": "end_turn",
            "usage": usage,
        }
    )


def converse(chance: Random, *, fresh: int, output: int, cache_read: int) -> dict[str, Any]:
    """Amazon Bedrock's Converse, which does not name the model."""
    return {
        "ResponseMetadata": {"RequestId": str(UUID(int=chance.getrandbits(128), version=4)), "HTTPStatusCode": 200},
        "output": {"message": {"role": "assistant", "content": [{"text": "..."}]}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": fresh,
            "outputTokens": output,
            "cacheReadInputTokens": cache_read,
            "cacheWriteInputTokens": 0,
            "totalTokens": fresh + output + cache_read,
        },
    }


def gemini(chance: Random, *, model: str, prompt: int, cached: int, candidates: int, thoughts: int) -> dict[str, Any]:
    """Gemini's REST answer."""
    return {
        "responseId": response_id(chance, "", 22),
        "modelVersion": model,
        "candidates": [{"content": {"role": "model", "parts": [{"text": "..."}]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": prompt,
            "cachedContentTokenCount": cached,
            "candidatesTokenCount": candidates,
            "thoughtsTokenCount": thoughts,
            "totalTokenCount": prompt + candidates + thoughts,
        },
    }


def gemini_object(chance: Random, *, model: str, prompt: int, candidates: int, thoughts: int) -> Any:
    """The same as google-genai parses it."""
    return as_object(
        {
            "response_id": response_id(chance, "", 22),
            "model_version": model,
            "candidates": [{"finish_reason": "STOP"}],
            "usage_metadata": {
                "prompt_token_count": prompt,
                "cached_content_token_count": None,
                "candidates_token_count": candidates,
                "thoughts_token_count": thoughts,
                "total_token_count": prompt + candidates + thoughts,
            },
        }
    )


def openrouter_chat(chance: Random, *, model: str, prompt: int, completion: int, cost: Decimal) -> dict[str, Any]:
    """OpenRouter's answer, which says what it charged, as a JSON number."""
    return {
        "id": response_id(chance, "gen-1763-", 20),
        "provider": "DeepInfra",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "..."}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "cost": float(cost),
            "is_byok": False,
        },
    }


def mistral_chat(chance: Random, *, model: str, prompt: int, completion: int) -> dict[str, Any]:
    """Mistral's chat completion."""
    return {
        "id": response_id(chance, "", 32).lower(),
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "..."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    }


def ollama_chat(*, model: str, prompt: int, completion: int) -> dict[str, Any]:
    """Ollama's own format: the counts stand at the top."""
    return {
        "model": model,
        "message": {"role": "assistant", "content": "..."},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": prompt,
        "eval_count": completion,
    }


def local_chat(*, model: str, prompt: int, completion: int) -> dict[str, Any]:
    """A self-hosted server that speaks OpenAI's format, and gives every answer the same id."""
    return {
        "id": "chatcmpl-123",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "..."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    }
