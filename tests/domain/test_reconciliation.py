"""An invoice beside what was metered: figures worked by hand, and no amount that is lost or told twice."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costtrack.domain.model_versions import is_model, models_of_version
from costtrack.domain.reconciliation import Metered, Reconciled, invoice_names, reconcile

FIRST, SECOND = date(2026, 11, 1), date(2026, 11, 2)
NOTHING = Decimal(0)


def metered(cost: str, calls: int = 1, unpriced: int = 0) -> Metered:
    return Metered(Decimal(cost), calls, unpriced)


def told(line: Reconciled) -> tuple[object, ...]:
    return (line.day, line.model, line.invoiced_usd, line.metered_usd, line.difference_usd, line.difference_percent)


def test_each_day_and_model_of_either_side_has_a_line_and_a_difference() -> None:
    found = reconcile(
        {(FIRST, "a"): Decimal("10"), (SECOND, "a"): Decimal("4"), (SECOND, "b"): Decimal("0.5")},
        {(FIRST, "a"): metered("9.75", 3), (SECOND, "a"): metered("4", 2), (FIRST, "c"): metered("1.25")},
    )
    assert [told(line) for line in found.lines] == [
        (FIRST, "a", Decimal("10"), Decimal("9.75"), Decimal("0.25"), Decimal("2.50")),
        (FIRST, "c", None, Decimal("1.25"), Decimal("-1.25"), None),
        (SECOND, "a", Decimal("4"), Decimal("4"), NOTHING, NOTHING),
        (SECOND, "b", Decimal("0.5"), None, Decimal("0.5"), Decimal("100.00")),
    ]
    # By model, the largest difference first: c -1.25, b 0.5, a 14 - 13.75.
    assert [told(line)[1:5] for line in found.models] == [
        ("c", None, Decimal("1.25"), Decimal("-1.25")),
        ("b", Decimal("0.5"), None, Decimal("0.5")),
        ("a", Decimal("14"), Decimal("13.75"), Decimal("0.25")),
    ]
    # 14.5 - 15 = -0.5, of 14.5: -3.448 %
    assert told(found.total) == (None, "", Decimal("14.5"), Decimal("15"), Decimal("-0.5"), Decimal("-3.45"))
    assert found.total.calls == 6


def test_calls_without_a_price_are_told_and_are_no_zero() -> None:
    found = reconcile(
        {(FIRST, "a"): Decimal(3), (FIRST, "b"): Decimal(3)},
        {(FIRST, "a"): metered("0", 2, 2), (FIRST, "b"): metered("1", 2, 1)},
    )
    assert [(line.metered_usd, line.unpriced_calls) for line in found.lines] == [(None, 2), (Decimal(1), 1)]
    assert (found.total.metered_usd, found.total.unpriced_calls) == (Decimal(1), 3)


def test_a_call_that_was_free_is_a_zero() -> None:
    [line] = reconcile({}, {(FIRST, "a"): metered("0", 2)}).lines
    assert (line.metered_usd, line.invoiced_usd, line.difference_percent) == (NOTHING, None, None)


def test_an_amount_of_twelve_places_is_not_rounded() -> None:
    [line] = reconcile(
        {(FIRST, "a"): Decimal("99999999999.000000000003")}, {(FIRST, "a"): metered("0.000000000001")}
    ).lines
    assert line.difference_usd == Decimal("99999999999.000000000002")


@pytest.mark.parametrize(
    ("invoiced", "used", "names"),
    [
        (["gpt-4o"], ["gpt-4o-2024-08-06"], {"gpt-4o-2024-08-06": "gpt-4o"}),
        (["gpt-4o-2024-08-06"], ["gpt-4o"], {"gpt-4o": "gpt-4o-2024-08-06"}),
        (["gpt-4o"], ["gpt-4o", "gpt-4o-2024-08-06"], {"gpt-4o-2024-08-06": "gpt-4o"}),
        (["gpt-4o-2024-08-06", "gpt-4o-2024-05-13"], ["gpt-4o"], {}),  # which one?
        (["gpt-4o-2024-08-06"], ["gpt-4o-2024-05-13"], {}),
        (["gpt-4o-mini"], ["gpt-4o"], {}),
        (["claude-opus-4"], ["claude-opus-4-5"], {}),
        (["gpt-4o", "gpt-4o-2024-08-06"], ["gpt-4o-2024-08-06"], {}),
        (["gpt-4o"], ["gpt-4o-2024-08-06-v1"], {"gpt-4o-2024-08-06-v1": "gpt-4o"}),
        (["gpt-4o", "gpt-4o-2024-08-06"], ["gpt-4o-2024-08-06-v1"], {}),  # one version of two
    ],
)
def test_a_version_is_its_model_s_where_there_is_no_doubt(
    invoiced: list[str], used: list[str], names: dict[str, str]
) -> None:
    assert invoice_names(invoiced, used) == names


@given(st.from_regex(r"[a-z]{1,3}(-[a-z0-9]{1,8}){0,4}(@20250929|:0|-v1)?", fullmatch=True))
def test_the_models_of_a_version_are_those_that_it_is_a_version_of(text: str) -> None:
    others = [text[:end] for end in range(1, len(text))]
    assert models_of_version(text) == [name for name in others if is_model(text, name)]


def test_versions_that_the_invoice_has_under_one_name_are_one_line() -> None:
    [line] = reconcile(
        {(FIRST, "gpt-4o"): Decimal(5)},
        {(FIRST, "gpt-4o"): metered("1", 1), (FIRST, "gpt-4o-2024-08-06"): metered("3.5", 2)},
    ).lines
    assert (line.model, line.metered_usd, line.calls, line.difference_usd) == (
        "gpt-4o",
        Decimal("4.5"),
        3,
        Decimal("0.5"),
    )


DAYS = st.integers(0, 3).map(lambda number: FIRST + timedelta(days=number))
MODELS = st.sampled_from(["gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-05-13", "gpt-4o-mini", "o1"])
MONEY = st.decimals(-1000, 1000, places=12)


@given(
    invoiced=st.dictionaries(st.tuples(DAYS, MODELS), MONEY, max_size=8),
    used=st.dictionaries(st.tuples(DAYS, MODELS), st.builds(Metered, MONEY, st.integers(1, 9), st.just(0)), max_size=8),
)
def test_every_amount_is_in_one_line_of_each_table(
    invoiced: dict[tuple[date, str], Decimal], used: dict[tuple[date, str], Metered]
) -> None:
    found = reconcile(invoiced, used)
    for lines in (found.lines, found.models, [found.total]):
        assert sum(line.invoiced_usd or NOTHING for line in lines) == sum(invoiced.values())
        assert sum(line.metered_usd or NOTHING for line in lines) == sum(one.cost_usd for one in used.values())
        assert sum(line.calls for line in lines) == sum(one.calls for one in used.values())


def test_a_credit_is_less_than_nothing_in_percent_too() -> None:
    found = reconcile({(FIRST, "a"): Decimal("-10")}, {})
    assert [told(line) for line in found.lines] == [
        (FIRST, "a", Decimal("-10"), None, Decimal("-10"), Decimal("-100.00"))
    ]
