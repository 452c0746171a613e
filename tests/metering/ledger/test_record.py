from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from costtrack.domain.events import Attribution, CostSource
from costtrack.domain.tokens import TokenUsage
from costtrack.metering.ledger import RecordStatus, record_events
from costtrack.models import Agent, DailyCostSummary, Organization, Project, Rate, ResourceUsage, UsageKey
from costtrack.pricing.ratebook import current_ratebook
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def acme() -> Organization:
    make_rate()
    return make_organization()


def statuses(results: list) -> list[str]:
    return [str(result.status) for result in results]


def test_a_call_is_booked_with_its_exact_cost_and_rate() -> None:
    [result] = record_events([make_event(1234, 567)])
    # 1234 x 3 + 567 x 15 = 3702 + 8505 = 12207 per million
    assert result.status == RecordStatus.RECORDED
    assert result.cost_usd == Decimal("0.012207")
    row = ResourceUsage.objects.get(id=result.usage_id)
    assert row.cost_usd == Decimal("0.012207")
    assert row.cost_source == CostSource.ESTIMATED
    assert (row.calls, row.errors, row.unpriced_calls) == (1, 0, 0)
    assert (row.input_tokens, row.output_tokens, row.amount) == (1234, 567, 1801)
    assert row.rate == Rate.objects.get()
    assert row.day == date(2026, 11, 20)


def test_every_attribution_column_is_stored() -> None:
    attribution = {
        "project": "website",
        "agent": "writer",
        "sprint": "s1",
        "workflow": "w1",
        "stage": "draft",
        "thread_id": "t1",
        "request_id": "r1",
        "entity_type": "hypothesis",
        "entity_id": "h-1",
        "endpoint": "summarize",
        "customer": "c1",
        "user": "42",
        "run": "run-9",
        "tags": {"env": "prod"},
    }
    record_events([make_event(attribution=attribution, metadata={"finish_reason": "stop"})])
    row = ResourceUsage.objects.select_related("project", "agent").get()
    assert row.project.slug == "website"
    assert row.agent.slug == "writer"
    for name in attribution.keys() - {"project", "agent"}:
        assert getattr(row, name) == attribution[name], name
    assert row.metadata == {"finish_reason": "stop"}


TEXTS = [
    "tab\there",
    "line\nbreak",
    "carriage\rreturn",
    "back\\slash",
    "\\N",
    "a\\Nb",
    "\\.",
    "None",
    "ünïcödé 🙂",
    '"',
]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    record_events([make_event(attribution={"endpoint": text, "tags": {"k": text}}, metadata={"k": [text]})])
    row = ResourceUsage.objects.get()
    assert row.endpoint == text
    assert row.tags == {"k": text}
    assert row.metadata == {"k": [text]}


def test_the_same_key_with_the_same_usage_is_charged_once() -> None:
    event = make_event(key="k")
    [first] = record_events([event])
    later = dataclasses.replace(
        event,
        occurred_at=NOON + timedelta(hours=1),
        latency_ms=9,
        attribution=Attribution(organization="acme", endpoint="other"),
    )
    [again] = record_events([later])
    assert again.status == RecordStatus.DUPLICATE
    assert (again.usage_id, again.cost_usd, again.day) == (first.usage_id, Decimal("0.0045"), first.day)
    assert ResourceUsage.objects.count() == UsageKey.objects.count() == 1


def test_the_same_key_with_other_usage_is_a_conflict_and_the_first_stands() -> None:
    record_events([make_event(key="k")])
    [result] = record_events([make_event(2000, key="k")])
    assert result.status == RecordStatus.CONFLICT
    assert "used before for different usage" in result.reason
    assert ResourceUsage.objects.get().input_tokens == 1000


def test_two_captures_of_one_provider_id_are_one_charge_never_a_conflict() -> None:
    record_events([make_event(key="openai:chatcmpl-1", key_from_provider=True)])
    [result] = record_events([make_event(999, key="openai:chatcmpl-1", key_from_provider=True)])
    assert result.status == RecordStatus.DUPLICATE


