from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from costtrack.domain.periods import DayRange, day_range
from costtrack.exceptions import UnknownOrganization
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.events import build_event
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary, Organization, ResourceUsage
from costtrack.reporting.totals import UsageTotal, usage_totals
from tests.reporting.booked import NOVEMBER_16, agent, book, organization, void

pytestmark = pytest.mark.django_db


def shown(lines: tuple[UsageTotal, ...]) -> list[tuple[str, int, Decimal | None]]:
    return [(line.name, line.calls, line.cost_usd) for line in lines]


def test_totals_overall_by_agent_and_by_model() -> None:
    acme = organization()
    writer, critic = agent(acme, "web/writer"), agent(acme, "web/critic")
    of_writer = {"agent": writer, "project": writer.project}
    book(acme, "0.06", input_tokens=1000, output_tokens=500, latency_ms=300, **of_writer)
    book(acme, "0.002", input_tokens=1000, output_tokens=500, latency_ms=100, model="gpt-3.5-turbo", **of_writer)
    book(acme, "0.12", input_tokens=2000, output_tokens=1000, latency_ms=401, agent=critic, project=critic.project)
    book(acme, None, errors=1, input_tokens=7, output_tokens=3, model="mystery")
    totals = usage_totals()
    # 0.06 + 0.002 + 0.12 = 0.182; 1,000 + 1,000 + 2,000 + 7 = 4,007; 500 + 500 + 1,000 + 3 = 2,003;
    # (300 + 100 + 401) / 3 = 267: the fourth was not timed
    assert totals.overall == UsageTotal(
        name="",
        calls=4,
        errors=1,
        unpriced_calls=1,
        input_tokens=4007,
        output_tokens=2003,
        cost_usd=Decimal("0.182"),
        average_latency_ms=Decimal(267),
    )
    assert totals.overall.total_tokens == 6010
    assert totals.by_agent == (
        UsageTotal(
            name="acme/web/critic",
            calls=1,
            errors=0,
            unpriced_calls=0,
            input_tokens=2000,
            output_tokens=1000,
            cost_usd=Decimal("0.12"),
            average_latency_ms=Decimal(401),
        ),
        # 0.06 + 0.002 = 0.062; (300 + 100) / 2 = 200
        UsageTotal(
            name="acme/web/writer",
            calls=2,
            errors=0,
            unpriced_calls=0,
            input_tokens=2000,
            output_tokens=1000,
            cost_usd=Decimal("0.062"),
            average_latency_ms=Decimal(200),
        ),
        UsageTotal(
            name="",
            calls=1,
            errors=1,
            unpriced_calls=1,
            input_tokens=7,
            output_tokens=3,
            cost_usd=None,
            average_latency_ms=None,
        ),
    )
    # gpt-4: 0.06 + 0.12 = 0.18
    assert shown(totals.by_model) == [
        ("gpt-4", 2, Decimal("0.18")),
        ("gpt-3.5-turbo", 1, Decimal("0.002")),
        ("mystery", 1, None),
    ]
    # (300 + 401) / 2 = 350.5
    assert [line.average_latency_ms for line in totals.by_model] == [Decimal("350.5"), Decimal(100), None]
    assert isinstance(totals.overall.cost_usd, Decimal)


def test_equal_costs_are_sorted_by_name() -> None:
    acme = organization()
    for path in ("web/b", "web/a", "ops/z"):
        bot = agent(acme, path)
        book(acme, "1", agent=bot, project=bot.project, model=f"model-of-{path[-1]}")
    totals = usage_totals()
    assert [line.name for line in totals.by_agent] == ["acme/ops/z", "acme/web/a", "acme/web/b"]
    assert [line.name for line in totals.by_model] == ["model-of-a", "model-of-b", "model-of-z"]


