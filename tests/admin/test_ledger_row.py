"""The page of one ledger row: the arithmetic of its cost, its corrections, its JSON."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client

from costtrack.models import Agent, ResourceUsage
from tests.admin.rows import changing, gpt_4, page, use

pytestmark = pytest.mark.django_db


def arithmetic(browser: Client, row: ResourceUsage) -> list[list[str]]:
    """The rows of the arithmetic table, or what is said in its place."""
    block = page(browser, changing(row)).split("field-arithmetic")[1].split("field-unpriced_calls")[0]
    lines = re.findall(r"<tr>(.*?)</tr>", block, flags=re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, flags=re.DOTALL) for line in lines]
    return [[unescape(re.sub(r"<[^>]+>", "", cell)) for cell in line] for line in cells] or [[block]]


def test_each_class_of_tokens_has_a_line_and_they_add_up(browser: Client, agent: Agent) -> None:
    rate = gpt_4(
        model="claude-sonnet-4-5",
        input_usd_per_million=Decimal(3),
        output_usd_per_million=Decimal(15),
        cache_read_usd_per_million=Decimal("0.3"),
        is_used=True,
    )
    # 2,000 x 3 = 0.006; 8,000 x 0.3 = 0.0024; 500 x 15 = 0.0075; together 0.0159.
    row = use(
        agent,
        input_tokens=10_000,
        cache_read_tokens=8_000,
        output_tokens=500,
        cost_usd=Decimal("0.0159"),
        rate=rate,
    )

    assert arithmetic(browser, row) == [
        ["", "tokens", "USD per 1M", "USD"],
        ["input", "2,000", "$3", "$0.006"],
        ["cache read", "8,000", "$0.3", "$0.0024"],
        ["output", "500", "$15", "$0.0075"],
        ["total", "$0.0159"],
    ]


def test_a_request_above_a_threshold_shows_the_tiers_prices(browser: Client, agent: Agent) -> None:
    rate = gpt_4(request_usd=Decimal("0.01"))
    rate.tiers.create(above_input_tokens=999, input_usd_per_million=Decimal(100))
    # 1,000 x 100 = 0.1; 500 x 60 = 0.03 (the tier has no price of its own); one call 0.01.
    row = use(agent, cost_usd=Decimal("0.14"), rate=rate)

    assert arithmetic(browser, row)[1:] == [
        ["input", "1,000", "$100", "$0.1"],
        ["output", "500", "$60", "$0.03"],
        ["call", "1", "$0.01", "$0.01"],
        ["total", "$0.14"],
    ]


def test_another_resource_shows_units_times_their_price(browser: Client, agent: Agent) -> None:
    rate = gpt_4(
        model="h100",
        resource_type="gpu_seconds",
        input_usd_per_million=None,
        output_usd_per_million=None,
        unit_price_usd=Decimal("0.001"),
    )
    fields: dict[str, Any] = {"resource_type": "gpu_seconds", "input_tokens": 0, "output_tokens": 0}
    row = use(agent, amount=Decimal("2710.5"), cost_usd=Decimal("2.7105"), rate=rate, **fields)

    assert arithmetic(browser, row)[1:] == [
        ["gpu_seconds", "2,710.5", "$0.001", "$2.7105"],
        ["total", "$2.7105"],
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cost_source": "reported"}, "The provider reported this cost."),
        ({"cost_source": "unpriced", "cost_usd": None, "unpriced_calls": 1}, "No price was known."),
        ({"cost_source": "free", "cost_usd": Decimal(0)}, "No rate was needed."),
    ],
)
def test_a_cost_without_arithmetic_says_why(browser: Client, agent: Agent, fields: dict[str, Any], said: str) -> None:
    assert said in arithmetic(browser, use(agent, **fields))[0][0]


@pytest.mark.parametrize("outcome", ["error", "success"])
def test_a_call_of_no_tokens_says_so(browser: Client, agent: Agent, outcome: str) -> None:
    nothing = {"input_tokens": 0, "output_tokens": 0, "amount": Decimal(0), "cost_usd": Decimal(0)}
    row = use(agent, outcome=outcome, errors=int(outcome == "error"), rate=gpt_4(), **nothing)
    [[said]] = arithmetic(browser, row)
    assert "0 tokens were used." in said
    assert "no price" not in said


@pytest.mark.parametrize(
    ("resource_type", "said"), [("llm_tokens", "0 tokens were used."), ("api_call", "Nothing was")]
)
def test_a_failed_call_that_used_nothing_shows_no_price_that_was_not_charged(
    browser: Client, agent: Agent, resource_type: str, said: str
) -> None:
    nothing = {"input_tokens": 0, "output_tokens": 0, "amount": Decimal(0), "cost_usd": Decimal(0)}
    rate = gpt_4(resource_type=resource_type, request_usd=Decimal("0.01"))
    row = use(agent, outcome="error", errors=1, rate=rate, resource_type=resource_type, **nothing)
    [[text]] = arithmetic(browser, row)
    assert said in text
    assert "$0.01" not in text


def test_missing_usage_at_a_free_rate_is_told_as_that(browser: Client, agent: Agent) -> None:
    nothing = {"input_tokens": 0, "output_tokens": 0, "amount": Decimal(0), "cost_usd": Decimal(0)}
    rate = gpt_4(input_usd_per_million=Decimal(0), output_usd_per_million=Decimal(0))
    row = use(agent, usage_missing=True, cost_source="free", rate=rate, **nothing)
    assert "What was used is not known; at its rate any use is free." in arithmetic(browser, row)[0][0]


def test_a_row_and_its_corrections_link_to_each_other(browser: Client, agent: Agent) -> None:
    row = ResourceUsage.objects.get()
    adjustment = use(
        agent,
        **{"kind": "adjustment", "corrects": row, "calls": 0, "cost_usd": Decimal("-0.01"), "reason": "rebate"},
        **{"input_tokens": 0, "output_tokens": 0, "amount": Decimal(0)},
    )

    original = page(browser, changing(row))
    assert f'<a href="{changing(adjustment)}">adjustment #{adjustment.pk}</a>' in original
    assert "-$0.010000" in original
    correction = page(browser, changing(adjustment))
    assert f'<a href="{changing(row)}">#{row.pk}</a>' in correction
    assert "rebate" in correction
    assert "A correction" in arithmetic(browser, adjustment)[0][0]


def test_tokens_amounts_and_json_are_shown(browser: Client, agent: Agent) -> None:
    row = use(
        agent,
        **{"input_tokens": 1_000_000, "cache_read_tokens": 1_500, "output_tokens": 0, "amount": Decimal("1000000.5")},
        tags={"team": "search"},
        metadata={"b": [1, None], "a": "é"},
    )

    text = unescape(page(browser, changing(row)))

    assert '<th scope="row">cache read</th><td><span class="costtrack-figure">1,500</span></td>' in text
    assert "1,000,000.5" in text
    assert '"team": "search"' in text
    assert '{\n  "a": "é",\n  "b": [\n    1,\n    null\n  ]\n}' in text


def test_a_row_that_does_not_exist_leads_home(browser: Client, agent: Agent) -> None:
    row = ResourceUsage(pk=10**12)

    assert browser.get(changing(row)).status_code == 302