def test_a_key_that_comes_twice_in_one_batch_is_charged_once() -> None:
    event = make_event(key="k")
    assert statuses(record_events([event, event, make_event(7, key="k")])) == ["recorded", "duplicate", "conflict"]
    assert ResourceUsage.objects.count() == 1


def test_the_same_key_in_two_organizations_is_two_charges() -> None:
    make_organization("globex")
    results = record_events([make_event(key="k"), make_event(key="k", attribution={"organization": "globex"})])
    assert statuses(results) == ["recorded", "recorded"]


def test_an_unknown_organization_is_rejected_and_the_rest_lands() -> None:
    results = record_events([make_event(), make_event(attribution={"organization": "acmee"}), make_event()])
    assert statuses(results) == ["recorded", "rejected", "recorded"]
    assert "'acmee' does not exist" in results[1].reason
    assert Organization.objects.count() == 1


def test_without_an_organization_usage_belongs_to_the_default_one_which_appears() -> None:
    [result] = record_events([make_event(attribution={"organization": ""})])
    assert result.status == RecordStatus.RECORDED
    assert ResourceUsage.objects.select_related("organization").get().organization.slug == "default"


def test_projects_and_agents_appear_on_first_use_once() -> None:
    record_events([make_event(attribution={"project": "p", "agent": "a"}) for _ in range(3)])
    record_events([make_event(attribution={"project": "p", "agent": "b"}), make_event(attribution={"agent": "a"})])
    assert sorted(Project.objects.values_list("slug", flat=True)) == ["default", "p"]
    assert sorted(Agent.objects.values_list("project__slug", "slug")) == [("default", "a"), ("p", "a"), ("p", "b")]


def test_past_the_cap_usage_lands_on_the_parent_and_keeps_the_name(settings) -> None:
    settings.COSTTRACK = {"MAX_PROJECTS": 1, "MAX_AGENTS": 1}
    record_events([make_event(attribution={"project": "p1", "agent": "a1"})])
    record_events([make_event(attribution={"project": "p1", "agent": "a2"}), make_event(attribution={"project": "p2"})])
    over_agents, over_projects = ResourceUsage.objects.order_by("id")[1:]
    rows = sorted([over_agents, over_projects], key=lambda row: row.project_id is None)
    assert (rows[0].project.slug, rows[0].agent, rows[0].metadata) == ("p1", None, {"_agent_over_cap": "a2"})
    assert (rows[1].project, rows[1].metadata) == (None, {"_project_over_cap": "p2"})


def test_an_unknown_model_is_unpriced_never_zero() -> None:
    [result] = record_events([make_event(model="no-such-model")])
    assert (result.cost_usd, result.cost_source) == (None, CostSource.UNPRICED)
    row = ResourceUsage.objects.get()
    assert (row.cost_usd, row.unpriced_calls) == (None, 1)
    summary = DailyCostSummary.objects.get()
    assert (summary.cost_usd, summary.unpriced_calls, summary.calls) == (0, 1, 1)


def test_a_reported_cost_wins_over_the_rate_and_is_summed_as_reported() -> None:
    record_events([make_event(reported_cost_usd=Decimal("0.000123456789")), make_event()])
    summary = DailyCostSummary.objects.get()
    assert summary.cost_reported_usd == Decimal("0.000123456789")
    assert summary.cost_estimated_usd == Decimal("0.0045")
    assert summary.cost_usd == Decimal("0.004623456789")


def test_the_day_is_the_organizations_local_date() -> None:
    make_organization("kolkata", timezone="Asia/Kolkata")
    event = make_event(attribution={"organization": "kolkata"}, occurred_at=datetime(2026, 11, 20, 18, 30, tzinfo=UTC))
    [result] = record_events([event])
    assert result.day == date(2026, 11, 21)  # 18:30 UTC is 00:00 in Kolkata


