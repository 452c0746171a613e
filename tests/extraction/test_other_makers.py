"""Mistral, Cohere, AI21, Groq, DeepSeek, xAI, OpenRouter, LiteLLM, Perplexity, Ollama."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, extract
from tests.extraction.shapes import every_shape

IN_3_OUT_4 = TokenUsage(input_tokens=3, output_tokens=4)


def chat(model: str, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "0d2a1f0e3c8b4f7aa6b1",
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": usage,
        **more,
    }


@every_shape
@pytest.mark.parametrize("model", ["mistral-small-latest", "jamba-large-1.7-2025-07"])
def test_mistral_and_ai21_speak_the_chat_format(shape, model: str) -> None:
    found = extract(shape(chat(model, {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})))
    assert (found.tokens, found.model, found.provider) == (IN_3_OUT_4, model, "")


@every_shape
def test_cohere_v2_is_counted_by_what_is_billed(shape) -> None:
    body = {
        "id": "c14c80c3-18eb-4519-9460-6c92edd8cfb4",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
        "usage": {
            "billed_units": {"input_tokens": 5.0, "output_tokens": 418.0},
            "tokens": {"input_tokens": 71.0, "output_tokens": 418.0},
        },
    }
    assert extract(shape(body), model="command-a-03-2025") == Extracted(
        tokens=TokenUsage(input_tokens=5, output_tokens=418),
        model="command-a-03-2025",
        provider="cohere",
        response_id="c14c80c3-18eb-4519-9460-6c92edd8cfb4",
        finish_reason="COMPLETE",
    )


@every_shape
def test_cohere_v1_has_it_in_meta(shape) -> None:
    body = {
        "response_id": "2f7ee2e6-d6b1-4d1c-9a64-27f1e1a6d2f0",
        "text": "Hi",
        "finish_reason": "COMPLETE",
        "meta": {
            "api_version": {"version": "1"},
            "billed_units": {"input_tokens": 6, "output_tokens": 9},
            "tokens": {"input_tokens": 70, "output_tokens": 9},
        },
    }
    found = extract(shape(body))
    assert found.tokens == TokenUsage(input_tokens=6, output_tokens=9)
    assert found.response_id == "2f7ee2e6-d6b1-4d1c-9a64-27f1e1a6d2f0"


def test_cohere_embeddings_have_input_only_and_a_rerank_no_tokens() -> None:
    embed = {"id": "a", "embeddings": {}, "meta": {"billed_units": {"input_tokens": 12}}}
    assert extract(embed).tokens == TokenUsage(input_tokens=12)
    assert extract({"id": "a", "results": [], "meta": {"billed_units": {"search_units": 1}}}).tokens is None


def test_groq_is_known_by_its_envelope() -> None:
    usage = {"queue_time": 0.02, "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "total_time": 0.5}
    found = extract(chat("llama-3.3-70b-versatile", usage, x_groq={"id": "req_01j"}, service_tier="on_demand"))
    assert (found.tokens, found.provider, found.service_tier) == (IN_3_OUT_4, "groq", "standard")


@every_shape
def test_deepseek_tells_hits_and_misses(shape) -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_cache_hit_tokens": 64,
        "prompt_cache_miss_tokens": 36,
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    assert extract(shape(chat("deepseek-reasoner", usage))).tokens == TokenUsage(
        input_tokens=100, output_tokens=50, cache_read_tokens=64, reasoning_tokens=30
    )


@every_shape
def test_xai_leaves_reasoning_out_of_the_completion_and_reports_its_cost_in_ticks(shape) -> None:
    """32 + 9 + 251 = 292: the output is 9 + 251 = 260. 37756000 ticks / 10^10 = 0.0037756 USD."""
    usage = {
        "prompt_tokens": 32,
        "completion_tokens": 9,
        "total_tokens": 292,
        "prompt_tokens_details": {"text_tokens": 32, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 251, "audio_tokens": 0},
        "num_sources_used": 0,
        "cost_in_usd_ticks": 37_756_000,
    }
    found = extract(shape(chat("grok-4-0709", usage)))
    assert found.tokens == TokenUsage(input_tokens=32, output_tokens=260, cache_read_tokens=5, reasoning_tokens=251)
    assert found.reported_cost_usd == Decimal("0.0037756")
    assert (found.provider, found.is_adjusted) == ("x-ai", False)


def test_reasoning_within_the_completion_is_not_added_again() -> None:
    usage = {
        "prompt_tokens": 32,
        "completion_tokens": 260,
        "total_tokens": 292,
        "completion_tokens_details": {"reasoning_tokens": 251},
    }
    assert extract(chat("grok-4", usage)).tokens == TokenUsage(input_tokens=32, output_tokens=260, reasoning_tokens=251)


def test_a_server_that_leaves_the_cache_out_of_the_prompt_is_found_out_by_its_total() -> None:
    """10 + 5 + 2000 cached = 2015."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 2015,
        "prompt_tokens_details": {"cached_tokens": 2000},
    }
    assert extract(chat("m", usage)).tokens == TokenUsage(input_tokens=2010, output_tokens=5, cache_read_tokens=2000)


