"""assert_cost_below: what passes, what fails, and what the failure shows."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costtrack import InvalidUsage, meter, record_api_call, record_usage
from costtrack.testing import assert_cost_below, capture_usage


def call_gpt_4o(times: int = 1) -> None:
    """0.0075 USD each: 1,000 tokens at 2.50 USD and 500 at 10 USD per million."""
    for _ in range(times):
        record_usage(model="gpt-4o", input_tokens=1000, output_tokens=500)


def call_unknown_model() -> None:
    record_usage(model="house-model-7", input_tokens=5)


def failure_of(work: Callable[[], object], limit: Any, **options: Any) -> list[str]:
    """The lines that the failure of this work shows."""

    @assert_cost_below(limit, **options)
    def limited() -> None:
        work()

    with pytest.raises(AssertionError) as failure:
        limited()
    return str(failure.value).splitlines()


@pytest.mark.parametrize("limit", [Decimal("0.015000000001"), "0.015000000001", 1])
def test_what_costs_less_passes_and_gives_the_log(limit: Any) -> None:
    with assert_cost_below(limit) as log:
        call_gpt_4o(2)
    assert log.total_cost_usd == Decimal("0.015")


def test_what_costs_exactly_the_limit_is_not_below_it() -> None:
    assert failure_of(lambda: call_gpt_4o(2), "0.015")[0] == "2 calls cost $0.015, which is not below $0.015."


def test_the_failure_shows_each_call_the_total_and_the_limit() -> None:
    def work() -> None:
        call_gpt_4o()
        with meter("chat", provider="anthropic", model="claude-sonnet-4-5") as call:
            call.set_usage(input_tokens=2000, output_tokens=100)
        record_usage(provider="runpod", model="a100", resource_type="gpu_seconds", amount="90.5", cost_usd="0.04525")

    # 0.0075 + 0.0075 + 0.04525
    assert failure_of(work, "0.01") == [
        "3 calls cost $0.06025, which is not below $0.01.",
        "",
        "  call  model                        used                   cost",
        "     1  gpt-4o                       1,000 in, 500 out   $0.0075",
        "     2  anthropic claude-sonnet-4-5  2,000 in, 100 out   $0.0075",
        "     3  runpod a100                  90.5 gpu_seconds   $0.04525",
        "        total                                           $0.06025",
        "        limit                                              $0.01",
    ]


def test_an_unpriced_call_fails_because_unknown_is_not_0() -> None:
    def work() -> None:
        call_gpt_4o()
        call_unknown_model()

    assert failure_of(work, 100) == [
        "1 call of 2 has no known cost, and unknown is not 0. Give prices as rates=FILE, or leave such calls out by "
        "allow_unpriced=True.",
        "",
        "  call  model          used                   cost",
        "     1  gpt-4o         1,000 in, 500 out   $0.0075",
        "     2  house-model-7  5 in, 0 out        unpriced",
        "        total          and 1 unpriced      $0.0075",
        "        limit                                 $100",
    ]


def test_a_response_without_usage_fails_too() -> None:
    def work() -> None:
        with meter("chat", model="gpt-4o") as call:
            call.observe({"model": "gpt-4o", "choices": []})

    assert failure_of(work, 100)[3].split() == ["1", "gpt-4o", "no", "usage", "in", "the", "response", "unpriced"]


def test_allow_unpriced_leaves_them_out_but_not_the_others() -> None:
    with assert_cost_below("0.01", allow_unpriced=True):
        call_gpt_4o()
        call_unknown_model()

    def too_much() -> None:
        call_gpt_4o(2)
        call_unknown_model()

    lines = failure_of(too_much, "0.01", allow_unpriced=True)
    assert lines[:2] == ["3 calls cost $0.015, which is not below $0.01.", ""]


def test_prices_of_a_file_make_a_tool_known(tmp_path: Path) -> None:
    rates = tmp_path / "prices.csv"
    rates.write_text("provider,model,resource_type,unit_price_usd\nexa,*,api_call,0.005\n")
    lines = failure_of(lambda: record_api_call("exa"), "0.005", rates=rates)
    assert lines[0] == "1 call cost $0.005, which is not below $0.005."


def test_of_many_calls_the_dearest_and_the_unpriced_are_shown() -> None:
    def work() -> None:
        call_unknown_model()
        for tokens in range(1, 31):
            record_usage(model="gpt-4o", input_tokens=tokens * 1000)

    lines = failure_of(work, "0.1")
    # 0.0025 each thousand. Shown are call 1 and the 19 dearest, 13 to 31, with 12 to 30 thousand; 66 thousand are left.
    numbers = [line.split()[0] for line in lines if "gpt-4o" in line or "house-model-7" in line]
    assert numbers == ["1", *map(str, range(13, 32))]
    assert lines[-3].split() == ["11", "other", "calls", "$0.165"]
    # 465 thousand in all
    assert lines[-2].split() == ["total", "and", "1", "unpriced", "$1.1625"]


def test_an_exception_from_inside_is_not_replaced_by_the_assertion() -> None:
    @assert_cost_below("0.001")
    def work() -> None:
        call_gpt_4o()
        raise KeyError("from inside")

    with pytest.raises(KeyError, match="from inside"):
        work()


def test_it_decorates_a_function_and_judges_each_call_by_itself() -> None:
    @assert_cost_below("0.01")
    def work(times: int) -> str:
        call_gpt_4o(times)
        return "done"

    assert [work(1), work(1)] == ["done", "done"]
    assert list(inspect.signature(work).parameters) == ["times"]
    with pytest.raises(AssertionError, match="2 calls cost"):
        work(2)


def test_it_decorates_a_coroutine_function() -> None:
    @assert_cost_below("0.01")
    async def work(times: int) -> str:
        await asyncio.sleep(0)
        await asyncio.to_thread(call_gpt_4o, times)
        return "done"

    assert asyncio.run(work(1)) == "done"
    with pytest.raises(AssertionError, match="2 calls cost"):
        asyncio.run(work(2))


def test_it_refuses_to_decorate_what_it_could_never_judge() -> None:
    def steps() -> Iterator[int]:
        yield 1

    for wrong in (steps, type("Tests", (), {})):
        with pytest.raises(TypeError, match="decorates functions and coroutine functions"):
            assert_cost_below(1)(wrong)


def test_an_inner_limit_does_not_hide_calls_from_the_outer_one() -> None:
    def work() -> None:
        call_gpt_4o()
        with assert_cost_below("0.01"):
            call_gpt_4o()

    assert failure_of(work, "0.01")[0] == "2 calls cost $0.015, which is not below $0.01."


def test_one_limit_is_not_entered_twice_at_once() -> None:
    limit = assert_cost_below("0.01")
    with limit, pytest.raises(RuntimeError, match="is in use"), limit:
        pass
    with limit:
        call_gpt_4o()


def test_a_float_is_refused_and_told_what_to_write() -> None:
    with pytest.raises(InvalidUsage, match=r'limit_usd: got 0.05, expected a Decimal, an int or a text such as "0.05"'):
        assert_cost_below(0.05)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [0, "0", "-1", True, None, "five", "nan"])
def test_a_limit_that_is_no_amount_above_0_is_refused(limit: Any) -> None:
    with pytest.raises(InvalidUsage, match="limit_usd"):
        assert_cost_below(limit)


def test_a_refused_limit_leaves_no_log_in_force() -> None:
    with capture_usage() as log:
        with pytest.raises(InvalidUsage):
            assert_cost_below(0)
        call_gpt_4o()
    assert len(log) == 1
