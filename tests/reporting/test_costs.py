from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from costtrack.aggregation import fold_pending
from costtrack.domain.periods import DayRange, day_range
from costtrack.models import DailyCostSummary
from costtrack.models.summaries import GRAINS
from costtrack.reporting.costs import DIMENSIONS, breakdown_of, costs_by, top_agents, totals, trend
from tests.reporting.booked import NOVEMBER_16, agent, book, organization, void

pytestmark = pytest.mark.django_db

THE_DAY = day_range(NOVEMBER_16)


def shown(lines: Any) -> list[tuple[str, str]]:
    return [(line.name, str(line.figures.cost_usd.normalize())) for line in lines]


def test_totals_add_up_every_figure() -> None:
    acme = organization()
    book(acme, "0.06", input_tokens=1000, output_tokens=500, latency_ms=300, amount=1500)
    book(acme, "0.04", input_tokens=100, output_tokens=50, latency_ms=100, amount=150, cost_source="reported")
    book(acme, None, errors=1, saving_usd=Decimal("0.5"))
    figures = totals(THE_DAY)
    assert (figures.calls, figures.errors, figures.unpriced_calls) == (3, 1, 1)
    assert (figures.input_tokens, figures.output_tokens, figures.total_tokens) == (1100, 550, 1650)
    assert (figures.cost_usd, figures.cost_reported_usd, figures.cost_estimated_usd) == (
        Decimal("0.1"),
        Decimal("0.04"),
        Decimal("0.06"),
    )
    assert (figures.amount, figures.saving_usd, figures.latency_ms) == (1650, Decimal("0.5"), 400)
    assert isinstance(figures.cost_usd, Decimal)


def test_days_are_half_open() -> None:
    acme = organization()
    for day, cost in ((15, "1"), (16, "2"), (17, "4")):
        book(acme, cost, day=date(2023, 11, day))
    assert totals(DayRange(date(2023, 11, 15), date(2023, 11, 17))).cost_usd == 3


def test_no_usage_is_all_zeros() -> None:
    assert totals(THE_DAY).cost_usd == 0
    assert totals(THE_DAY).calls == 0
    assert costs_by("model", THE_DAY) == ()


def test_organizations_narrow_and_none_at_all_gives_nothing() -> None:
    acme, globex = organization("acme"), organization("globex")
    book(acme, "1")
    book(globex, "2")
    assert totals(THE_DAY).cost_usd == 3
    assert totals(THE_DAY, organizations=[globex]).cost_usd == 2
    assert totals(THE_DAY, organizations=[]).cost_usd == 0


def test_a_voided_call_is_gone_from_the_sums() -> None:
    acme = organization()
    book(acme, "1", input_tokens=10)
    void(book(acme, "2", input_tokens=20))
    figures = totals(THE_DAY)
    assert (figures.calls, figures.cost_usd, figures.input_tokens) == (1, 1, 10)


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ("model", [("gpt-4", "3"), ("gpt-3.5-turbo", "1")]),
        ("endpoint", [("generate", "3"), ("chat", "1")]),
        ("provider", [("openai", "4")]),
        ("resource_type", [("llm_tokens", "4")]),
        ("organization", [("globex", "3"), ("acme", "1")]),
        ("project", [("globex/web", "3"), ("acme/web", "1")]),
        ("agent", [("globex/web/bot", "3"), ("acme/web/bot", "1")]),
        ("sprint", [("", "3"), ("s1", "1")]),
        ("workflow", [("", "3"), ("w1", "1")]),
        ("day", [("2023-11-16", "1"), ("2023-11-17", "3")]),
    ],
)
def test_costs_by_every_dimension(dimension: str, expected: list[tuple[str, str]]) -> None:
    acme, globex = organization("acme"), organization("globex")
    bot, other = agent(acme, "web/bot"), agent(globex, "web/bot")
    common = {"provider": "openai"}
    book(acme, "1", agent=bot, project=bot.project, model="gpt-3.5-turbo", sprint="s1", workflow="w1", **common)
    book(
        globex,
        "3",
        day=date(2023, 11, 17),
        agent=other,
        project=other.project,
        model="gpt-4",
        endpoint="generate",
        **common,
    )
    assert shown(costs_by(dimension, DayRange(NOVEMBER_16, date(2023, 11, 18)))) == expected


