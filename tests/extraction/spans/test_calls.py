"""What single spans tell, in every dialect."""

from __future__ import annotations

from typing import Any

import pytest

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction.spans import may_be_call, read_call
from costtrack.extraction.spans.call import SpanCall
from tests.extraction.spans.spans import CHAT_ID, CURRENT, DIALECTS, LEGACY, OPENINFERENCE, TRACE, make_span

ANTHROPIC = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.response.model": "claude-sonnet-4-5",
    "gen_ai.usage.output_tokens": 50,
}


def told(attributes: dict[str, Any], **fields: Any) -> SpanCall:
    call = read_call(make_span(attributes=attributes, **fields))
    assert call is not None
    return call


def tokens_of(attributes: dict[str, Any]) -> TokenUsage | None:
    return told(attributes).found.tokens


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_tells_the_same_call(dialect: str) -> None:
    call = told(DIALECTS[dialect])
    assert (call.found.provider, call.found.model, call.found.finish_reason) == ("openai", "gpt-4o-2024-08-06", "stop")
    assert (call.key, call.found.service_tier, call.failed) == (f"openai:{CHAT_ID}", "flex", False)
    parts = (
        {} if dialect == "legacy" else {"cache_read_tokens": 1500, "reasoning_tokens": 100}
    )  # it has no names for them
    assert call.found.tokens == TokenUsage(input_tokens=2000, output_tokens=300, **parts)
    assert (call.found.problems, call.found.is_adjusted) == ((), False)


@pytest.mark.parametrize(
    "attributes",
    [
        {**CURRENT, "gen_ai.operation.name": "invoke_agent"},
        {**CURRENT, "gen_ai.operation.name": "create_agent"},
        {**CURRENT, "gen_ai.operation.name": "execute_tool"},
        {**CURRENT, "gen_ai.operation.name": "invoke_workflow"},
        *({**OPENINFERENCE, "openinference.span.kind": kind} for kind in ("AGENT", "CHAIN", "TOOL", "RETRIEVER")),
        *({**LEGACY, "traceloop.span.kind": kind} for kind in ("workflow", "task", "agent", "tool")),
        {"http.request.method": "POST", "http.response.status_code": 200},
        {"gen_ai.request.model": "gpt-4o"},
        {"gen_ai.usage.input_tokens": 5},
        {},
    ],
)
def test_agents_chains_tools_and_whatever_else_is_traced_are_no_calls(attributes: dict[str, Any]) -> None:
    assert read_call(make_span(attributes=attributes)) is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 8},
        {"openinference.span.kind": "EMBEDDING", "llm.token_count.prompt": 8, "llm.token_count.total": 8},
        {"llm.request.type": "embedding", "llm.usage.total_tokens": 8, "gen_ai.usage.prompt_tokens": 8},
    ],
)
def test_embeddings_are_calls_without_output(attributes: dict[str, Any]) -> None:
    call = told({**attributes, "gen_ai.request.model": "embed", "embedding.model_name": "embed"})
    assert call.found.tokens == TokenUsage(input_tokens=8)
    assert call.found.model == "embed"


def test_a_span_that_still_runs_may_be_a_call_before_it_says_so() -> None:
    assert may_be_call({"llm.system": "openai", "input.value": "{}"})  # OpenInference, which says its kind at the end
    assert may_be_call({"gen_ai.operation.name": "chat"})
    assert not may_be_call({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-4o"})
    assert not may_be_call({"http.request.method": "GET"})


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # As the conventions have it: cached tokens are in the input.
        ({"input": 1000, "read": 700, "write": 200}, 1000),
        # As Anthropic counts: 10 + 700 + 200.
        ({"input": 10, "read": 700, "write": 200}, 910),
        # 500 could hold 300 + 0, but the total is 500 + 50 + 300.
        ({"input": 500, "read": 300, "write": 0, "total": 850}, 800),
        ({"input": 500, "read": 300, "write": 0, "total": 550}, 500),
        ({"input": 500}, 500),
    ],
)
@pytest.mark.parametrize("dots", [True, False], ids=["current names", "older names"])
def test_anthropics_cached_tokens_are_counted_once_whatever_the_instrumentation_does(
    counts: dict[str, int], expected: int, dots: bool
) -> None:
    names = {
        "input": "gen_ai.usage.input_tokens" if dots else "gen_ai.usage.prompt_tokens",
        "read": f"gen_ai.usage.cache_read{'.' if dots else '_'}input_tokens",
        "write": f"gen_ai.usage.cache_creation{'.' if dots else '_'}input_tokens",
        "total": "gen_ai.usage.total_tokens" if dots else "llm.usage.total_tokens",
    }
    call = told({**ANTHROPIC, **{names[name]: count for name, count in counts.items()}})
    assert call.found.tokens == TokenUsage(
        input_tokens=expected,
        output_tokens=50,
        cache_read_tokens=counts.get("read", 0),
        cache_write_tokens=counts.get("write", 0),
    )
    assert call.found.problems == ()


