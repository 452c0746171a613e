"""Ids taken apart."""

from __future__ import annotations

import pytest

from costtrack.pricing.canonical import canonical_model, canonical_tier


@pytest.mark.parametrize(
    ("model", "provider", "gateway", "expected"),
    [
        ("Claude-Sonnet-4-5", "", "", ("", "", "claude-sonnet-4-5")),
        ("anthropic/claude-sonnet-4-5", "", "", ("anthropic", "", "claude-sonnet-4-5")),
        ("openrouter/anthropic/claude-sonnet-4.5", "", "", ("anthropic", "openrouter", "claude-sonnet-4.5")),
        ("anthropic/claude-sonnet-4.5", "OpenRouter", "", ("anthropic", "openrouter", "claude-sonnet-4.5")),
        ("claude-sonnet-4.5", "anthropic", "openrouter", ("anthropic", "openrouter", "claude-sonnet-4.5")),
        ("nousresearch/hermes-3", "", "openrouter", ("", "openrouter", "nousresearch/hermes-3")),
        ("gpt-4o", "openai", "our-proxy", ("openai", "our-proxy", "gpt-4o")),
        ("litellm_proxy/openrouter/openai/gpt-4o", "", "", ("openai", "openrouter", "gpt-4o")),
        ("us.anthropic.claude-sonnet-4-6", "", "", ("aws", "", "us.anthropic.claude-sonnet-4-6")),
        ("us.anthropic.claude-sonnet-4-6", "anthropic", "bedrock", ("aws", "", "us.anthropic.claude-sonnet-4-6")),
        ("bedrock/converse/us-west-2/amazon.nova-lite-v1:0", "", "", ("aws", "", "amazon.nova-lite-v1:0")),
        ("vertex_ai/gemini-2.5-pro", "", "", ("google", "", "gemini-2.5-pro")),
        ("publishers/meta/models/llama-4", "", "", ("google", "", "meta/llama-4")),
        ("ft:gpt-4o-2024-08-06:Acme::X", "", "", ("openai", "", "ft:gpt-4o-2024-08-06:acme::x")),
        ("meta-llama/Llama-3-8b", "together_ai", "", ("together", "", "meta-llama/llama-3-8b")),
        ("huggingface/together/meta-llama/X", "", "", ("huggingface_together", "", "meta-llama/x")),
        ("foo/bar", "", "", ("", "", "foo/bar")),
        ("", "pubmed", "", ("pubmed", "", "")),
    ],
)
def test_provider_gateway_and_model_are_told_apart(
    model: str, provider: str, gateway: str, expected: tuple[str, str, str]
) -> None:
    ref = canonical_model(model, provider, gateway)
    assert (ref.provider, ref.gateway, ref.model) == expected


def test_bedrock_asks_for_the_regional_price_first_and_for_the_makers_last() -> None:
    assert canonical_model("bedrock/jp.anthropic.claude-x-1").candidates == (
        ("aws", "jp.anthropic.claude-x-1"),
        ("aws", "anthropic.claude-x-1"),
        ("aws", "claude-x-1"),
        ("aws", "bedrock/jp.anthropic.claude-x-1"),
        ("anthropic", "claude-x-1"),
    )


def test_openrouter_asks_its_own_list_first() -> None:
    assert canonical_model("openrouter/mistral/codestral").candidates == (
        ("openrouter", "mistralai/codestral"),  # as OpenRouter spells the maker
        ("openrouter", "mistral/codestral"),
        ("openrouter", "codestral"),
        ("mistral", "codestral"),
        ("mistral", "mistral/codestral"),
    )


def test_another_offer_of_a_gateway_is_never_the_makers() -> None:
    ref = canonical_model("openrouter/openai/gpt-4o:free")
    assert {provider for provider, _ in ref.candidates} == {"openrouter"}


def test_the_name_of_a_fine_tuned_model_is_no_offer() -> None:
    ref = canonical_model("litellm_proxy/openai/ft:gpt-4o-mini-2024-07-18:acme::x")
    assert ("openai", "ft:gpt-4o-mini-2024-07-18") in ref.candidates


@pytest.mark.parametrize(
    "model",
    [
        "litellm_proxy/groq/openai/gpt-oss-120b",
        "openrouter/groq/meta-llama/llama-4",
        "portkey/@openrouter/openai/gpt-4o",
    ],
)
def test_what_is_stored_is_read_again_as_the_same(model: str) -> None:
    ref = canonical_model(model)
    again = canonical_model(ref.model, ref.provider, ref.gateway)
    assert (again.provider, again.gateway, again.model) == (ref.provider, ref.gateway, ref.model)


def test_hosts_of_open_models_are_asked_alone() -> None:
    assert {provider for provider, _ in canonical_model("groq/openai/gpt-oss-120b").candidates} == {"groq"}


@pytest.mark.parametrize("spelling", ["", "auto", "default", "Standard", "on_demand", "standard_only"])
def test_ordinary_service_tiers_are_standard(spelling: str) -> None:
    assert canonical_tier(spelling) == "standard"


def test_other_service_tiers_keep_their_name() -> None:
    assert canonical_tier("Batch") == "batch"
    assert canonical_tier("scale") == "scale"


@pytest.mark.parametrize(
    ("spelling", "tier"),
    [("Batches", "batch"), ("batch-api", "batch"), ("ON_DEMAND_FLEX", "flex"), ("on_demand_priority", "priority")],
)
def test_other_spellings_of_a_service_tier_are_the_same_tier(spelling: str, tier: str) -> None:
    assert canonical_tier(spelling) == tier