def test_usage_without_a_model_is_told_by_its_provider_or_resource_type_and_equal_names_are_one_line() -> None:
    acme = organization()
    book(acme, "0.06")
    book(acme, "0.01", model="", provider="pubmed", resource_type="api_call", endpoint="search")
    book(acme, "0.02", model="", provider="pubmed", resource_type="web_search")
    book(acme, "0.04", model="pubmed", provider="us-nih")
    book(acme, "0.05", model="", resource_type="gpu_seconds")
    book(acme, "0.03", model="", resource_type="")
    # 0.01 + 0.02 + 0.04 = 0.07
    expected = [("pubmed", "0.07"), ("gpt-4", "0.06"), ("gpu_seconds", "0.05"), ("(none)", "0.03")]
    assert shown(costs_by("model", THE_DAY)) == expected
    assert shown(costs_by("model", THE_DAY, limit=2)) == expected[:2]
    assert shown(breakdown_of(THE_DAY).by_model) == expected
    assert shown(costs_by("provider", THE_DAY))[0] == ("", "0.14")


def test_every_dimension_takes_at_most_two_queries(django_assert_max_num_queries: Any) -> None:
    for dimension in DIMENSIONS:
        with django_assert_max_num_queries(2):
            costs_by(dimension, THE_DAY)


def test_an_unknown_dimension_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"dimension: got 'colour', expected one of day, organization"):
        costs_by("colour", THE_DAY)


def test_folded_and_pending_rows_add_up_and_the_grains_do_not_double() -> None:
    acme = organization()
    book(acme, "1")
    for grain in GRAINS:
        DailyCostSummary.all_grains.create(
            grain=grain,
            dimensions_hash=uuid.uuid4(),
            organization=None if grain == "site" else acme,
            day=NOVEMBER_16,
            model="gpt-4",
            calls=4,
            cost_usd=Decimal("0.5"),
        )
    assert totals(THE_DAY).cost_usd == totals(THE_DAY, organizations=[acme]).cost_usd == Decimal("1.5")
    assert shown(costs_by("model", THE_DAY)) == [("gpt-4", "1.5")]
    assert shown(costs_by("model", THE_DAY, organizations=[acme])) == [("gpt-4", "1.5")]
    assert shown(costs_by("endpoint", THE_DAY)) == [("chat", "1"), ("", "0.5")]
    assert shown(costs_by("sprint", THE_DAY)) == [("", "1.5")]


def test_the_grain_with_the_fewest_rows_answers_what_it_can() -> None:
    # The grains never differ; here they do, to tell which of them was read.
    bot = agent(organization(), "web/bot")
    acme, own = bot.project.organization, {"project": bot.project}
    for grain, cost in {"agent": "1", "project": "2", "model": "4", "org": "8", "site": "16"}.items():
        DailyCostSummary.all_grains.create(
            grain=grain,
            dimensions_hash=uuid.uuid4(),
            organization=None if grain == "site" else acme,
            day=NOVEMBER_16,
            cost_usd=Decimal(cost),
            **({"agent": bot, **own} if grain == "agent" else own if grain == "project" else {}),
        )

    def read(**limits: Any) -> dict[str, int]:
        return {name: int(costs_by(name, THE_DAY, **limits)[0].figures.cost_usd) for name in DIMENSIONS}

    fine = {"agent": 1, "sprint": 1, "workflow": 1, "project": 2, "endpoint": 2}
    assert read() == {**fine, "organization": 8, **dict.fromkeys(["day", "provider", "model", "resource_type"], 16)}
    assert read(organizations=[acme]) == {
        **fine,
        "model": 4,
        **dict.fromkeys(["day", "organization", "provider", "resource_type"], 8),
    }
    assert read(owner=bot.project) == {**dict.fromkeys(DIMENSIONS, 2), "agent": 1, "sprint": 1, "workflow": 1}
    assert read(owner=bot) == dict.fromkeys(DIMENSIONS, 1)
    assert [totals(THE_DAY).cost_usd, totals(THE_DAY, organizations=[acme]).cost_usd] == [16, 8]
    assert breakdown_of(THE_DAY).figures.cost_usd == 2
    for owner, cost in ((None, 8), (bot.project, 2), (bot, 1)):
        assert trend(THE_DAY, organizations=[acme], owner=owner)[0].figures.cost_usd == cost


