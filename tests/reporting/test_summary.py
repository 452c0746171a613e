from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from costtrack.domain.periods import DayRange
from costtrack.models import DailyCostSummary
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.figures import Figures
from costtrack.reporting.summary import (
    Granularity,
    Summary,
    SummaryGroup,
    SummaryQuestion,
    cost_summary,
    parts_of,
    period_before,
)
from costtrack.reporting.summary_figures import ALWAYS_SHOWN, SHOWN_FIGURES, sums_of
from costtrack.reporting.summary_shapes import summary_table
from tests.reporting.booked import agent, book, organization

pytestmark = pytest.mark.django_db

NOVEMBER_1, DECEMBER_1 = date(2023, 11, 1), date(2023, 12, 1)
NOVEMBER = DayRange(NOVEMBER_1, DECEMBER_1)


def asked(days: DayRange = NOVEMBER, **fields: Any) -> Summary:
    question = SummaryQuestion(days=days, **fields)
    return cost_summary(question, summaries_of(question.span, by=question.group_by))


def shown(groups: Iterable[SummaryGroup]) -> list[tuple[str, str]]:
    return [(" ".join(one.names), str(one.figures.cost_usd.normalize())) for one in groups]


def test_the_dearest_groups_are_shown_and_the_others_are_one() -> None:
    acme = organization()
    for model, cost in (("a", "1"), ("b", "8"), ("c", "2"), ("d", "4")):
        book(acme, cost, model=model)
    summary = asked(group_by=("model",), limit=2)
    assert shown(summary.groups) == [("b", "8"), ("d", "4")]
    assert summary.other is not None
    assert (summary.other.figures.cost_usd, summary.other.figures.calls) == (3, 2)  # 1 + 2
    assert summary.total.figures.cost_usd == 15
    assert asked(group_by=("model",), limit=4).other is None


@pytest.mark.parametrize("dimension", ["model", "agent"])
def test_of_equal_groups_those_are_shown_that_come_first_by_name(dimension: str) -> None:
    acme = organization()
    for name, parts in {"z": ("0.1", "0.2"), "B": ("0.3",), "é": ("0.3",), "a": ("0.3",), "A": ("0.3",)}.items():
        bot = agent(acme, f"web/{name}")
        for cost in parts:  # as floats, 0.1 + 0.2 are more than 0.3
            book(acme, cost, model=name, agent=bot, project=bot.project)
    found = asked(group_by=(dimension,), limit=3).groups  # by code point: A B a z é
    assert [one.names[0].removeprefix("acme/web/") for one in found] == ["A", "B", "a"]


def test_usage_without_a_name_is_called_none_in_every_dimension() -> None:
    acme = organization()
    book(acme, "1", model="", endpoint="", resource_type="")
    for dimension in ("project", "agent", "sprint", "workflow", "endpoint", "provider", "model", "resource_type"):
        assert shown(asked(group_by=(dimension,)).groups) == [("(none)", "1")]


def test_a_name_that_reads_none_is_one_group_with_usage_without_a_name() -> None:
    acme = organization()
    book(acme, "1", endpoint="")
    book(acme, "2", endpoint="(none)")
    assert shown(asked(group_by=("endpoint",)).groups) == [("(none)", "3")]


def test_two_dimensions_make_a_group_of_each_pair() -> None:
    acme, globex = organization("acme"), organization("globex")
    bot = agent(acme, "web/bot")
    book(acme, "1", agent=bot, project=bot.project, model="a")
    book(acme, "2", agent=bot, project=bot.project, model="b")
    book(globex, "4", model="a")
    assert shown(asked(group_by=("agent", "model")).groups) == [
        ("(none) a", "4"),
        ("acme/web/bot b", "2"),
        ("acme/web/bot a", "1"),
    ]
    assert shown(asked(group_by=("model", "organization")).groups) == [
        ("a globex", "4"),
        ("b acme", "2"),
        ("a acme", "1"),
    ]


def test_a_group_of_the_period_before_is_shown_with_nothing_in_this_one() -> None:
    acme = organization()
    book(acme, "2", model="old", day=date(2023, 10, 31))
    book(acme, None, model="new")
    summary = asked(group_by=("model",), previous=period_before(NOVEMBER))
    found = [(one.names, one.figures.calls, one.previous and one.previous.cost_usd) for one in summary.groups]
    assert found == [(("new",), 1, 0), (("old",), 0, 2)]
    assert (summary.cost_change, summary.cost_change_ratio) == (None, None)  # the cost of new is not known


