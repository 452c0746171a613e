"""What usage would have cost on another model: figures worked by hand, read from summaries or from the ledger."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

import costtrack
from costtrack.aggregation import fold_pending
from costtrack.exceptions import RateNotFound, UnknownOrganization
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import Organization, RateTier
from costtrack.pricing.ratebook import forget_rates
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.what_if.comparison import WhatIf
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db
NOVEMBER = {"start": date(2026, 11, 1), "end": date(2026, 12, 1)}


@pytest.fixture(autouse=True)
def acme() -> Organization:
    owner = make_organization()
    make_rate()  # test-model: 3 and 15 per million
    make_rate("small-model", per_million=("1", "4"))
    return owner


def asked(**more: Any) -> WhatIf:
    return costtrack.what_if(**{**NOVEMBER, "model": "small-model", "provider": "openai", **more})


def test_the_same_tokens_on_another_model_are_summed_up_from_the_summaries() -> None:
    record_events([make_event(), make_event(2000, 300)])
    found = asked()
    # booked: 3000 x 3 + 400 x 15 = 15,000 per million; instead 3000 x 1 + 400 x 4 = 4,600
    assert (found.read_from, found.read_because) == ("summaries", "")
    assert (found.total.calls, found.total.input_tokens, found.total.output_tokens) == (2, 3000, 400)
    assert (found.total.booked_usd, found.total.what_if_usd) == (Decimal("0.015"), Decimal("0.0046"))
    assert found.total.difference_usd == Decimal("-0.0104")
    assert found.not_priced == ()
    [line] = found.models
    assert (line.provider, line.model, line.compared_calls) == ("openai", "test-model", 2)


def test_folded_or_not_the_answer_is_the_same() -> None:
    record_events([make_event(), make_event(model="small-model")])
    before = asked()
    fold_pending()
    assert asked() == before
    assert [line.model for line in before.models] == ["test-model", "small-model"]


def test_each_class_of_tokens_has_its_price() -> None:
    make_rate(
        "cached-model",
        per_million=("2", "8"),
        cache_read_usd_per_million=Decimal("0.2"),
        cache_write_usd_per_million=Decimal("2.5"),
        cache_write_1h_usd_per_million=Decimal(4),
        input_audio_usd_per_million=Decimal(10),
        reasoning_usd_per_million=Decimal(9),
        output_audio_usd_per_million=Decimal(20),
    )
    record_events(
        [
            make_event(
                10_000,
                1000,
                cache_read_tokens=4000,
                cache_write_tokens=3000,
                cache_write_1h_tokens=1000,
                input_audio_tokens=500,
                reasoning_tokens=200,
                output_audio_tokens=100,
            )
        ]
    )
    # input 1500 x 2 + 4000 x 0.2 + 3000 x 2.5 + 1000 x 4 + 500 x 10 = 3000 + 800 + 7500 + 4000 + 5000 = 20,300
    # output 700 x 8 + 200 x 9 + 100 x 20 = 5600 + 1800 + 2000 = 9,400
    assert asked(model="cached-model").total.what_if_usd == Decimal("0.0297")


def test_a_sum_past_a_threshold_is_not_a_request_past_it_so_the_ledger_is_read() -> None:
    rate = make_rate("long-model", per_million=("1", "4"))
    RateTier.objects.create(
        rate=rate, above_input_tokens=1500, input_usd_per_million=Decimal(2), output_usd_per_million=Decimal(6)
    )
    forget_rates()
    record_events([make_event(), make_event(1500, 100), make_event(1501, 100)])
    found = asked(model="long-model")
    assert found.read_from == "ledger"
    assert "long requests" in found.read_because
    # 1000 + 400 = 1400; at the threshold 1500 + 400 = 1900; above it 1501 x 2 + 100 x 6 = 3602: 6902 per million
    assert found.total.what_if_usd == Decimal("0.006902")


def test_prices_are_those_in_force_when_each_call_was_made_or_those_of_one_instant() -> None:
    make_rate("small-model", per_million=("0.5", "2"), effective_from=NOON)
    record_events([make_event(occurred_at=NOON - timedelta(seconds=1)), make_event(occurred_at=NOON)])
    found = asked()
    assert "changed within the period" in found.read_because
    # 1000 + 400 = 1400 before, 500 + 200 = 700 from noon on
    assert found.total.what_if_usd == Decimal("0.0021")
    assert asked(at=NOON).total.what_if_usd == Decimal("0.0014")
    assert asked(at=NOON - timedelta(days=1)).total.what_if_usd == Decimal("0.0028")
    assert asked(at=NOON).priced_at == NOON


def test_a_price_for_some_hours_of_the_day_holds_for_the_calls_in_them() -> None:
    make_rate("small-model", per_million=("0.1", "0.4"), window_start=time(22), window_end=time(2))
    hours = [time(21, 59, 59), time(22), time(23, 30), time(1, 59, 59, 999999), time(2)]
    record_events([make_event(occurred_at=datetime.combine(NOON.date(), hour, UTC)) for hour in hours])
    # two at 1400 per million by day, three at 140 by night
    assert asked().total.what_if_usd == Decimal("0.00322")


def test_a_call_keeps_its_service_tier() -> None:
    make_rate("small-model", per_million=("0.5", "2"), service_tier="batch")
    record_events([make_event(), make_event(service_tier="batch")])
    found = asked()
    assert "service tier" in found.read_because
    assert found.total.what_if_usd == Decimal("0.0021")  # 1400 + 700


def test_calls_that_can_not_be_priced_are_counted_and_listed_and_never_0() -> None:
    make_rate("embedder", per_million=("1", "1"), effective_from=NOON)
    record_events([make_event(occurred_at=NOON - timedelta(hours=1)), make_event(usage_missing=True), make_event()])
    found = asked(model="embedder")
    assert (found.total.calls, found.total.not_priced_calls, found.total.unpriced_calls) == (3, 2, 1)
    assert [(one.reason, one.calls, one.booked_usd) for one in found.not_priced] == [
        ("no_rate", 1, Decimal("0.0045")),
        ("usage_missing", 1, Decimal(0)),
    ]
    # one call has a cost on both sides: 1100 against 4500 per million
    assert (found.total.compared_calls, found.total.difference_usd) == (1, Decimal("-0.0034"))
    assert (found.total.booked_usd, found.total.what_if_usd) == (Decimal("0.009"), Decimal("0.0011"))


def test_a_model_without_a_price_for_output_prices_the_calls_that_have_none() -> None:
    rate = make_rate("input-only")
    type(rate).objects.filter(pk=rate.pk).update(output_usd_per_million=None)
    forget_rates()
    record_events([make_event(1000, 0), make_event(1000, 1)])
    found = asked(model="input-only")
    assert (found.total.what_if_usd, found.total.not_priced_calls) == (Decimal("0.003"), 1)
    assert found.not_priced[0].reason == "no_price_of_a_class"


def test_usage_that_was_unpriced_has_a_cost_instead_and_is_not_compared() -> None:
    record_events([make_event(model="house-model")])
    found = asked()
    assert (found.read_from, found.total.booked_usd, found.total.what_if_usd) == ("ledger", None, Decimal("0.0014"))
    assert (found.total.compared_calls, found.total.difference_usd) == (0, None)


def test_one_unpriced_call_among_priced_ones_of_its_model_is_not_compared() -> None:
    make_rate("late-model", effective_from=NOON)
    record_events([make_event(model="late-model", occurred_at=at) for at in (NOON - timedelta(hours=1), NOON)])
    found = asked()
    assert found.read_from == "ledger"
    # one of two has a cost on both sides: 1400 instead of 4500 per million
    assert (found.total.calls, found.total.compared_calls, found.total.unpriced_calls) == (2, 1, 1)
    assert (found.total.what_if_usd, found.total.difference_usd) == (Decimal("0.0028"), Decimal("-0.0031"))


def test_corrections_count_in_what_they_correct() -> None:
    [first, second, third] = record_events([make_event(), make_event(), make_event()])
    adjust_usage(first.usage_id or 0, reason="counted twice", cost_usd="-0.0015", input_tokens=-500)
    void_usage(second.usage_id or 0, reason="test call")
    assert third.usage_id
    found = asked()
    # 500 x 1 + 100 x 4 = 900 and 1400 instead of 0.003 and 0.0045
    assert (found.total.calls, found.total.input_tokens) == (2, 1500)
    assert (found.total.booked_usd, found.total.what_if_usd) == (Decimal("0.0075"), Decimal("0.0023"))
    make_rate("small-model", per_million=("1", "4"), service_tier="batch")
    by_ledger = asked()
    assert by_ledger.read_from == "ledger"
    assert (by_ledger.total, by_ledger.models) == (found.total, found.models)


def test_a_failed_call_that_used_nothing_pays_no_price_per_call() -> None:
    make_rate("per-call", per_million=("1", "4"), request_usd=Decimal("0.01"))
    record_events([make_event(), make_event(0, 0, outcome="error"), make_event(10, 0, outcome="error")])
    # 1400 + 10 per million, and twice 0.01
    assert asked(model="per-call").total.what_if_usd == Decimal("0.02141")


def test_a_reported_cost_is_compared_with_the_estimate() -> None:
    record_events([make_event(reported_cost_usd=Decimal("0.002"))])
    found = asked()
    assert (found.read_from, found.total.difference_usd) == ("ledger", Decimal("-0.0006"))


def test_only_the_days_in_the_organizations_zone_count_and_the_end_does_not() -> None:
    make_organization("tokyo", timezone="Asia/Tokyo")
    instants = [datetime(2026, 11, 19, 14, 59, tzinfo=UTC), datetime(2026, 11, 19, 15, tzinfo=UTC)]
    record_events([make_event(occurred_at=at, attribution={"organization": "tokyo"}) for at in instants])
    found = asked(start=date(2026, 11, 20), end=date(2026, 11, 21), organization="tokyo")
    assert found.total.calls == 1  # 00:00 of the 20th in Tokyo
    assert asked(start=date(2026, 11, 20), end=date(2026, 11, 20) + timedelta(days=1), organization="acme").models == ()


def test_another_organizations_usage_and_own_rates_are_none_of_it() -> None:
    other = make_organization("other")
    make_rate("small-model", per_million=("0.1", "0.4"), organization=other)
    make_rate("secret-model", per_million=("0.1", "0.4"), organization=other)
    record_events([make_event(), make_event(attribution={"organization": "other"})])
    assert asked(organization="acme").total.what_if_usd == Decimal("0.0014")
    assert asked(organization=other).total.what_if_usd == Decimal("0.00014")
    assert asked().total.what_if_usd == Decimal("0.00154")
    with pytest.raises(RateNotFound, match="secret-model"):
        asked(organization="acme", model="secret-model")


def test_a_scope_narrows_it() -> None:
    record_events(
        [
            make_event(attribution={"project": "website", "agent": "writer", "endpoint": "chat"}),
            make_event(attribution={"project": "website", "agent": "reader", "customer": "c1"}),
            make_event(attribution={"project": "app", "agent": "writer"}),
            make_event(model="small-model"),
        ]
    )
    scopes = {
        "project": {"project": "website"},
        "agent": {"agent": "writer"},
        "path": {"agent": "website/writer"},
        "endpoint": {"endpoint": "chat"},
        "model": {"model": "test-model"},
        "both": {"project": "website", "model": "small-model"},
        "customer": {"customer": "c1"},
    }
    counts = {text: asked(scope=scope).total.calls for text, scope in scopes.items()}
    assert counts == {"project": 2, "agent": 2, "path": 1, "endpoint": 1, "model": 3, "both": 0, "customer": 1}
    fold_pending()  # from here on a grain has an agent, or has not
    assert {text: asked(scope=scope).total.calls for text, scope in scopes.items()} == counts
    assert asked(scope={"customer": "c1"}).read_from == "ledger"


def test_a_project_or_agent_that_is_not_there_is_an_error_and_no_0() -> None:
    make_organization("globex")
    theirs = {"organization": "globex", "project": "theirs", "agent": "reader"}
    record_events([make_event(attribution={"project": "website", "agent": "a/b"}), make_event(attribution=theirs)])
    for known in ({"project": "website"}, {"agent": "a/b"}, {"agent": "website/a/b"}):
        assert asked(organization="acme", scope=known).total.calls == 1
    assert asked(scope={"agent": "theirs/reader"}).total.calls == 1
    for project in ("webiste", "theirs"):
        with pytest.raises(InvalidParameter, match=f"project: got '{project}', expected the slug of a project that"):
            asked(organization="acme", scope={"project": project})
    for agent in ("nobody", "theirs/reader", "reader"):
        with pytest.raises(InvalidParameter, match=f"agent: got '{agent}', expected an agent that exists, by its slug"):
            asked(organization="acme", scope={"agent": agent})
    with pytest.raises(InvalidParameter, match="an agent that exists in the project 'website', by its slug"):
        asked(scope={"project": "website", "agent": "reader"})


def test_without_another_model_or_card_the_rates_known_now_price_each_calls_own() -> None:
    make_rate(per_million=("2", "10"), effective_from=NOON)
    tool = make_event(0, 0, resource_type="api_call", provider="pubmed", model="", amount=Decimal(1))
    record_events([make_event(occurred_at=NOON - timedelta(hours=1)), make_event(), tool])
    assert asked(model="", provider="").total.difference_usd == 0
    # by the prices of noon twice 1000 x 2 + 100 x 10 = 3000 per million, instead of 4500 and 3000
    at_noon = asked(model="", provider="", at=NOON)
    assert (at_noon.total.what_if_usd, at_noon.total.difference_usd) == (Decimal("0.006"), Decimal("-0.0015"))
    assert [(one.model, one.reason) for one in at_noon.not_priced] == [("pubmed", "no_rate")]


def test_tools_are_not_moved_to_a_model() -> None:
    tool = make_event(0, 0, resource_type="api_call", provider="pubmed", model="", amount=Decimal(1))
    record_events([make_event(), tool])
    assert [line.model for line in asked().models] == ["test-model"]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"model": ""}, InvalidParameter, "provider: got 'openai', expected a model with it"),
        ({"model": "no-such-model"}, RateNotFound, "no-such-model"),
        ({"model": "x" * 201}, InvalidParameter, "1 to 200 characters"),
        ({"end": date(2026, 11, 1)}, InvalidParameter, "a day after start"),
        ({"start": NOON}, InvalidParameter, "start: got"),
        ({"organization": "nobody"}, UnknownOrganization, "nobody"),
        ({"scope": {"colour": "red"}}, InvalidParameter, "names of project, agent"),
        ({"scope": {"agent": 7}}, InvalidParameter, "agent: got 7, expected a text"),
        ({"scope": {"endpoint": "a\x00b"}}, InvalidParameter, "without NUL"),
        ({"at": datetime(2026, 11, 1)}, InvalidParameter, "an instant with its offset"),
    ],
)
def test_a_wrong_argument_is_named(wrong: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        asked(**wrong)
