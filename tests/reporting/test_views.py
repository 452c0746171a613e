"""The views for BI tools: figures worked by hand, folded or not, corrections included; and they come and go cleanly."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.state import ProjectState
from django.db.models import CharField
from django.db.utils import DatabaseError

from costtrack.budgets.changes import change_budget
from costtrack.domain.money import decimal_from_database, plain
from costtrack.metering.corrections import adjust_usage, price_again, void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, Organization, Project
from costtrack.pricing.ratebook import current_ratebook
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_event, make_organization, make_rate
from tests.reporting.booked import book, organization, void

pytestmark = pytest.mark.django_db

views = import_module("costtrack.migrations.0011_views")
MONEY = ("cost_usd", "cost_reported_usd", "cost_estimated_usd", "saving_usd", "amount", "limit", "spent", "held")
MONEY += ("leased", "remaining", "percent")


def rows_of(view: str, *columns: str, where: str = "") -> list[tuple[Any, ...]]:
    """Money as Decimals without zeros at their ends, days as text; in the order of the columns."""
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {names} FROM {view} {where} ORDER BY {names}")
        found = cursor.fetchall()
    return [tuple(_shown(column, value) for column, value in zip(columns, row, strict=True)) for row in found]


def _shown(column: str, value: Any) -> Any:
    if column in MONEY and value is not None:
        return plain(decimal_from_database(value))
    return str(value) if column in ("day", "first_day", "last_day") else value


@pytest.fixture(params=["pending", "folded"])
def settle(request: pytest.FixtureRequest) -> Any:
    """What a test calls before it reads: summaries stay pending, or are folded."""
    return (lambda: call_command("aggregate_costs")) if request.param == "folded" else (lambda: None)


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


def record(**fields: Any) -> int:
    (result,) = record_events([make_event(**fields)])
    assert result.usage_id
    return result.usage_id


def of(kind: str, name: str) -> dict[str, str]:
    return {"entity_type": kind, "entity_id": name}


def test_tokens_per_entity_are_those_of_the_ledger_with_its_corrections(acme: Organization) -> None:
    record(attribution=of("analysis", "a1"))
    record(attribution=of("analysis", "a1"), occurred_at=NOON - timedelta(days=2))
    adjust_usage(record(attribution=of("analysis", "a2")), reason="invoice", input_tokens=-200, cost_usd="-0.0006")
    void_usage(record(attribution=of("hypothesis", "h1")), reason="double import")
    record(attribution=of("job", "j1"), outcome="error")
    record()
    columns = ("entity_type", "entity_id", "calls", "input_tokens", "output_tokens", "total_tokens", "cost_usd")
    zero = Decimal(0)
    assert rows_of("costtrack_v_tokens_per_entity", *columns) == [
        ("analysis", "a1", 2, 2000, 200, 2200, Decimal("0.009")),  # 2 x (1000 x 3 + 100 x 15) / 1,000,000
        ("analysis", "a2", 1, 800, 100, 900, Decimal("0.0039")),  # 0.0045 - 0.0006
        ("hypothesis", "h1", 0, 0, 0, 0, zero),
        ("job", "j1", 1, 1000, 100, 1100, Decimal("0.0045")),
    ]
    days = ("first_day", "last_day", "errors")
    assert rows_of("costtrack_v_tokens_per_entity", *days, where="WHERE entity_id = 'a1'") == [
        ("2026-11-18", "2026-11-20", 0)
    ]
    assert rows_of("costtrack_v_tokens_per_entity", *days, where="WHERE entity_id = 'j1'") == [
        ("2026-11-20", "2026-11-20", 1)
    ]


def test_analyses_and_hypotheses_have_views_of_their_own(acme: Organization) -> None:
    record(attribution=of("analysis", "a1"))
    record(attribution=of("hypothesis", "h1"))
    record(attribution=of("hypothesis", "h1"))
    record(attribution=of("job", "j1"))
    columns = ("organization", "total_tokens", "cost_usd")
    assert rows_of("costtrack_v_tokens_per_analysis", "analysis_id", *columns) == [
        ("a1", "acme", 1100, Decimal("0.0045"))
    ]
    assert rows_of("costtrack_v_tokens_per_hypothesis", "hypothesis_id", *columns) == [
        ("h1", "acme", 2200, Decimal("0.009"))
    ]


def test_an_unknown_price_is_null_until_it_arrives(acme: Organization, settle: Any) -> None:
    late = record(model="unknown", attribution=of("job", "late"))
    record(model="unknown", attribution=of("job", "never"))
    voided = record(model="unknown", attribution=of("job", "voided"))
    void_usage(voided, reason="test traffic")
    settle()
    columns = ("entity_id", "cost_usd", "unpriced_calls")
    assert rows_of("costtrack_v_tokens_per_entity", *columns) == [
        ("late", None, 1),
        ("never", None, 1),
        ("voided", Decimal(0), 0),
    ]
    assert rows_of("costtrack_v_cost_per_day", "day", "cost_usd", "unpriced_calls") == [("2026-11-20", None, 2)]
    rate, prices = make_rate("unknown"), current_ratebook()
    price_again(late, cost_usd=Decimal("0.0045"), booked_usd=None, rate_id=rate.id, book=prices, reason="rate arrived")
    settle()
    assert rows_of("costtrack_v_tokens_per_entity", *columns)[0] == ("late", Decimal("0.0045"), 0)
    assert rows_of("costtrack_v_cost_per_day", "day", "cost_usd", "unpriced_calls") == [
        ("2026-11-20", Decimal("0.0045"), 1)
    ]


def test_cost_per_day_is_each_organization_s_own(acme: Organization, settle: Any) -> None:
    make_organization("globex")
    record()
    record(reported_cost_usd=Decimal("0.5"), saving_usd=Decimal("0.25"))
    adjust_usage(record(occurred_at=NOON - timedelta(days=1)), reason="invoice", cost_usd="0.0005")
    void_usage(record(occurred_at=NOON - timedelta(days=1)), reason="double import")
    record(attribution={"organization": "globex"})
    settle()
    costs = ("cost_usd", "cost_reported_usd", "cost_estimated_usd", "saving_usd")
    assert rows_of("costtrack_v_cost_per_day", "organization", "day", "calls", *costs) == [
        ("acme", "2026-11-19", 1, Decimal("0.005"), Decimal(0), Decimal("0.005"), Decimal(0)),
        ("acme", "2026-11-20", 2, Decimal("0.5045"), Decimal("0.5"), Decimal("0.0045"), Decimal("0.25")),
        ("globex", "2026-11-20", 1, Decimal("0.0045"), Decimal(0), Decimal("0.0045"), Decimal(0)),
    ]


def test_half_folded_days_add_up(acme: Organization) -> None:
    record()
    call_command("aggregate_costs")
    record()
    assert rows_of("costtrack_v_cost_per_day", "calls", "cost_usd") == [(2, Decimal("0.009"))]
    assert rows_of("costtrack_resource_usage_by_day", "calls", "cost_usd") == [(2, Decimal("0.009"))]


def test_usage_by_day_is_by_project_resource_and_model(settle: Any) -> None:
    acme = organization()
    website = Project.objects.create(organization=acme, slug="website")
    book(acme, "1", project=website, provider="openai", input_tokens=10)
    book(acme, "2", project=website, provider="openai", output_tokens=5)
    void(book(acme, "4", input_tokens=7, provider=""))
    book(acme, "8", resource_type="gpu_seconds", model="", provider="a100", amount=Decimal("2.5"))
    settle()
    columns = ("project", "resource_type", "provider", "model", "calls", "total_tokens", "amount", "cost_usd")
    assert rows_of("costtrack_resource_usage_by_day", *columns) == [
        ("", "gpu_seconds", "a100", "", 1, 0, Decimal("2.5"), Decimal(8)),
        ("", "llm_tokens", "", "gpt-4", 0, 0, Decimal(0), Decimal(0)),
        ("website", "llm_tokens", "openai", "gpt-4", 2, 15, Decimal(0), Decimal(3)),
    ]
    assert {row[0] for row in rows_of("costtrack_resource_usage_by_day", "day")} == {"2023-11-16"}


STATUS = ("budget", "subject", "spent", "held", "remaining", "percent", "state")


def test_budgets_stand_as_their_current_counters_say(acme: Organization) -> None:
    now = datetime.now(UTC)
    near = make_budget(acme, "10", name="near")
    make_budget(acme, "10", name="over", model="o3")
    make_budget(acme, "0", name="zero", model="o4")
    make_budget(acme, None, name="unlimited", model="o5")
    make_budget(acme, "10", name="without a counter", model="o6")
    per = make_budget(acme, "10", name="per thread", per="thread", period="total")
    for budget, spent, held, subject, period_end in (
        (near, "4", "4", "", now + timedelta(hours=1)),
        (acme.budgets.get(name="over"), "12.5", "0", "", now + timedelta(hours=1)),
        (acme.budgets.get(name="zero"), "0", "0", "", now + timedelta(hours=1)),
        (acme.budgets.get(name="unlimited"), "3", "0", "", now + timedelta(hours=1)),
        (per, "1", "0", "t1", None),
        (per, "2", "0", "t2", None),
        (acme.budgets.get(name="without a counter"), "9", "0", "", now - timedelta(seconds=1)),  # it is over
    ):
        start = now - timedelta(hours=1)
        fields = {"budget": budget, "subject": subject, "period_end": period_end, "lock_rank": 0}
        BudgetCounter.objects.create(**fields, period_start=start, spent=Decimal(spent), held=Decimal(held))
    assert rows_of("costtrack_v_budget_status", *STATUS) == [
        ("near", "", Decimal(4), Decimal(4), Decimal(2), Decimal(40), "near"),
        ("over", "", Decimal("12.5"), Decimal(0), Decimal(0), Decimal(125), "over"),
        ("per thread", "t1", Decimal(1), Decimal(0), Decimal(9), Decimal(10), "ok"),
        ("per thread", "t2", Decimal(2), Decimal(0), Decimal(8), Decimal(20), "ok"),
        ("unlimited", "", Decimal(3), Decimal(0), None, None, "unlimited"),
        ("without a counter", None, None, None, None, None, None),
        ("zero", "", Decimal(0), Decimal(0), Decimal(0), None, "over"),
    ]


def test_what_is_recorded_shows_in_the_status_of_its_budget(acme: Organization) -> None:
    make_budget(acme, "0.009", name="day")
    record(occurred_at=datetime.now(UTC))
    assert rows_of("costtrack_v_budget_status", "organization", "budget", "limit", "spent", "percent", "state") == [
        ("acme", "day", Decimal("0.009"), Decimal("0.0045"), Decimal(50), "ok")
    ]


def test_a_resting_budget_says_so_and_nothing_else(acme: Organization) -> None:
    budget = make_budget(acme, "1", name="rests")
    record(occurred_at=datetime.now(UTC))
    change_budget(budget, is_active=False)
    assert rows_of("costtrack_v_budget_status", *STATUS) == [("rests", None, None, None, None, None, "resting")]


def view_names() -> list[str]:
    with connection.cursor() as cursor:
        return sorted(one.name for one in connection.introspection.get_table_list(cursor) if one.type == "v")


@pytest.fixture
def made_again(transactional_db: None) -> Iterator[None]:
    """The views are there again after the test, whatever it does."""
    yield
    with connection.schema_editor() as editor:
        for name in [name for name in reversed(views.VIEWS) if name in view_names()]:
            editor.execute(f"DROP VIEW {name}")
        views.Views().database_forwards("costtrack", editor, ProjectState(), ProjectState())


def longer_slug() -> tuple[CharField[str, str], CharField[str, str]]:
    """The slug of organizations, and one that is longer: a column under the views."""
    old = Organization._meta.get_field("slug")
    new = old.clone()
    new.max_length = 150
    new.set_attributes_from_name("slug")
    new.model = Organization
    return old, new


def test_the_views_are_dropped_when_the_migration_is_taken_back(made_again: None) -> None:
    assert view_names() == sorted(views.VIEWS)
    with connection.schema_editor() as editor:
        views.Views().database_backwards("costtrack", editor, ProjectState(), ProjectState())
    assert view_names() == []


def test_a_later_migration_of_a_table_drops_the_views_and_makes_them_again(made_again: None) -> None:
    old, new = longer_slug()
    with pytest.raises(DatabaseError), connection.schema_editor() as editor:
        editor.alter_field(Organization, old, new)
    with connection.schema_editor() as editor:
        views.Views(drop=True).database_forwards("costtrack", editor, ProjectState(), ProjectState())
        editor.alter_field(Organization, old, new)
        editor.alter_field(Organization, new, old)
        views.Views(drop=True).database_backwards("costtrack", editor, ProjectState(), ProjectState())
    assert view_names() == sorted(views.VIEWS)


def test_a_column_more_needs_nothing(made_again: None) -> None:
    extra = CharField(max_length=10, null=True)
    extra.set_attributes_from_name("extra")
    extra.model = Organization
    with connection.schema_editor() as editor:
        editor.add_field(Organization, extra)
        editor.remove_field(Organization, extra)
    assert rows_of("costtrack_v_cost_per_day", "day") == []
