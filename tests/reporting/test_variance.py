"""What the tokens of a run are compared with: the plan's total, else its prompt tokens, else nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from costtrack import record_plan, record_usage, run_variance, usage_run
from costtrack.domain.variance import Compared
from costtrack.models import UsageRun
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db


def drift(**estimates: Any) -> tuple[Compared, Compared]:
    """(prompt tokens, total tokens) of a run of 1,000 input and 250 output tokens, against a plan that says so much."""
    make_rate()
    make_organization()
    plan = record_plan(name="docs", organization="acme", **estimates)
    with usage_run("docs", organization="acme", plan=plan) as run:
        record_usage(model="test-model", provider="openai", input_tokens=1_000, output_tokens=250)
    found = run_variance(UsageRun.objects.get(run_id=run.run_id))
    return found.prompt_tokens, found.total_tokens


def figures(estimated: int | None, actual: int, delta: int | None, ratio: str | None) -> Compared:
    return Compared(
        estimated=None if estimated is None else Decimal(estimated),
        actual=Decimal(actual),
        delta=None if delta is None else Decimal(delta),
        ratio=None if ratio is None else Decimal(ratio),
    )


def test_b3_total_tokens_are_compared_with_the_plan_s_total() -> None:
    prompt, total = drift(estimated_prompt_tokens=800, estimated_total_tokens=2_000)
    assert prompt == figures(800, 1_000, 200, "1.25")
    assert total == figures(2_000, 1_250, -750, "0.625")


def test_b3_total_tokens_are_compared_with_the_prompt_estimate_where_the_plan_has_no_total() -> None:
    prompt, total = drift(estimated_prompt_tokens=800)
    assert prompt == figures(800, 1_000, 200, "1.25")
    assert total == figures(800, 1_250, 450, "1.5625")


def test_b3_a_total_of_0_is_an_estimate_too_and_has_no_ratio() -> None:
    _, total = drift(estimated_total_tokens=0)
    assert total == figures(0, 1_250, 1_250, None)


def test_b3_total_tokens_are_compared_with_nothing_where_the_plan_has_neither() -> None:
    prompt, total = drift(estimated_calls=3)
    assert prompt == figures(None, 1_000, None, None)
    assert total == figures(None, 1_250, None, None)