def test_who_may_see_one_project_only_is_never_told_what_coarser_sums_hold() -> None:
    acme = organization()
    web, ops = agent(acme, "web/bot"), agent(acme, "ops/bot")
    book(acme, "1", agent=web, project=web.project)
    book(acme, "2", agent=ops, project=ops.project)
    book(organization("globex"), "4")
    for _ in ("pending", "folded"):
        for limits in ({"owner": web.project}, {"owner": web}):
            for within in (None, [acme]):
                asked: dict[str, Any] = {**limits, "organizations": within}
                assert all(
                    sum(line.figures.cost_usd for line in costs_by(name, THE_DAY, **asked)) == 1 for name in DIMENSIONS
                )
                assert trend(THE_DAY, **asked)[0].figures.cost_usd == 1
                assert breakdown_of(THE_DAY, **asked).figures.cost_usd == 1
        assert totals(THE_DAY, organizations=[acme]).cost_usd == 3
        assert totals(THE_DAY).cost_usd == 7
        fold_pending()


def test_the_breakdown_adds_up_to_its_total_in_one_query(django_assert_num_queries: Any) -> None:
    acme = organization()
    book(acme, "1")
    book(acme, "2", model="gpt-3.5-turbo")
    book(acme, "4", endpoint="generate")
    with django_assert_num_queries(1):
        whole = breakdown_of(THE_DAY)
    assert whole.figures.cost_usd == 7
    assert shown(whole.by_model) == [("gpt-4", "5"), ("gpt-3.5-turbo", "2")]
    assert shown(whole.by_endpoint) == [("generate", "4"), ("chat", "3")]


def test_a_trend_has_every_day_in_order(django_assert_num_queries: Any) -> None:
    acme = organization()
    book(acme, "1.25", day=date(2023, 11, 16))
    book(acme, "2", day=date(2023, 11, 18))
    with django_assert_num_queries(1):
        days = trend(DayRange(date(2023, 11, 16), date(2023, 11, 20)))
    assert [(each.day.day, each.figures.cost_usd) for each in days] == [
        (16, Decimal("1.25")),
        (17, 0),
        (18, 2),
        (19, 0),
    ]


def test_the_dearest_agents_come_first_and_the_limit_holds(django_assert_num_queries: Any) -> None:
    acme = organization()
    for path, cost in (("web/bot", "1"), ("web/critic", "3"), ("ops/watch", "2")):
        bot = agent(acme, path)
        book(acme, cost, agent=bot, project=bot.project)
    with django_assert_num_queries(2):
        lines = top_agents(THE_DAY, limit=2)
    assert shown(lines) == [("acme/web/critic", "3"), ("acme/ops/watch", "2")]


def test_sums_of_many_small_costs_are_exact() -> None:
    # 1,000 x 0.000000003 = 0.000003; a float sum would miss it by its last digits.
    acme = organization()
    DailyCostSummary.all_grains.bulk_create(
        DailyCostSummary(grain="pending", organization=acme, day=NOVEMBER_16, calls=1, cost_usd=Decimal("0.000000003"))
        for _ in range(1000)
    )
    assert totals(THE_DAY).cost_usd == Decimal("0.000003")
