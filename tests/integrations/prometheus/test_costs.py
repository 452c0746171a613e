"""What is spent and used, how budgets stand and how metering fares, as Prometheus reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from prometheus_client import CollectorRegistry, generate_latest

from costtrack.aggregation.fold import fold_pending
from costtrack.integrations.prometheus import CostTrackCollector
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import ResourceUsage
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.integrations.prometheus.scraped import Samples, labels_of, samples_in, value

pytestmark = pytest.mark.django_db

ABOUT = {"organization": "acme", "project": "website"}
LABELS = {"organization": "acme", "project": "website", "provider": "openai", "model": "test-model"}


def scraped(at: datetime = NOON) -> Samples:
    registry = CollectorRegistry()
    registry.register(CostTrackCollector())
    with time_machine.travel(at, tick=False):
        return samples_in(generate_latest(registry).decode())


def used(*, at: datetime = NOON, **fields: Any) -> None:
    about = {**ABOUT, **fields.pop("attribution", {})}
    record_events([make_event(occurred_at=at, attribution=about, **fields)])


def test_costs_tokens_and_calls_of_the_month_by_organization_project_and_model() -> None:
    make_rate(cache_read_usd_per_million=Decimal("0.3"))
    make_organization()
    used(cache_read_tokens=400, reasoning_tokens=60)  # 600 x 3 + 400 x 0.3 + 100 x 15 = 3,420 per million
    used(cache_write_tokens=5, cache_write_1h_tokens=7, outcome="error")
    used(model="unheard-of")
    fold_pending()
    used()  # 1000 x 3 + 100 x 15 = 4,500 per million, and not folded yet
    found = scraped()
    cost = value(found, "api_cost_usd_total", **LABELS)
    written = ResourceUsage.objects.get(cache_write_tokens=5).cost_usd
    assert cost == pytest.approx(0.00342 + 0.0045 + float(written), abs=1e-9)
    tokens = {
        kind: value(found, "api_tokens_total", **LABELS, type=kind)
        for kind in ("input", "output", "cache_read", "cache_write", "reasoning")
    }
    assert tokens == {"input": 3000, "output": 300, "cache_read": 400, "cache_write": 12, "reasoning": 60}
    assert value(found, "costtrack_calls_total", **LABELS) == 3
    assert value(found, "costtrack_call_errors_total", **LABELS) == 1
    unheard = {**LABELS, "model": "unheard-of"}
    assert value(found, "costtrack_unpriced_calls", **unheard) == 1
    assert value(found, "api_cost_usd_total", **unheard) == 0


def test_no_label_tells_an_agent_a_user_or_a_thread() -> None:
    make_rate()
    make_organization()
    used(attribution={"agent": "writer", "user": "u-9", "thread_id": "t-1", "customer": "c-5"})
    text = str(scraped())
    assert "website" in text
    assert not any(secret in text for secret in ("writer", "u-9", "t-1", "c-5"))


def test_a_counter_does_not_fall_when_usage_is_taken_back() -> None:
    make_rate()
    make_organization()
    used()
    used()
    first, second = ResourceUsage.objects.order_by("id")
    before = value(scraped(), "api_cost_usd_total", **LABELS)
    void_usage(first, reason="twice")
    adjust_usage(second, cost_usd=Decimal("-0.001"), reason="a rebate")
    found = scraped()
    assert value(found, "api_cost_usd_total", **LABELS) == pytest.approx(0.009, abs=1e-9) == before
    assert value(found, "costtrack_reductions_usd_total", **LABELS) == pytest.approx(0.0055, abs=1e-9)  # 0.0045 + 0.001
    assert value(found, "api_tokens_total", **LABELS, type="input") == 2000
    assert value(found, "costtrack_calls_total", **LABELS) == 2
    fold_pending()
    assert value(scraped(), "api_cost_usd_total", **LABELS) == pytest.approx(0.009, abs=1e-9)


def test_counters_begin_anew_with_each_organizations_own_month() -> None:
    make_rate()
    make_organization("acme")
    make_organization("sydney", timezone="Australia/Sydney")  # UTC+11 in November
    for slug in ("acme", "sydney"):
        used(at=datetime(2026, 11, 20, 12, tzinfo=UTC), attribution={"organization": slug})
    last_evening = datetime(2026, 11, 30, 20, tzinfo=UTC)
    used(at=datetime(2026, 11, 30, 19, tzinfo=UTC), attribution={"organization": "sydney"})  # December 1, 06:00 there
    found = scraped(last_evening)
    sydney = {**LABELS, "organization": "sydney"}
    assert value(found, "api_cost_usd_total", **LABELS) == pytest.approx(0.0045, abs=1e-9)
    assert value(found, "costtrack_calls_total", **sydney) == 1
    assert labels_of(scraped(datetime(2026, 12, 1, tzinfo=UTC)), "api_cost_usd_total") == [sydney]


def test_past_the_cap_the_rest_of_an_organization_is_one_series_and_none_changes_its_place(settings: Any) -> None:
    settings.COSTTRACK = {"TRANSPORT": "inline", "METRICS_MAX_SERIES": 2}
    make_rate("a")
    make_rate("dear", per_million=("300", "1500"))
    make_organization()
    used(model="a", at=datetime(2026, 11, 1, tzinfo=UTC))
    used(model="b", at=datetime(2026, 11, 2, tzinfo=UTC))
    used(model="dear", at=datetime(2026, 11, 3, tzinfo=UTC))
    used(model="0-newest", at=datetime(2026, 11, 4, tzinfo=UTC))
    found = scraped()
    models = {labels["model"]: labels for labels in labels_of(found, "costtrack_calls_total")}
    assert sorted(models) == ["a", "b", "other"]
    assert models["other"] == {"organization": "acme", "project": "other", "provider": "other", "model": "other"}
    assert value(found, "costtrack_calls_total", **models["other"]) == 2
    assert value(found, "api_cost_usd_total", **models["other"]) == pytest.approx(
        0.45, abs=1e-9
    )  # 1000 x 300 + 100 x 1500


def test_budgets_tell_limit_spent_and_held() -> None:
    make_rate()
    acme = make_organization()
    budget = make_budget(acme, "1", name="A day")
    endless = make_budget(acme, None, metric="calls", period="month", enforcement="soft")
    make_budget(acme, "1", per="thread")
    used()
    hold("0.1")
    found = scraped()
    common = {"organization": "acme", "budget": budget.pk, "name": "A day"}
    labels = {**common, "metric": "cost_usd", "period": "day", "enforcement": "hard"}
    assert value(found, "costtrack_budget_limit", **labels) == 1
    assert value(found, "costtrack_budget_spent", **labels) == pytest.approx(0.0045, abs=1e-9)
    assert value(found, "costtrack_budget_held", **labels) == pytest.approx(0.1, abs=1e-9)
    others = [one for one in labels_of(found, "costtrack_budget_spent") if one["budget"] != str(budget.pk)]
    assert [(one["budget"], one["metric"]) for one in others] == [(str(endless.pk), "calls")]
    assert len(labels_of(found, "costtrack_budget_limit")) == 1


def test_an_empty_site_has_all_metrics_of_metering() -> None:
    found = scraped()
    assert value(found, "costtrack_database_up") == 1
    assert value(found, "costtrack_spool_unflushed_bytes") == 0
    assert value(found, "costtrack_dead_letters") == 0
    assert value(found, "costtrack_flush_errors_total") >= 0
    assert value(found, "costtrack_spool_events_total", outcome="recorded") >= 0
    assert value(found, "costtrack_spool_segments", kind="orphaned") == 0
    for part in ("costs", "budgets", "metering", "requests"):
        assert value(found, "costtrack_collect_failures", part=part) == 0


def test_a_part_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(**_: Any) -> Any:
        raise OSError("away")

    monkeypatch.setattr("costtrack.integrations.prometheus.collector.collect_costs", fail)
    found = scraped()
    assert value(found, "costtrack_collect_failures", part="costs") == 1
    assert value(found, "costtrack_database_up") == 1
    assert "The metrics of costs can not be collected" in caplog.text


def test_a_host_s_registry_takes_it_before_there_is_a_database_and_beside_metrics_of_its_own() -> None:
    registry = CollectorRegistry(auto_describe=True)
    with CaptureQueriesContext(connection) as asked:
        registry.register(CostTrackCollector(requests=False))
    assert len(asked) == 0
    text = generate_latest(registry).decode()
    assert "api_cost_usd_total" in text
    assert "api_requests_total" not in text
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(CostTrackCollector(requests=False))


def test_a_scrape_asks_as_often_whatever_there_is() -> None:
    make_rate()
    for slug in ("acme", "globex", "initech"):
        make_organization(slug)
        used(attribution={"organization": slug})
    fold_pending()
    with CaptureQueriesContext(connection) as before:
        scraped()
    for number in range(20):
        used(model=f"m{number}", attribution={"project": f"p{number}"})
    with CaptureQueriesContext(connection) as after:
        scraped()
    assert len(after) == len(before)
