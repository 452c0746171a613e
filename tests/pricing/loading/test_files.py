"""Rate files: what is taken, and what is refused with its line."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from textwrap import dedent

import pytest

from costtrack.exceptions import RateFileError
from costtrack.pricing.loading.drafts import DraftRate
from costtrack.pricing.loading.files import read_drafts
from costtrack.pricing.loading.rows import FileDefaults


def read(text: str, file_format: str = "yaml") -> list[DraftRate]:
    """The drafts of a text."""
    return read_drafts(dedent(text), file_format=file_format, defaults=FileDefaults())[0]


def problems(text: str, file_format: str = "yaml") -> list[tuple[int, str]]:
    """What is wrong with a text."""
    with pytest.raises(RateFileError) as caught:
        read(text, file_format)
    return caught.value.problems


def test_yaml_prices_per_1000_tokens_are_exact() -> None:
    (draft,) = read("rates:\n  gpt-4: {prompt_per_1k: 0.03, completion_per_1k: 0.06}\n")
    prices = draft.rate.prices
    assert (draft.rate.model, str(prices.input_usd_per_million), str(prices.output_usd_per_million)) == (
        "gpt-4",
        "30",
        "60",
    )
    assert not draft.is_dated


def test_a_yaml_list_takes_everything_that_a_rate_has() -> None:
    (draft,) = read("""
        rates:
          - model: Claude-X
            provider: vertex_ai
            aliases: [claude-x-alias]
            service_tier: batch
            effective_from: 2026-07-01
            window_start: "22:00"
            window_end: "06:00"
            input_per_1m: 1.5
            cache_read_usd_per_million: 0.15
            request_usd: 0.001
            tiers:
              - {above_input_tokens: 200000, input_usd_per_million: 3}
        """)
    rate = draft.rate
    assert (rate.provider, rate.model, rate.aliases, rate.service_tier) == (
        "google",
        "claude-x",
        ("claude-x-alias",),
        "batch",
    )
    assert (draft.is_dated, rate.effective_from) == (True, datetime(2026, 7, 1, tzinfo=UTC))
    assert (rate.window_start.hour, rate.window_end.hour, rate.request_usd) == (22, 6, Decimal("0.001"))
    assert rate.tiers[0].prices.input_usd_per_million == Decimal(3)


def test_bad_yaml_values_are_reported_with_their_own_line() -> None:
    found = problems("""\
        rates:
          good: {prompt_per_1k: 0.03}
          negative:
            prompt_per_1k: -1
          nan: {prompt_per_1k: .nan}
          infinite: {prompt_per_1k: .inf}
          word:
            prompt_per_1k: 0.03
            completion_per_1k: cheap
          truth: {prompt_per_1k: true}
          fine_grained: {input_usd_per_million: 0.00000015}
          typo: {promt_per_1k: 0.03}
          empty: {}
          twice: {prompt_per_1k: 1, input_per_1m: 2}
        """)
    assert [line for line, _ in found] == [4, 5, 6, 9, 10, 11, 12, 13, 14]
    reasons = [reason for _, reason in found]
    assert "negative" in reasons[0]
    assert "finite" in reasons[1]
    assert "finite" in reasons[2]
    assert "cheap" in reasons[3]
    assert "boolean" in reasons[4]
    assert "6 decimals" in reasons[5]
    assert any("promt_per_1k" in reason for reason in reasons)
    assert any("has no price" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rates:\n  a: {prompt_per_1k: 1}\n  a: {prompt_per_1k: 2}\n", 3),
        ("rates:\n  a: [1, 2]\n", 2),
        ("prices:\n  a: 1\n", 1),
        ("rates:\n  a: {prompt_per_1k: 1\n  b: }\n", 3),
        ("", 1),
        ("rates:\n  - {provider: openai, prompt_per_1k: 1}\n", 2),
    ],
)
def test_a_yaml_file_of_another_shape_is_refused(text: str, line: int) -> None:
    assert problems(text)[0][0] == line


def test_a_withdrawn_model_is_said_on_purpose() -> None:
    (draft,) = read("rates:\n  gone: {withdrawn: true}\n")
    assert draft.rate.is_withdrawn
    assert problems("rates:\n  gone: {withdrawn: true, prompt_per_1k: 1}\n")[0][0] == 2


def test_csv_rows_are_rates() -> None:
    found = read(
        "\ufeffmodel,provider,input_usd_per_million,output_per_1k,aliases,unit_price_usd,resource_type\n"
        "gpt-4,openai,30,0.06,gpt-4-a; gpt-4-b,,\n\n"
        "a100,lambda,,,,0.0004,gpu_seconds\n",
        "csv",
    )
    assert [(draft.rate.provider, draft.rate.model, draft.rate.resource_type) for draft in found] == [
        ("openai", "gpt-4", "llm_tokens"),
        ("lambda", "a100", "gpu_seconds"),
    ]
    assert found[0].rate.aliases == ("gpt-4-a", "gpt-4-b")
    assert found[0].rate.prices.output_usd_per_million == Decimal(60)
    assert found[1].rate.unit_price_usd == Decimal("0.0004")


def test_bad_csv_rows_are_reported_with_the_line_they_begin_on() -> None:
    text = 'model,input_usd_per_million,source\na,1,"two\nlines"\nb,-2,x\nc,nan,x\nd,abc,x\n,1,x\na,2,x\n'
    found = problems(text, "csv")
    assert [line for line, _ in found] == [4, 5, 6, 7, 8]
    assert "stands twice, first in line 2" in found[-1][1]


@pytest.mark.parametrize("text", ["", "modell,input_per_1k\n", "model,model\n", "model,input_per_1k\na,1,2\n"])
def test_a_csv_file_of_another_shape_is_refused(text: str) -> None:
    assert problems(text, "csv")


LITELLM = """\
{
  "sample_spec": {"input_cost_per_token": -1, "litellm_provider": "one of"},
  "gpt-x": {
    "input_cost_per_token": 2.5e-06, "output_cost_per_token": 0.00001,
    "cache_read_input_token_cost": 1.25e-06, "cache_creation_input_token_cost_above_1hr": 5e-06,
    "input_cost_per_token_above_200k_tokens": 5e-06,
    "input_cost_per_token_batches": 1.25e-06, "output_cost_per_token_batches": 5e-06,
    "input_cost_per_token_priority": 4.25e-06,
    "input_cost_per_image": 0.1, "litellm_provider": "openai", "mode": "chat"
  },
  "xai/grok-x": {"input_cost_per_token": 3e-06, "input_cost_per_token_above_128k_tokens": 6e-06,
    "litellm_provider": "xai"},
  "openrouter/anthropic/claude-x": {"input_cost_per_token": 0.0000029999900000000002, "litellm_provider": "openrouter"},
  "vertex_ai/claude-x@20250101": {"input_cost_per_token": 0, "litellm_provider": "vertex_ai-anthropic_models"},
  "draw-x": {"output_cost_per_image": 0.04, "litellm_provider": "openai", "mode": "image_generation"}
}
"""


def test_litellm_prices_are_per_token_with_tiers_and_service_tiers() -> None:
    drafts, ignored = read_drafts(LITELLM, file_format="litellm", defaults=FileDefaults())
    found = {(draft.rate.provider, draft.rate.model, draft.rate.service_tier): draft.rate for draft in drafts}
    assert set(found) == {
        ("openai", "gpt-x", "standard"),
        ("openai", "gpt-x", "batch"),
        ("openai", "gpt-x", "priority"),
        ("x-ai", "grok-x", "standard"),
        ("openrouter", "anthropic/claude-x", "standard"),
        ("google", "claude-x@20250101", "standard"),
    }
    gpt = found["openai", "gpt-x", "standard"]
    assert str(gpt.prices.input_usd_per_million) == "2.5"
    assert gpt.prices.cache_write_1h_usd_per_million == Decimal(5)
    assert [(tier.above_input_tokens, tier.prices.input_usd_per_million) for tier in gpt.tiers] == [
        (200_000, Decimal(5))
    ]
    batch = found["openai", "gpt-x", "batch"]
    assert (batch.prices.input_usd_per_million, batch.prices.cache_read_usd_per_million) == (
        Decimal("1.25"),
        Decimal("1.25"),
    )
    assert batch.bands[0].input_picos[0] == 1_250_000  # no long-context batch price: the plain one
    priority = found["openai", "gpt-x", "priority"]
    assert (priority.prices.input_usd_per_million, priority.bands[0].input_picos[0]) == (Decimal("4.25"), 5_000_000)
    assert found["x-ai", "grok-x", "standard"].tiers[0].above_input_tokens == 127_999
    assert str(found["openrouter", "anthropic/claude-x", "standard"].prices.input_usd_per_million) == "2.99999"
    assert found["google", "claude-x@20250101", "standard"].is_free
    assert ignored == {"no price per token (image_generation)": 1}


def test_litellm_entries_that_are_paid_by_another_unit_are_not_free() -> None:
    text = """{
      "rerank-x": {"input_cost_per_query": 0.002, "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
      "draw-x": {"input_cost_per_token": 0, "output_cost_per_image": 4e-2, "mode": "image_generation"},
      "search-x": {"input_cost_per_token": 0, "search_context_cost_per_query": {"search_context_size_low": 0.03}},
      "free-x": {"input_cost_per_token": 0, "input_cost_per_query": 0.0, "other_cost": NaN, "supports_cost": false},
      "paid-x": {"input_cost_per_token": 0, "output_cost_per_token": 1e-06, "input_cost_per_query": 0.002}
    }"""
    drafts, ignored = read_drafts(text, file_format="litellm", defaults=FileDefaults())
    assert [(draft.rate.model, draft.rate.is_free) for draft in drafts] == [("free-x", True), ("paid-x", False)]
    assert ignored == {
        "0 per token, but input_cost_per_query": 1,
        "0 per token, but output_cost_per_image": 1,
        "0 per token, but search_context_cost_per_query": 1,
    }


def test_bad_litellm_rows_are_reported_with_the_line_of_their_key() -> None:
    found = problems(
        """\
        {
          "good": {"input_cost_per_token": 1e-06},
          "negative": {"input_cost_per_token": -1e-06},
          "nan": {
            "litellm_provider": "openai",
            "input_cost_per_token": NaN},
          "truth": {"input_cost_per_token": true},

          "fine": {"input_cost_per_token": 1e-15},
          "list": []
        }
        """,
        "litellm",
    )
    assert [line for line, _ in found] == [3, 4, 7, 9, 10]


@pytest.mark.parametrize(
    ("text", "line"),
    [('{"a": {},\n "b": }', 2), ("[]", 1), ('{\n"a" 1}', 2), ("", 1), ('{"a": 1} x', 1), ("{" + '"a":' * 1, 1)],
)
def test_a_json_file_of_another_shape_is_refused(text: str, line: int) -> None:
    assert problems(text, "litellm")[0][0] == line
