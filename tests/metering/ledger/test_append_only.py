"""The rules that must hold whoever writes: the database itself refuses the bad row."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary, Membership, Organization, Project, Rate, RateTier, ResourceUsage
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db
DOCS = Path(__file__).parents[3] / "docs" / "durability.md"


@pytest.fixture
def usage() -> ResourceUsage:
    make_rate()
    make_organization()
    [result] = record_events([make_event(attribution={"project": "p"})])
    return ResourceUsage.objects.get(id=result.usage_id)


def refused(action: Any, expected: str) -> None:
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        action()
    assert expected in str(caught.value)


def test_a_ledger_row_is_never_updated(usage: ResourceUsage) -> None:
    refused(lambda: ResourceUsage.objects.filter(id=usage.id).update(cost_usd=0), "append-only")


def test_a_ledger_row_is_never_deleted_on_postgresql(usage: ResourceUsage) -> None:
    def delete() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM costtrack_resourceusage")
            if connection.vendor == "sqlite":  # documented: SQLite refuses updates only
                raise DatabaseError("append-only")

    refused(delete, "append-only")
    assert ResourceUsage.objects.count() == 1


def test_maintenance_may_delete_within_its_own_transaction(usage: ResourceUsage) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL costtrack.maintenance = 'on'")
        cursor.execute("DELETE FROM costtrack_resourceusage")
    assert ResourceUsage.objects.count() == 0


def test_the_owner_of_the_tables_truncates_no_month_after_what_the_docs_say() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":  # which has no such statement
            refused(lambda: cursor.execute("TRUNCATE costtrack_resourceusage"), "TRUNCATE")
            return
        role = f"keeper_{uuid4().hex}"
        cursor.execute(f"CREATE ROLE {role} NOLOGIN; GRANT ALL ON SCHEMA public TO {role}")
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'costtrack%'")
        tables = [table for (table,) in cursor.fetchall()]
        months = [table for table in tables if table.startswith("costtrack_resourceusage_")]
        assert len(months) >= 2
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} OWNER TO {role}")
        cursor.execute(f"SET LOCAL ROLE {role}")
        [recipe] = re.findall(r"```sql\n(REVOKE TRUNCATE.*?)```", DOCS.read_text(), re.DOTALL)
        cursor.execute(recipe)
        cursor.execute(
            "CREATE TABLE costtrack_resourceusage_y2090m01 PARTITION OF costtrack_resourceusage "
            "FOR VALUES FROM ('2090-01-01') TO ('2090-02-01')"
        )
        guarded = ["costtrack_resourceusage", "costtrack_usagekey", *months, "costtrack_resourceusage_y2090m01"]
        for table in (*guarded, "costtrack_organization CASCADE"):
            refused(partial(cursor.execute, f"TRUNCATE {table}"), "permission denied")
        cursor.execute("TRUNCATE costtrack_agentkey")  # of others it may


def test_an_organization_with_usage_cannot_be_deleted(usage: ResourceUsage) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Project.objects.filter(id=usage.project_id).delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        usage.organization.delete()


BAD_USAGE: list[tuple[dict[str, Any], str]] = [
    ({"kind": "gift"}, "A correction needs a usage row"),
    ({"reasoning_tokens": -1}, "costtrack_usage_tokens_gte_0"),
    ({"input_tokens": 5, "cache_read_tokens": 6}, "costtrack_usage_parts_within_whole"),
    ({"output_tokens": 5, "reasoning_tokens": 6}, "costtrack_usage_parts_within_whole"),
    ({"amount": Decimal(-1)}, "costtrack_usage_amount_gte_0"),
    ({"cost_usd": Decimal(-1), "cost_source": "reported"}, "costtrack_usage_cost_gte_0"),
    ({"cost_usd": None, "cost_source": "estimated"}, "costtrack_usage_cost_null_iff_unpriced"),
    ({"cost_usd": Decimal(0), "cost_source": "unpriced"}, "costtrack_usage_cost_null_iff_unpriced"),
    ({"cost_usd": Decimal(3), "cost_source": "free"}, "costtrack_usage_free_costs_0"),
    ({"calls": 2}, "costtrack_usage_kind_figures"),
    ({"errors": -1}, "costtrack_usage_kind_figures"),
    ({"corrects_id": 1}, "costtrack_usage_kind_figures"),
    ({"latency_ms": -1}, "costtrack_usage_latency_gte_0"),
]


@pytest.mark.parametrize(("fields", "constraint"), BAD_USAGE)
def test_the_database_refuses_a_bad_usage_row(fields: dict[str, Any], constraint: str) -> None:
    organization = make_organization()
    row = ResourceUsage(
        **{
            "organization": organization,
            "occurred_at": NOON,
            "recorded_at": NOON,
            "day": NOON.date(),
            "cost_usd": Decimal(1),
            "cost_source": "reported",
            **fields,
        }
    )
    refused(lambda: row.save(force_insert=True), constraint)


def test_not_a_number_is_no_amount(usage: ResourceUsage) -> None:
    def insert() -> None:
        columns = [field.column for field in ResourceUsage._meta.concrete_fields if field.column != "id"]
        chosen = ", ".join("'NaN'" if column == "amount" else f'"{column}"' for column in columns)
        names = ", ".join(f'"{column}"' for column in columns)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO costtrack_resourceusage ({names}) SELECT {chosen} FROM costtrack_resourceusage"
            )

    refused(insert, "costtrack_usage_amount_gte_0")


def correction(usage: ResourceUsage, **fields: Any) -> ResourceUsage:
    values: dict[str, Any] = {
        "organization_id": usage.organization_id,
        "occurred_at": usage.occurred_at,
        "recorded_at": NOON,
        "day": usage.day,
        "kind": "adjustment",
        "corrects_id": usage.id,
        "calls": 0,
        "cost_usd": Decimal(0),
        "cost_source": "estimated",
    }
    return ResourceUsage(**{**values, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"cost_usd": Decimal("-0.004500000001")},
        {"input_tokens": -1001},
        {"output_tokens": -101},
        {"amount": Decimal(-1101)},
        {"unpriced_calls": -1},
        {"cache_read_tokens": -1},
    ],
)
def test_no_correction_takes_back_more_than_was_recorded(usage: ResourceUsage, fields: dict[str, Any]) -> None:
    if connection.vendor == "sqlite" and "cost_usd" in fields:
        fields = {"cost_usd": Decimal("-0.004500002")}  # to a nano-dollar there
    refused(lambda: correction(usage, **fields).save(force_insert=True), "more than was recorded")


def test_no_correction_leaves_parts_above_their_whole(usage: ResourceUsage) -> None:
    refused(lambda: correction(usage, cache_read_tokens=1001).save(force_insert=True), "parts above their whole")
    refused(lambda: correction(usage, reasoning_tokens=101).save(force_insert=True), "parts above their whole")
    correction(usage, cache_read_tokens=1000, reasoning_tokens=100).save(force_insert=True)


def test_two_reductions_together_never_exceed_the_original(usage: ResourceUsage) -> None:
    correction(usage, cost_usd=Decimal("-0.003")).save(force_insert=True)
    refused(lambda: correction(usage, cost_usd=Decimal("-0.002")).save(force_insert=True), "more than was recorded")
    correction(usage, cost_usd=Decimal("-0.0015")).save(force_insert=True)


def test_a_correction_needs_its_original_in_the_same_organization(usage: ResourceUsage) -> None:
    other = make_organization("globex")
    refused(lambda: correction(usage, organization_id=other.id).save(force_insert=True), "same organization and day")
    refused(lambda: correction(usage, corrects_id=usage.id + 999).save(force_insert=True), "same organization and day")


def test_a_void_takes_back_all_and_only_once(usage: ResourceUsage) -> None:
    def void(**fields: Any) -> ResourceUsage:
        values: dict[str, Any] = {
            "kind": "void",
            "calls": -1,
            "cost_usd": Decimal("-0.0045"),
            "input_tokens": -1000,
            "output_tokens": -100,
            "amount": Decimal(-1100),
        }
        return correction(usage, **{**values, **fields})

    refused(lambda: void(cost_usd=Decimal("-0.004")).save(force_insert=True), "take back all")
    void().save(force_insert=True)
    refused(lambda: void().save(force_insert=True), "void already")
    refused(lambda: correction(usage).save(force_insert=True), "void already")


def test_a_used_rate_is_never_edited_nor_its_tiers(usage: ResourceUsage) -> None:
    rate = Rate.objects.get()
    assert rate.is_used
    refused(lambda: Rate.objects.filter(id=rate.id).update(input_usd_per_million=9), "never edited")
    refused(lambda: Rate.objects.filter(id=rate.id).update(effective_from=NOON), "never edited")
    refused(lambda: RateTier.objects.create(rate=rate, above_input_tokens=1), "never edited")
    Rate.objects.filter(id=rate.id).update(aliases=["another-name"])


def test_an_unused_rate_may_be_edited() -> None:
    rate = make_rate()
    Rate.objects.filter(id=rate.id).update(input_usd_per_million=9)
    RateTier.objects.create(rate=rate, above_input_tokens=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        RateTier.objects.create(rate=rate, above_input_tokens=1)


def test_rates_of_one_key_never_begin_at_the_same_time() -> None:
    make_rate()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_rate()
    own = make_organization()
    make_rate(organization=own)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_rate(organization=own)


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(IntegrityError, match="costtrack_rate_input_gte_0"), transaction.atomic():
        make_rate(per_million=("-1", "1"))


def test_slugs_and_memberships_are_unique(django_user_model) -> None:
    organization = make_organization()
    person = django_user_model.objects.create_user("someone")
    Membership.objects.create(user=person, organization=organization)
    for again in (
        make_organization,
        lambda: Membership.objects.create(user=person, organization=organization, role="admin"),
        lambda: Organization.objects.create(slug=""),
        lambda: Membership.objects.create(user=person, organization=make_organization("b"), role="owner"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            again()


def test_a_folded_summary_is_unique_per_dimension(usage: ResourceUsage) -> None:
    values: dict[str, Any] = {"grain": "agent", "dimensions_hash": "0" * 32, "day": usage.day}
    DailyCostSummary.all_grains.create(organization=usage.organization, **values)
    with pytest.raises(IntegrityError), transaction.atomic():
        DailyCostSummary.all_grains.create(organization=usage.organization, **values)
    pending = {**values, "grain": "pending"}
    with pytest.raises(IntegrityError), transaction.atomic():
        DailyCostSummary.all_grains.create(organization=usage.organization, **pending)