def test_what_is_past_the_limit_in_the_period_before_counts_there() -> None:
    acme = organization()
    book(acme, "2", model="a", day=date(2023, 10, 31))
    book(acme, "3", model="b")
    summary = asked(group_by=("model",), limit=1, previous=DayRange(date(2023, 10, 1), NOVEMBER_1))
    assert shown(summary.groups) == [("b", "3")]
    assert summary.other is not None
    assert summary.other.previous is not None
    assert (summary.other.figures.cost_usd, summary.other.previous.cost_usd) == (0, 2)
    assert (summary.cost_change, summary.cost_change_ratio) == (1, Decimal("0.5"))  # 3 - 2; 1 / 2


@pytest.mark.parametrize(
    ("before", "now", "change", "ratio"),
    [
        ("3", "1", "-2", "-0.6667"),  # 2 / 3
        ("0", "1", "1", None),
        ("-1", "1", "2", None),
        ("0.000008", "0.0000085", "0.0000005", "0.0625"),
    ],
)
def test_a_change_is_told_in_dollars_and_by_the_cost_before(before: str, now: str, change: str, ratio: Any) -> None:
    acme = organization()
    for day, cost in ((date(2023, 10, 31), before), (NOVEMBER_1, now)):
        fields = {"organization": acme, "day": day, "calls": 1, "cost_usd": Decimal(cost)}
        DailyCostSummary.all_grains.create(grain="pending", **fields)
    summary = asked(previous=DayRange(date(2023, 10, 1), NOVEMBER_1))
    assert summary.cost_change == Decimal(change)
    assert summary.cost_change_ratio == (None if ratio is None else Decimal(ratio))


def test_without_a_comparison_there_is_no_change() -> None:
    summary = asked()
    assert (summary.total.previous, summary.cost_change, summary.cost_change_ratio) == (None, None, None)
    assert summary.total.figures == Figures()


def test_the_parts_of_a_period_tile_it() -> None:
    days = DayRange(date(2023, 10, 31), date(2023, 11, 14))  # a Tuesday, to a Tuesday
    week_ends = ["2023-10-31", "2023-11-06", "2023-11-13", "2023-11-14"]
    for granularity, edges in (
        (Granularity.WEEK, week_ends),
        (Granularity.MONTH, ["2023-10-31", "2023-11-01", "2023-11-14"]),
    ):
        expected = [DayRange(*map(date.fromisoformat, pair)) for pair in pairwise(edges)]
        assert list(parts_of(days, granularity)) == expected
    assert len(list(parts_of(days, Granularity.DAY))) == 14


def test_days_without_usage_are_parts_of_nothing() -> None:
    acme = organization()
    book(acme, "1", day=date(2023, 11, 2), model="a")
    book(acme, "2", day=date(2023, 11, 4), model="b")
    summary = asked(DayRange(NOVEMBER_1, date(2023, 11, 6)), group_by=("model",), granularity=Granularity.DAY)
    assert [figures.cost_usd for figures in summary.total.parts] == [0, 1, 0, 2, 0]
    assert [[figures.cost_usd for figures in one.parts] for one in summary.groups] == [[0, 0, 0, 2, 0], [0, 1, 0, 0, 0]]


@pytest.mark.parametrize(
    ("start", "end", "before"),
    [
        ("2023-11-16", "2023-11-18", "2023-11-14"),
        ("2023-11-01", "2023-12-01", "2023-10-01"),
        ("2024-03-01", "2024-04-01", "2024-02-01"),
        ("2024-01-01", "2024-02-01", "2023-12-01"),
        ("2024-01-01", "2024-04-01", "2023-10-01"),
        ("2024-01-01", "2025-01-01", "2023-01-01"),
        ("2023-11-01", "2023-11-21", "2023-10-12"),  # 20 days
        ("2023-11-02", "2023-12-01", "2023-10-04"),  # 29 days
        ("1970-01-01", "1970-02-01", "1969-12-01"),
    ],
)
def test_the_period_before_has_as_many_days_or_of_whole_months_as_many_months(
    start: str, end: str, before: str
) -> None:
    first, after = date.fromisoformat(start), date.fromisoformat(end)
    assert period_before(DayRange(first, after)) == DayRange(date.fromisoformat(before), first)


def test_only_the_sums_that_are_shown_are_read() -> None:
    acme = organization()
    book(acme, "1", input_tokens=5, output_tokens=2, latency_ms=30)
    figures = asked(figures=("avg_latency_ms",)).total.figures
    assert (figures.latency_ms, figures.timed_calls, figures.cost_usd, figures.input_tokens) == (30, 1, 1, 0)
    assert asked(figures=("total_tokens",)).total.figures.total_tokens == 7
    assert sums_of(["cost", "total_tokens"]) == ("cost_usd", "calls", "unpriced_calls", "input_tokens", "output_tokens")
    assert set(sums_of(SHOWN_FIGURES)) == set(Figures.__dataclass_fields__)