def test_a_change_of_zone_takes_effect_at_the_next_midnight() -> None:
    organization = make_organization("moving")
    organization.change_timezone("Asia/Tokyo", now=datetime(2026, 11, 20, 10, tzinfo=UTC))

    def day_of(hour: int, day: int = 20) -> date | None:
        at = datetime(2026, 11, day, hour, tzinfo=UTC)
        return record_events([make_event(attribution={"organization": "moving"}, occurred_at=at)])[0].day

    assert day_of(9) == date(2026, 11, 20)
    assert day_of(23) == date(2026, 11, 20)  # still UTC until midnight, though it is the 21st in Tokyo
    assert day_of(0, 21) == date(2026, 11, 21)
    assert day_of(16, 21) == date(2026, 11, 22)  # 01:00 of the 22nd in Tokyo


def test_a_row_that_the_database_refuses_is_rejected_alone(caplog) -> None:
    events = [make_event() for _ in range(20)]
    events[7] = make_event(latency_ms=-5)
    events[13] = make_event(amount=Decimal(-1))
    results = record_events(events)
    assert [index for index, result in enumerate(results) if result.status == RecordStatus.REJECTED] == [7, 13]
    assert "costtrack_usage_latency_gte_0" in results[7].reason
    assert "costtrack_usage_amount_gte_0" in caplog.text
    assert ResourceUsage.objects.count() == 18
    assert sum(summary.calls for summary in DailyCostSummary.objects.all()) == 18


def test_a_batch_of_more_than_a_thousand_lands_whole() -> None:
    results = record_events([make_event() for _ in range(2300)])
    assert statuses(results) == ["recorded"] * 2300
    # 2300 x 0.0045
    assert sum((s.cost_usd for s in DailyCostSummary.objects.all()), Decimal(0)) == Decimal("10.35")


def test_a_rate_that_priced_usage_is_marked_used() -> None:
    other = make_rate("other-model")
    record_events([make_event()])
    used = {rate.model: rate.is_used for rate in Rate.objects.all()}
    assert used == {"test-model": True, other.model: False}


def test_a_rate_edited_after_it_was_read_prices_at_its_new_figures() -> None:
    current_ratebook()  # read 3 / 15
    rate = Rate.objects.get()
    rate.input_usd_per_million = Decimal(6)
    rate.save()
    [result] = record_events([make_event()])
    # 1000 x 6 + 100 x 15 = 7500 per million
    assert result.cost_usd == Decimal("0.0075")


def test_a_batch_takes_few_queries_whatever_its_size(django_assert_max_num_queries) -> None:
    record_events([make_event(attribution={"project": "p", "agent": "a"})])
    with django_assert_max_num_queries(14):
        record_events([make_event(attribution={"project": "p", "agent": "a"}) for _ in range(500)])


def test_audio_cache_and_reasoning_tokens_reach_ledger_and_summary() -> None:
    tokens = {
        "cache_read_tokens": 100,
        "cache_write_tokens": 50,
        "cache_write_1h_tokens": 25,
        "input_audio_tokens": 10,
        "reasoning_tokens": 40,
        "output_audio_tokens": 5,
    }
    record_events([make_event(**tokens)])
    for row in (ResourceUsage.objects.get(), DailyCostSummary.objects.get()):
        assert {name: getattr(row, name) for name in tokens} == tokens


def test_a_part_above_its_whole_is_refused_by_the_database_too() -> None:
    tokens = TokenUsage(input_tokens=10)
    object.__setattr__(tokens, "cache_read_tokens", 11)  # past TokenUsage's own check
    [result] = record_events([dataclasses.replace(make_event(), tokens=tokens)])
    assert result.status == RecordStatus.REJECTED
    assert "costtrack_usage_parts_within_whole" in result.reason