def openrouter(**usage: Any) -> dict[str, Any]:
    counts = {
        "prompt_tokens": 194,
        "completion_tokens": 2,
        "total_tokens": 196,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 50, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    body = chat("anthropic/claude-sonnet-4.5", {**counts, **usage})
    return {**body, "id": "gen-1763978400-3pTNFjP8nzGnYlqVYnbI", "provider": "Anthropic"}


@every_shape
def test_openrouter_reports_what_it_charged(shape) -> None:
    body = openrouter(cost=0.00095, is_byok=False, cost_details={"upstream_inference_cost": 0.00095})
    assert extract(shape(body)) == Extracted(
        tokens=TokenUsage(input_tokens=194, output_tokens=2, cache_read_tokens=100, cache_write_tokens=50),
        model="anthropic/claude-sonnet-4.5",
        provider="openrouter",
        response_id="gen-1763978400-3pTNFjP8nzGnYlqVYnbI",
        reported_cost_usd=Decimal("0.00095"),
        finish_reason="stop",
    )


def test_with_an_own_key_the_fee_and_the_providers_bill_are_both_paid() -> None:
    """0.95 fee + 19 upstream = 19.95 USD."""
    body = openrouter(cost=0.95, is_byok=True, cost_details={"upstream_inference_cost": 19})
    assert extract(body).reported_cost_usd == Decimal("19.95")


def test_a_fee_without_the_providers_bill_is_not_taken_for_the_cost() -> None:
    found = extract(openrouter(cost=0.95, is_byok=True, cost_details={"upstream_inference_cost": None}))
    assert found.reported_cost_usd is None
    assert len(found.problems) == 1


def test_a_free_model_costs_a_reported_zero() -> None:
    assert extract(openrouter(cost=0)).reported_cost_usd == Decimal(0)


@pytest.mark.parametrize("cost", [float("nan"), -0.5, "a lot", True, 1e300, {}])
def test_an_absurd_cost_is_none_and_named(cost: object) -> None:
    found = extract(openrouter(cost=cost), provider="openrouter")
    assert found.reported_cost_usd is None
    assert len(found.problems) == 1
    assert found.tokens is not None


def test_a_cost_of_an_unknown_server_has_no_currency() -> None:
    found = extract(chat("m", {"prompt_tokens": 3, "completion_tokens": 4, "cost": 0.5}))
    assert (found.tokens, found.reported_cost_usd) == (IN_3_OUT_4, None)
    assert len(found.problems) == 1


def test_litellms_own_estimate_is_not_a_reported_cost() -> None:
    class ModelResponse(BaseModel):
        id: str = "chatcmpl-2f9b7a3e-5d1c-4c8e-9f57-0a6f3e0c1d2b"
        model: str = "claude-sonnet-4-5-20250929"
        usage: Any = None
        _hidden_params: dict[str, Any] = {"custom_llm_provider": "anthropic", "response_cost": 0.0123}

    usage = SimpleNamespace(
        prompt_tokens=3,
        completion_tokens=4,
        total_tokens=7,
        cost=0.0123,
        cache_creation_input_tokens=1,
        cache_read_input_tokens=2,
    )
    found = extract(ModelResponse(usage=usage))
    assert found.tokens == TokenUsage(input_tokens=3, output_tokens=4, cache_read_tokens=2, cache_write_tokens=1)
    assert (found.reported_cost_usd, found.provider, found.problems) == (None, "anthropic", ())


def test_perplexity_reports_its_total_cost() -> None:
    usage = {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "cost": {
            "input_tokens_cost": 0.000003,
            "output_tokens_cost": 0.00006,
            "request_cost": 0.006,
            "total_cost": 0.006063,
        },
    }
    found = extract(chat("sonar-pro", usage))
    assert (found.reported_cost_usd, found.provider) == (Decimal("0.006063"), "perplexity")
    in_euro = extract(chat("sonar-pro", {**usage, "cost": {"total_cost": 1, "currency": "EUR"}}))
    assert in_euro.reported_cost_usd is None


@every_shape
def test_ollamas_own_api(shape) -> None:
    body = {
        "model": "llama3.2",
        "created_at": "2025-11-24T10:00:00Z",
        "message": {"role": "assistant", "content": "Hi"},
        "done": True,
        "done_reason": "stop",
        "total_duration": 4883583458,
        "prompt_eval_count": 26,
        "eval_count": 282,
    }
    assert extract(shape(body)) == Extracted(
        tokens=TokenUsage(input_tokens=26, output_tokens=282),
        model="llama3.2",
        provider="ollama",
        finish_reason="stop",
    )


def test_ollama_embeddings_and_a_prompt_that_it_had_in_memory() -> None:
    assert extract({"model": "all-minilm", "embeddings": [], "prompt_eval_count": 8}).tokens == TokenUsage(
        input_tokens=8
    )
    found = extract({"model": "llama3.2", "response": "Hi", "done": True, "eval_count": 5})
    assert (found.tokens, found.is_adjusted) == (TokenUsage(output_tokens=5), True)


def test_cloudflare_wraps_its_answer() -> None:
    body = {"success": True, "result": {"response": "Hi", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}}
    assert extract(body, model="@cf/meta/llama-3.1-8b-instruct").tokens == IN_3_OUT_4