def test_agents_of_one_name_stay_apart_and_each_argument_narrows() -> None:
    acme, globex = organization("acme"), organization("globex")
    bots = [agent(acme, "web/bot"), agent(acme, "ops/bot"), agent(globex, "web/bot")]
    for bot, cost in zip(bots, ("1", "2", "4"), strict=True):
        book(bot.project.organization, cost, agent=bot, project=bot.project)
    book(acme, "8", project=bots[0].project)
    book(acme, "16")
    assert shown(usage_totals().by_agent) == [
        ("", 2, Decimal(24)),
        ("globex/web/bot", 1, Decimal(4)),
        ("acme/ops/bot", 1, Decimal(2)),
        ("acme/web/bot", 1, Decimal(1)),
    ]
    assert usage_totals(organization=acme).overall.cost_usd == 27  # 1 + 2 + 8 + 16
    assert usage_totals(project=bots[0].project).overall.cost_usd == 9  # 1 + 8
    assert usage_totals(agent=bots[0]).overall.cost_usd == 1
    assert shown(usage_totals(agent=bots[0]).by_agent) == [("acme/web/bot", 1, Decimal(1))]
    assert usage_totals(organization=acme, project=bots[0].project, agent=bots[0]).overall.cost_usd == 1


def test_what_is_not_of_the_organization_is_not_in_its_totals() -> None:
    acme, globex = organization("acme"), organization("globex")
    bot = agent(globex, "web/bot")
    book(globex, "1", agent=bot, project=bot.project)
    for other in ({"project": bot.project}, {"agent": bot}):
        totals = usage_totals(organization=acme, **other)
        assert (totals.overall.calls, totals.by_agent, totals.by_model) == (0, (), ())


def test_days_are_half_open_and_without_them_it_is_everything() -> None:
    acme = organization()
    for day, cost in ((15, "1"), (16, "2"), (17, "4")):
        book(acme, cost, day=date(2023, 11, day))
    assert usage_totals(days=DayRange(date(2023, 11, 15), date(2023, 11, 17))).overall.cost_usd == 3
    assert usage_totals(days=day_range(date(2023, 11, 17))).overall.cost_usd == 4
    assert usage_totals().overall.cost_usd == 7


def test_no_usage_is_no_calls_no_cost_and_no_latency() -> None:
    totals = usage_totals()
    assert (totals.overall.calls, totals.overall.total_tokens, totals.overall.cost_usd) == (0, 0, Decimal(0))
    assert totals.overall.average_latency_ms is None
    assert (totals.by_agent, totals.by_model) == ((), ())


def test_a_cost_is_none_only_where_no_call_has_a_price() -> None:
    acme = organization()
    book(acme, None)
    assert usage_totals().overall.cost_usd is None
    book(acme, "0", cost_source="free")
    assert (usage_totals().overall.cost_usd, usage_totals().overall.unpriced_calls) == (Decimal(0), 1)


def test_the_average_latency_is_none_without_one_and_rounded_half_even() -> None:
    acme = organization()
    void(book(acme, "1", model="taken back"))
    book(acme, "1", model="unmeasured")
    for latency_ms in (100, 100, 200, None):
        book(acme, "1", model="measured", latency_ms=latency_ms)
    void(book(acme, "1", model="measured", latency_ms=9999))
    book(acme, "1", model="at once", latency_ms=0)
    for latency_ms in (1, *[0] * 7):
        book(acme, "1", model="eighth", latency_ms=latency_ms)
    # 400 / 3 = 133.333..., 1 / 8 = 0.125
    assert {line.name: line.average_latency_ms for line in usage_totals().by_model} == {
        "taken back": None,
        "unmeasured": None,
        "measured": Decimal("133.33"),
        "eighth": Decimal("0.12"),
        "at once": Decimal(0),
    }


def test_a_tool_is_told_by_its_name() -> None:
    acme = organization()
    book(acme, "0.03", model="", provider="pubmed", resource_type="api_call")
    book(acme, "0.01", model="", resource_type="gpu_seconds")
    assert shown(usage_totals().by_model) == [("pubmed", 1, Decimal("0.03")), ("gpu_seconds", 1, Decimal("0.01"))]