@pytest.mark.parametrize("group_by", [(), ("model",), ("project", "agent"), ("organization", "workflow")])
def test_a_summary_takes_one_query(group_by: tuple[str, ...], django_assert_num_queries: Callable[..., Any]) -> None:
    acme = organization()
    for number in range(9):
        bot = agent(acme, f"p{number % 3}/a{number}")
        book(acme, "1", model=f"m{number}", agent=bot, project=bot.project)
    with django_assert_num_queries(1):
        asked(
            group_by=group_by,
            granularity=Granularity.WEEK,
            limit=2,
            previous=DayRange(date(2023, 10, 1), NOVEMBER_1),
        )


@pytest.mark.parametrize(("models", "queries"), [(100, 1), (101, 2)])
def test_few_models_come_back_as_they_are_and_many_in_their_order(
    models: int, queries: int, django_assert_num_queries: Callable[..., Any]
) -> None:
    acme = organization()
    for number in range(models):
        book(acme, str(number), model=f"m{number:03}")
    with django_assert_num_queries(queries):
        summary = asked(group_by=("model",), granularity=Granularity.WEEK, limit=100)
    assert summary.total.figures.calls == models
    assert [group.names for group in summary.groups] == [(f"m{n:03}",) for n in range(models - 1, models - 101, -1)]
    assert summary.total.figures.cost_usd == Decimal(sum(range(models)))
    if models == 101:
        assert summary.other is not None
        assert (summary.other.figures.cost_usd, summary.other.figures.calls) == (0, 1)  # m000 costs nothing
    else:
        assert summary.other is None
    week = next(days for days, part in zip(summary.parts, summary.total.parts, strict=True) if part.calls)
    assert summary.total.parts[summary.parts.index(week)].cost_usd == summary.total.figures.cost_usd


def test_no_organization_at_all_gives_nothing() -> None:
    book(organization(), "1")
    question = SummaryQuestion(days=NOVEMBER, group_by=("model",))
    assert cost_summary(question, summaries_of(question.days, organizations=[])).total.figures == Figures()


def test_a_table_has_a_row_for_each_part_and_group_and_one_for_the_others() -> None:
    acme = organization()
    book(acme, "1", model="a", amount=7)
    book(acme, "4", model="b", day=date(2023, 11, 17), resource_type="gpu_seconds", amount=60)
    book(acme, None, model="c", day=date(2023, 11, 17))
    days = DayRange(date(2023, 11, 16), date(2023, 11, 18))
    columns, rows = summary_table(
        asked(days, group_by=("model",), granularity=Granularity.DAY, limit=2, figures=("cost", "calls"))
    )
    assert [(column.name, column.kind.value) for column in columns] == [
        ("start", "day"),
        ("end", "day"),
        ("model", "text"),
        ("cost", "decimal"),
        ("calls", "integer"),
    ]
    first, second, third = date(2023, 11, 16), date(2023, 11, 17), date(2023, 11, 18)
    assert [tuple(column.value(row) for column in columns) for row in rows] == [
        (first, second, "b", 0, 0),
        (first, second, "a", 1, 1),
        (first, second, None, 0, 0),
        (second, third, "b", 4, 1),
        (second, third, "a", 0, 0),
        (second, third, None, None, 1),
    ]


def test_a_table_without_groups_has_a_row_for_each_part() -> None:
    acme = organization()
    book(acme, "1")
    columns, rows = summary_table(asked(figures=("cost", "calls")))
    assert [column.name for column in columns] == ["start", "end", "cost", "calls"]
    assert [tuple(column.value(row) for column in columns) for row in rows] == [(NOVEMBER_1, DECEMBER_1, 1, 1)]


def test_amounts_of_several_resource_types_are_not_added_up_in_a_table() -> None:
    acme = organization()
    book(acme, "1", amount=7)
    book(acme, "4", resource_type="gpu_seconds", amount=60)
    book(acme, "0.5", resource_type="storage", amount=3)
    columns, rows = summary_table(asked(group_by=("resource_type",), limit=1, figures=("amount",)))
    assert [tuple(column.value(row) for column in columns[2:]) for row in rows] == [("gpu_seconds", 60), (None, None)]


def test_what_is_always_shown_leaves_out_the_amount_alone() -> None:
    assert set(SHOWN_FIGURES) - set(ALWAYS_SHOWN) == {"amount"}