def test_of_openai_a_cached_part_above_its_whole_is_absurd_and_not_added() -> None:
    found = told({**CURRENT, "gen_ai.usage.cache_read.input_tokens": 9000}).found
    assert found.tokens == TokenUsage(
        input_tokens=2000, output_tokens=300, cache_read_tokens=2000, reasoning_tokens=100
    )
    assert found.is_adjusted


@pytest.mark.parametrize("count", [-1, "many", 1.5, float("nan"), float("inf"), 10**30, True, [], {}, b"1"])
def test_a_count_that_is_none_makes_the_usage_unknown_and_is_told(count: Any) -> None:
    found = told({**CURRENT, "gen_ai.usage.input_tokens": count}).found
    assert found.tokens is None
    assert found.problems[0].startswith("gen_ai.usage.input_tokens is ")


def test_only_a_total_is_taken_for_the_input_and_said_to_be_an_estimate() -> None:
    found = told({"gen_ai.operation.name": "chat", "llm.usage.total_tokens": 70}).found
    assert (found.tokens, found.is_adjusted) == (TokenUsage(input_tokens=70), True)


def test_a_total_tells_the_output_that_is_missing() -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 50, "gen_ai.usage.total_tokens": 70}
    assert tokens_of(attributes) == TokenUsage(input_tokens=50, output_tokens=20)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("azure.ai.openai", "azure"),
        ("az.ai.openai", "azure"),
        ("aws.bedrock", "aws"),
        ("gcp.vertex_ai", "google"),
        ("gcp.gemini", "google"),
        ("mistral_ai", "mistral"),
        ("x_ai", "x-ai"),
        ("Anthropic", "anthropic"),
        ("langchain", ""),
    ],
)
def test_providers_have_the_names_of_the_price_tables(name: str, provider: str) -> None:
    assert told({**CURRENT, "gen_ai.provider.name": name}).found.provider == provider


def test_a_repeating_id_of_a_local_server_is_no_key() -> None:
    local = {**CURRENT, "gen_ai.response.id": "chatcmpl-123"}
    assert told(local).key == f"otel:{TRACE}:0000000000000001"
    assert told({**CURRENT, "gen_ai.provider.name": "ollama"}).key == f"otel:{TRACE}:0000000000000001"


def test_bedrock_keeps_the_model_of_the_request_and_the_id_of_it() -> None:
    call = told(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "aws.bedrock",
            "gen_ai.request.model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "gen_ai.response.model": "claude-sonnet-4-5",
            "aws.request_id": "0f8c4e2a-1111-2222-3333-444455556666",
        }
    )
    assert call.found.model == "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert call.key == "aws:0f8c4e2a-1111-2222-3333-444455556666"


@pytest.mark.parametrize("output", ["{", "[1]", '{"id": 5}', "{" * 100_000, '{"id":"' + "x" * (1 << 20) + '"}', "text"])
def test_an_output_that_is_no_response_is_passed_over(output: str) -> None:
    assert told({**OPENINFERENCE, "output.value": output}).key == f"otel:{TRACE}:0000000000000001"


def test_an_error_is_told_by_the_status_or_by_its_type() -> None:
    failed = told(CURRENT, is_error=True, status_message="too long", exception={"exception.type": "openai.BadRequest"})
    assert (failed.failed, failed.error_type, failed.error_message) == (True, "openai.BadRequest", "too long")
    typed = told({**CURRENT, "error.type": "timeout"})
    assert (typed.failed, typed.error_type) == (True, "timeout")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_value_of_an_attribute_makes_a_span_raise(dialect: str) -> None:
    for name in DIALECTS[dialect]:
        for value in (None, 5, -1, True, (), ("a", 5), {"a": 1}, float("nan"), object(), "\x00" * 300):
            call = read_call(make_span(attributes={**DIALECTS[dialect], name: value}))
            assert call is None or call.key