def test_all_of_it_is_one_query(django_assert_num_queries: Any) -> None:
    acme = organization()
    for path in ("web/a", "web/b", "ops/c"):
        bot = agent(acme, path)
        book(acme, "1", agent=bot, project=bot.project)
    with django_assert_num_queries(1):
        usage_totals(organization=acme, days=day_range(NOVEMBER_16))
    bot = type(bot).objects.get(pk=bot.pk)
    with django_assert_num_queries(1):
        usage_totals(agent=bot)


def test_pending_and_folded_rows_add_up_and_the_grains_do_not_double() -> None:
    acme = organization()
    bot = agent(acme, "web/bot")
    book(acme, "1", agent=bot, project=bot.project)
    folded = {"organization": acme, "day": NOVEMBER_16, "project": bot.project, "model": "gpt-4", "calls": 4}
    for grain, of in (("agent", {"agent": bot}), ("project", {})):
        DailyCostSummary.all_grains.create(
            grain=grain, dimensions_hash=uuid.uuid4(), cost_usd=Decimal("0.5"), **folded, **of
        )
    totals = usage_totals()
    assert shown((totals.overall,)) == [("", 5, Decimal("1.5"))]
    assert shown(totals.by_agent) == [("acme/web/bot", 5, Decimal("1.5"))]


def record(owner: Organization, at: str, cost: str) -> ResourceUsage:
    """A call of 1,000 tokens in and 500 out that took 250 ms."""
    event = build_event(
        organization=owner.slug,
        project="web",
        agent="bot",
        model="gpt-4",
        provider="openai",
        occurred_at=datetime.fromisoformat(at),
        input_tokens=1000,
        output_tokens=500,
        latency_ms=250,
        reported_cost_usd=cost,
        now=datetime(2023, 12, 1, tzinfo=UTC),
    )
    [result] = record_events([event])
    return ResourceUsage.objects.get(pk=result.usage_id)


def test_a_day_is_the_organizations_own_and_corrections_count_on_it_at_once() -> None:
    # 2023-11-05 in New York lasts from 04:00 UTC to 05:00 UTC of the next day.
    acme = organization("acme", "America/New_York")
    record(acme, "2023-11-05T03:59:59+00:00", "100")
    record(acme, "2023-11-05T04:00:00+00:00", "1")
    record(acme, "2023-11-06T04:59:59+00:00", "2")
    record(acme, "2023-11-06T05:00:00+00:00", "200")
    void_usage(record(acme, "2023-11-05T13:00:00+00:00", "50"), reason="a test")
    billed = record(acme, "2023-11-05T14:00:00+00:00", "4")
    adjust_usage(billed, reason="billed less", cost_usd=Decimal("-0.5"))
    totals = usage_totals(organization=acme, days=day_range(date(2023, 11, 5)))
    # 1 + 2 + (50 - 50) + (4 - 0.5) = 6.5 of 3 calls: 3 x 1,000 and 3 x 500 tokens, 3 x 250 / 3 ms
    assert totals.by_agent == (
        UsageTotal(
            name="acme/web/bot",
            calls=3,
            errors=0,
            unpriced_calls=0,
            input_tokens=3000,
            output_tokens=1500,
            cost_usd=Decimal("6.5"),
            average_latency_ms=Decimal(250),
        ),
    )
    assert shown((totals.overall,)) == [("", 3, Decimal("6.5"))]
    assert shown(totals.by_model) == [("gpt-4", 3, Decimal("6.5"))]


def test_an_organization_may_be_named_by_its_slug() -> None:
    book(organization(), "1")
    book(organization("globex"), "2")
    assert usage_totals(organization="globex").overall.cost_usd == Decimal(2)
    with pytest.raises(UnknownOrganization, match="nope"):
        usage_totals(organization="nope")
