"""A plan's fingerprint, and estimates compared with what came of them."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import pytest

from costtrack.domain.plans import PlanFigures, exceeds
from costtrack.domain.variance import compared


def test_the_fingerprint_of_nothing_is_the_hash_of_ten_figures_and_the_filters() -> None:
    text = (
        '{"cost_cap":null,"cost_per_1k_tokens":null,"estimated_calls":null,"estimated_cost_usd":null,'
        '"estimated_prompt_tokens":null,"estimated_total_tokens":null,"filters":{},"max_calls":null,'
        '"selected_count":null,"selection":{},"stage":""}'
    )
    assert text.count(":") == 11
    assert PlanFigures().plan_id == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_money_is_told_by_its_value_and_texts_as_they_are_written() -> None:
    assert PlanFigures(cost_cap=Decimal("1.50")).plan_id == PlanFigures(cost_cap=Decimal("1.5")).plan_id
    assert PlanFigures(stage="Übersicht").plan_id != PlanFigures(stage="Ubersicht").plan_id


@pytest.mark.parametrize(
    ("estimate", "cap", "expected"), [(3, 2, True), (2, 2, False), (None, 2, None), (3, None, None), (0, 0, False)]
)
def test_an_estimate_exceeds_a_cap_that_it_is_above(estimate: int | None, cap: int | None, expected: object) -> None:
    assert exceeds(estimate, cap) is expected


@pytest.mark.parametrize(
    ("estimated", "actual", "delta", "ratio"),
    [
        (3, 2, "-1", "0.6667"),
        (3, 1, "-2", "0.3333"),
        (8, 1, "-7", "0.125"),
        (20_000, 1, "-19999", "0.0000"),  # 0.00005 half-even
        (20_000, 3, "-19997", "0.0002"),  # 0.00015 half-even
        (0, 5, "5", None),
        (None, 5, None, None),
        (5, None, None, None),
        (5, 0, "-5", "0"),
    ],
)
def test_a_difference_and_a_ratio_to_four_places(
    estimated: int | None, actual: int | None, delta: str | None, ratio: str | None
) -> None:
    found = compared(estimated, actual)
    assert found.delta == (None if delta is None else Decimal(delta))
    assert found.ratio == (None if ratio is None else Decimal(ratio))


def test_costs_are_compared_exactly_and_rounded_at_the_end() -> None:
    found = compared(Decimal("0.0000004"), Decimal("0.0000016"), places=6)
    assert (found.estimated, found.actual) == (Decimal("0.000000"), Decimal("0.000002"))
    assert (found.delta, found.ratio) == (Decimal("0.000001"), Decimal(4))  # 0.0000012; 4, not a division by 0
