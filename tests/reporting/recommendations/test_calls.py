"""Recommendations about LLM calls, each saving worked out by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import Organization, Project, ResourceUsage
from costtrack.reporting.recommendations import RecommendationKind, recommendations, savings_by_kind
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.reporting.recommendations.habits import DIGEST, NOVEMBER, book_calls, recommended

pytestmark = pytest.mark.django_db
CHEAPER, CACHING = RecommendationKind.CHEAPER_MODEL, RecommendationKind.PROMPT_CACHING
BATCH, FAILURES, RETRIES = RecommendationKind.BATCH, RecommendationKind.FAILURES, RecommendationKind.RETRIES


@pytest.fixture
def acme() -> Organization:
    owner = make_organization()
    make_rate("gpt-9", per_million=("3", "15"))
    return owner


def test_short_answers_of_a_dear_model_would_be_cheaper_from_its_next_smaller_sibling(acme: Organization) -> None:
    make_rate("gpt-9-mini", per_million=("1", "4"))
    make_rate("gpt-9-nano", per_million=("0.1", "0.4"))
    book_calls(20, 1000, 100, model="gpt-9")
    book_calls(5, 1000, 201, model="gpt-9")  # a long answer
    book_calls(5, 1000, 100, model="gpt-9", reasoning_tokens=1)
    book_calls(5, 1000, 0, model="gpt-9")  # an embedding answers nothing
    [found] = recommended(acme, CHEAPER)
    # 20 x (1000 x 3 + 100 x 15) = 90,000 per million booked, 20 x (1000 x 1 + 100 x 4) = 28,000 instead
    assert (found.calls, found.cost_usd, found.saving_usd) == (20, Decimal("0.09"), Decimal("0.062"))
    assert found.scope == {
        "organization": "acme",
        "project": "website",
        "agent": "writer",
        "endpoint": "digest",
        "provider": "openai",
        "model": "gpt-9",
        "target_model": "gpt-9-mini",
    }
    assert "$0.090000 - $0.028000 = $0.062000" in found.explanation
    assert "20,000 input and 2,000 output tokens" in found.explanation
    assert found.confidence == "medium"


def test_without_a_sibling_or_with_a_dearer_one_nothing_is_said(acme: Organization) -> None:
    book_calls(20, 1000, 100, model="gpt-9")
    make_rate("gpt-8-mini", per_million=("1", "4"))  # another version
    make_rate("gpt-9-mini", "another-maker", per_million=("1", "4"))
    assert recommended(acme, CHEAPER) == []
    make_rate("gpt-9-mini", per_million=("4", "16"))
    assert recommended(acme, CHEAPER) == []


def test_nineteen_calls_are_no_habit_and_a_voided_one_does_not_count(acme: Organization) -> None:
    make_rate("gpt-9-mini", per_million=("1", "4"))
    book_calls(20, 1000, 100, model="gpt-9")
    assert len(recommended(acme, CHEAPER)) == 1
    void_usage(ResourceUsage.objects.order_by("id")[0], reason="test call")
    assert recommended(acme, CHEAPER) == []
    book_calls(2, 1000, 100, model="gpt-9")
    adjust_usage(ResourceUsage.objects.order_by("id")[1], reason="fewer", input_tokens=-500, cost_usd="-0.0015")
    [found] = recommended(acme, CHEAPER)
    # 20 x 4,500 and 500 x 3 + 100 x 15 = 3,000 per million booked; 20 x 1,400 and 500 x 1 + 100 x 4 = 900 instead
    assert (found.calls, found.cost_usd, found.saving_usd) == (21, Decimal("0.093"), Decimal("0.0641"))


def test_long_prompts_that_are_never_cached_would_be_cheaper_with_a_cache(acme: Organization) -> None:
    make_rate(
        "claude-x",
        "anthropic",
        per_million=("3", "15"),
        cache_read_usd_per_million=Decimal("0.3"),
        cache_write_usd_per_million=Decimal("3.75"),
    )
    anthropic = {"provider": "anthropic", "model": "claude-x"}
    book_calls(24, 4096, 10, minutes=1, **anthropic)
    book_calls(1, 4096, 10, cache_read_tokens=1, **anthropic)
    book_calls(1, 2047, 10, **anthropic)
    book_calls(1, 4096, 10, outcome="error", **anthropic)
    [found] = recommended(acme, CACHING)
    # 24 minutes are 5 slots of 5 minutes. Half of 4096 is 2048. In each slot one call writes (0.75 more), the others
    # read (2.7 less): 2048 x (19 x 2.7 - 5 x 0.75) = 2048 x 47.55 = 97,382.4 per million
    assert (found.calls, found.saving_usd) == (24, Decimal("0.0973824"))
    assert "5 slots of 5 minutes; the smallest prompt had 4,096" in found.explanation
    assert "assumption" in found.condition
    assert found.confidence == "low"


def test_a_cache_is_priced_as_it_was_when_each_call_was_made(acme: Organization) -> None:
    make_rate("cached", per_million=("3", "15"), cache_read_usd_per_million=Decimal(1))
    half_past = NOON + timedelta(minutes=30)
    make_rate("cached", per_million=("5", "15"), cache_read_usd_per_million=Decimal(1), effective_from=half_past)
    book_calls(20, 4096, 10, minutes=2, model="cached")
    [found] = recommended(acme, CACHING)
    # 15 calls up to 12:28 in 6 slots: 9 read for 2 less; 5 from 12:30 on in 2 slots: 3 read for 4 less; writing costs
    # no more than plain input. 2048 x (18 + 12) = 61,440 per million
    assert (found.calls, found.saving_usd) == (20, Decimal("0.06144"))
    assert "8 slots of 5 minutes" in found.explanation


def test_a_model_without_a_cache_price_and_calls_of_nobody_are_left_alone(acme: Organization) -> None:
    make_rate("cached", per_million=("3", "15"), cache_read_usd_per_million=Decimal("0.3"))
    book_calls(24, 4096, 10, model="gpt-9")
    book_calls(24, 4096, 10, model="cached", attribution={"agent": "", "endpoint": ""})
    assert recommended(acme, CACHING) == []
    # slots with one call each only write: of the price of plain input, so nothing is saved
    book_calls(24, 4096, 10, minutes=5, model="cached")
    assert recommended(acme, CACHING) == []


def test_calls_that_nobody_waits_for_could_go_in_batches(acme: Organization) -> None:
    make_rate("gpt-9", per_million=("1.5", "7.5"), service_tier="batch")
    book_calls(20, 1000, 100, model="gpt-9")
    book_calls(20, 1000, 100, model="gpt-9", service_tier="batch")
    for person in ({"user": "7"}, {"thread_id": "t"}, {"customer": "c"}, {"request_id": "r"}):
        book_calls(20, 1000, 100, model="gpt-9", attribution={"endpoint": f"chat-{min(person)}", **person})
    [found] = recommended(acme, BATCH)
    # 20 x 4500 per million booked, 20 x 2250 in batches
    assert (found.scope["endpoint"], found.calls, found.saving_usd) == ("digest", 20, Decimal("0.045"))
    assert found.confidence == "low"


def test_which_endpoints_can_wait_may_be_named(acme: Organization) -> None:
    make_rate("gpt-9", per_million=("1.5", "7.5"), service_tier="batch")
    book_calls(20, 1000, 100, model="gpt-9", attribution={"endpoint": "mail", "customer": "c"})
    book_calls(20, 1000, 100, model="gpt-9")
    with override_settings(COSTTRACK={"BATCHABLE_ENDPOINTS": ["mail"]}):
        [found] = recommended(acme, BATCH)
    assert (found.scope["endpoint"], found.confidence) == ("mail", "medium")
    with override_settings(COSTTRACK={"BATCHABLE_ENDPOINTS": []}):
        assert recommended(acme, BATCH) == []


def test_a_reported_cost_above_the_standard_price_is_no_batch_price(acme: Organization) -> None:
    make_rate("gpt-8", per_million=("1", "4"), service_tier="batch")
    book_calls(20, 1000, 100, model="gpt-9", reported_cost_usd=Decimal(1))
    book_calls(20, 1000, 100, model="gpt-8", reported_cost_usd=Decimal("0.002"))
    # 20 x 0.002 booked, 20 x 1400 per million in batches
    assert [(one.scope["model"], one.saving_usd) for one in recommended(acme, BATCH)] == [("gpt-8", Decimal("0.012"))]


def test_failures_cost_what_they_are_booked_with(acme: Organization) -> None:
    failed = {"model": "gpt-9", "outcome": "error"}
    book_calls(3, 1000, 100, error_type="Timeout", **failed)
    book_calls(1, 1000, 0, **failed)
    book_calls(5, 0, 0, error_type="RateLimit", **failed)  # nothing used, nothing paid
    book_calls(1, 1000, 100, model="gpt-9")
    [found] = recommended(acme, FAILURES)
    # 3 x 4500 + 3000 = 16,500 per million
    assert (found.calls, found.cost_usd, found.saving_usd) == (4, Decimal("0.0165"), Decimal("0.0165"))
    assert "Most often: Timeout (3), an error without a type (1)." in found.explanation


def call_at(minute: float, *, failed: bool = False, **attribution: str) -> None:
    """One call of gpt-9 that costs 1000 x 3 + 100 x 15 = 4500 per million."""
    record_events(
        [
            make_event(
                1000,
                100,
                model="gpt-9",
                outcome="error" if failed else "success",
                error_type="Timeout" if failed else "",
                occurred_at=NOON + timedelta(minutes=minute),
                attribution={**DIGEST, **attribution},
            )
        ]
    )


@pytest.mark.parametrize("one", [{"thread_id": "t"}, {"entity_type": "job", "entity_id": "7"}])
def test_a_failed_call_that_is_followed_soon_by_another_of_its_thread_or_entity_was_tried_again(
    acme: Organization, one: dict[str, str]
) -> None:
    for minute in (0, 2, 10):  # the third is tried again to the second
        call_at(minute, failed=True, **one)
    call_at(20, **one)
    [found] = recommended(acme, RETRIES)
    assert (found.calls, found.cost_usd, found.saving_usd) == (3, Decimal("0.0135"), Decimal("0.0135"))
    assert "each was followed within 10 minutes by another call to the same model" in found.explanation
    assert "Most often: Timeout (3)." in found.explanation
    assert (found.confidence, found.scope["endpoint"]) == ("medium", "digest")
    assert recommended(acme, FAILURES) == []


def test_what_is_later_elsewhere_or_of_nobody_is_no_retry(acme: Organization) -> None:
    for number, other in enumerate(
        ({"thread_id": "t0"}, {"thread_id": "other"}, {"thread_id": "t2", "endpoint": "chat"}, {"thread_id": ""})
    ):
        call_at(0, failed=True, thread_id=f"t{number}" if other["thread_id"] else "")
        call_at(11 if number == 0 else 1, **other)
    assert recommended(acme, RETRIES) == []
    [found] = recommended(acme, FAILURES)
    assert (found.calls, found.saving_usd) == (4, Decimal("0.018"))


def test_a_retry_after_the_last_of_the_days_counts_and_one_of_another_organization_does_not(acme: Organization) -> None:
    make_organization("other")
    for owner in ("acme", "other"):
        for _ in range(3):
            call_at(60 * 12 - 1, failed=True, thread_id="t", organization=owner)
    call_at(60 * 12 + 1, thread_id="t")
    days = {"start": NOON.date(), "end": NOON.date() + timedelta(days=1)}
    assert [one.calls for one in recommendations(acme, **days) if one.kind == RETRIES] == [3]
    other = Organization.objects.get(slug="other")
    assert [one.kind for one in recommendations(other, **days)] == [FAILURES]


def test_the_ledger_is_asked_no_more_than_the_summaries_suggest(acme: Organization) -> None:
    def asked() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            recommendations(acme, **NOVEMBER)
        return [one["sql"] for one in captured if 'FROM "costtrack_resourceusage"' in one["sql"]]

    assert asked() == []
    book_calls(19, 1000, 100, model="gpt-9")  # no habit, no sibling, no price for a cache or a batch, no failure
    assert asked() == []
    make_rate("gpt-9-mini", per_million=("1", "4"))
    book_calls(1, 1000, 100, model="gpt-9")
    assert len(asked()) == 2  # the calls without corrections, and those with
    make_rate("gpt-9", per_million=("1.5", "7.5"), service_tier="batch")
    assert len(asked()) == 5  # and whether somebody waits
    book_calls(3, 1000, 100, model="gpt-9", outcome="error")
    assert len(asked()) == 7


def test_through_a_gateway_with_a_price_list_of_its_own_its_prices_count(acme: Organization) -> None:
    make_rate("gpt-9", "house", per_million=("6", "30"))
    make_rate("gpt-9-mini", "house", per_million=("0.5", "2"))
    make_rate("gpt-9-mini", per_million=("1", "4"))
    book_calls(20, 1000, 100, model="gpt-9", gateway="house")
    book_calls(20, 1000, 100, model="gpt-9", gateway="passes-on", attribution={"endpoint": "mail"})
    found = {one.scope["endpoint"]: one.saving_usd for one in recommended(acme, CHEAPER)}
    # By the gateway's list 20 x 9,000 against 20 x 700 per million; through one without a list 90,000 against 28,000.
    assert found == {"digest": Decimal("0.166"), "mail": Decimal("0.062")}


def test_less_than_a_cent_is_not_worth_it(acme: Organization) -> None:
    book_calls(2, 1000, 100, model="gpt-9", outcome="error")
    assert recommended(acme, FAILURES) == []  # 0.009
    book_calls(1, 1000, 0, model="gpt-9", outcome="error")
    assert [one.saving_usd for one in recommended(acme, FAILURES)] == [Decimal("0.012")]


def test_another_organization_another_project_and_other_days_are_none_of_it(acme: Organization) -> None:
    other = make_organization("other")
    book_calls(5, 1000, 100, model="gpt-9", outcome="error")
    book_calls(6, 1000, 100, model="gpt-9", outcome="error", attribution={"project": "app"})
    book_calls(7, 1000, 100, model="gpt-9", outcome="error", attribution={"organization": "other"})
    late = NOON + timedelta(days=11)  # 1 December
    record_events([make_event(model="gpt-9", outcome="error", occurred_at=late) for _ in range(9)])
    website = Project.objects.get(organization=acme, slug="website")
    assert [one.calls for one in recommended(acme, FAILURES)] == [6, 5]
    assert [one.calls for one in recommended(acme, FAILURES, project=website)] == [5]
    assert [one.calls for one in recommended(other, FAILURES)] == [7]


def test_an_organizations_own_sibling_price_is_nobody_elses(acme: Organization) -> None:
    other = make_organization("other")
    make_rate("gpt-9-mini", per_million=("1", "4"), organization=other)
    book_calls(20, 1000, 100, model="gpt-9")
    book_calls(20, 1000, 100, model="gpt-9", attribution={"organization": "other"})
    assert recommended(acme, CHEAPER) == []
    assert len(recommended(other, CHEAPER)) == 1


def test_the_largest_saving_comes_first_and_kinds_are_added_up_apart(acme: Organization) -> None:
    make_rate("gpt-9-mini", per_million=("1", "4"))
    make_rate("gpt-9", per_million=("1.5", "7.5"), service_tier="batch")
    book_calls(20, 1000, 100, model="gpt-9")
    book_calls(20, 1000, 100, model="gpt-9", attribution={"agent": "reader"})
    found = recommendations(acme, **NOVEMBER)
    assert [(one.kind, one.saving_usd) for one in found] == [
        (CHEAPER, Decimal("0.062")),
        (CHEAPER, Decimal("0.062")),
        (BATCH, Decimal("0.045")),
        (BATCH, Decimal("0.045")),
    ]
    assert savings_by_kind(found) == {CHEAPER: Decimal("0.124"), BATCH: Decimal("0.09")}


def test_a_period_that_ends_before_it_begins_is_refused(acme: Organization) -> None:
    with pytest.raises(ValueError, match="before it starts"):
        recommendations(acme, start=NOVEMBER["end"], end=NOVEMBER["start"])
