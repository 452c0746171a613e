from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum

from costtrack.aggregation import fold_pending, rebuild_summaries, verify_books
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary
from costtrack.models.summaries import SUMS
from tests.factories import NOON, make_event, make_organization, make_rate, summed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def acme() -> None:
    make_rate()
    make_rate("dear-model", per_million=("30", "60"))
    make_organization()


def book_some() -> None:
    """Two agents, two models, two days; one failure, one unpriced, one reported."""
    record_events(
        [
            make_event(attribution={"project": "p", "agent": "a", "endpoint": "e1"}),
            make_event(attribution={"project": "p", "agent": "b", "endpoint": "e1"}, outcome="error"),
            make_event(attribution={"project": "p", "agent": "a", "endpoint": "e2"}, model="dear-model"),
            make_event(attribution={"sprint": "s"}, model="unknown"),
            make_event(occurred_at=NOON - timedelta(days=1), reported_cost_usd=Decimal("0.25")),
        ]
    )


def sums(grain: str = "agent") -> dict[str, Decimal]:
    found = DailyCostSummary.objects.at_grain(grain).aggregate(**{f"of_{name}": Sum(name) for name in SUMS})
    return {name: summed(found[f"of_{name}"]) for name in SUMS}


def test_reports_are_the_same_before_between_and_after_folds() -> None:
    book_some()
    before = sums()
    # 2 x 0.0045 + (1000 x 30 + 100 x 60 = 36000 per million) 0.036 + 0.25
    assert before["cost_usd"] == Decimal("0.295")
    assert before["calls"] == 5
    assert sums("project") == before
    assert fold_pending() == 5
    assert sums() == sums("project") == before
    book_some()
    assert sums()["cost_usd"] == Decimal("0.59")
    fold_pending()
    assert sums()["cost_usd"] == sums("project")["cost_usd"] == Decimal("0.59")


def test_a_fold_adds_to_the_rows_that_are_there() -> None:
    book_some()
    fold_pending()
    grains = list(DailyCostSummary.all_grains.values_list("grain", flat=True))
    book_some()
    fold_pending()
    assert sorted(DailyCostSummary.all_grains.values_list("grain", flat=True)) == sorted(grains)
    assert fold_pending() == 0


def test_the_project_grain_is_coarser_than_the_agent_grain() -> None:
    book_some()
    fold_pending()
    counts = {
        grain: DailyCostSummary.all_grains.filter(grain=grain).count() for grain in ("pending", "agent", "project")
    }
    # Agents a and b of endpoint e1 are one row of the project grain.
    assert counts == {"pending": 0, "agent": 5, "project": 4}


def test_a_plain_sum_by_a_host_is_right() -> None:
    book_some()
    fold_pending()
    book_some()
    total = DailyCostSummary.objects.aggregate(total=Sum("cost_usd"))["total"]
    assert summed(total) == Decimal("0.59")


def test_dimensions_that_would_read_the_same_side_by_side_stay_apart() -> None:
    record_events([make_event(attribution={"sprint": "ab", "workflow": "c"})])
    record_events([make_event(attribution={"sprint": "a", "workflow": "bc"})])
    fold_pending()
    assert DailyCostSummary.objects.count() == 2
    assert verify_books() == []


def test_verify_finds_what_was_tampered_with_in_either_grain() -> None:
    book_some()
    fold_pending()
    assert verify_books() == []
    for grain in ("agent", "project"):
        row = DailyCostSummary.all_grains.filter(grain=grain).order_by("id").first()
        assert row
        DailyCostSummary.all_grains.filter(id=row.id).update(cost_usd=row.cost_usd + Decimal("0.000000001"))
        [difference] = verify_books()
        assert difference.grain == grain
        assert difference.ledger_minus_summary == {"cost_usd": Decimal("-0.000000001")}
        DailyCostSummary.all_grains.filter(id=row.id).update(cost_usd=row.cost_usd)
        assert verify_books() == []


def test_verify_finds_a_lost_and_an_invented_row() -> None:
    book_some()
    fold_pending()
    DailyCostSummary.all_grains.filter(grain="agent", model="dear-model").delete()
    [lost] = verify_books()
    assert lost.ledger_minus_summary["cost_usd"] == Decimal("0.036")
    rebuild_summaries(start=date(2026, 11, 1), end=date(2026, 12, 1))
    organization_id = DailyCostSummary.objects.values_list("organization_id", flat=True)[0]
    DailyCostSummary.all_grains.create(organization_id=organization_id, grain="pending", day=NOON.date(), calls=1)
    assert {difference.grain for difference in verify_books()} == {"agent", "project"}


def test_a_rebuild_restores_the_days_asked_for_and_no_other() -> None:
    book_some()
    fold_pending()
    right = sums()
    DailyCostSummary.all_grains.update(cost_usd=7)
    rebuild_summaries(start=NOON.date(), end=NOON.date() + timedelta(days=1))
    assert {difference.day for difference in verify_books()} == {date(2026, 11, 19)}
    rebuild_summaries(start=date(2026, 11, 19), end=date(2026, 11, 20))
    assert sums() == sums("project") == right
    assert verify_books() == []


def test_a_rebuild_takes_in_what_is_pending() -> None:
    book_some()
    rebuild_summaries(start=date(2026, 11, 1), end=date(2026, 12, 1))
    assert sums()["calls"] == 5
    assert fold_pending() == 0
    assert verify_books() == []


def test_the_command_folds_verifies_and_speaks_json(capsys) -> None:
    book_some()
    call_command("aggregate_costs", "--verify", "--json")
    report = json.loads(capsys.readouterr().out)
    assert (report["folded"], report["verified"], report["differences"]) == (5, True, [])
    call_command("aggregate_costs", "--verify")
    assert "the summaries equal the ledger" in capsys.readouterr().out


def test_the_command_exits_1_and_says_what_differs(capsys) -> None:
    book_some()
    fold_pending()
    DailyCostSummary.all_grains.filter(grain="agent", model="dear-model").update(calls=2)
    with pytest.raises(CommandError, match="ledger rows were deleted"):
        call_command("aggregate_costs", "--verify")
    assert "calls -1" in capsys.readouterr().out
    DailyCostSummary.all_grains.filter(grain="agent", model="dear-model").update(calls=0)
    with pytest.raises(CommandError, match="--rebuild") as caught:
        call_command("aggregate_costs", "--verify")
    assert caught.value.returncode == 1
    out = capsys.readouterr().out
    assert "DIFFERS 2026-11-20 (agent grain" in out
    assert "calls 1" in out
    call_command("aggregate_costs", "--rebuild", "--from", "2026-11-20", "--to", "2026-11-20", "--verify")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--rebuild"], "needs both --from DAY and --to DAY"),
        (["--from", "2026-11-01"], "go with --rebuild"),
        (["--rebuild", "--from", "2026-11-02", "--to", "2026-11-01"], "lies before"),
        (["--rebuild", "--from", "yesterday", "--to", "2026-11-01"], "expected YYYY-MM-DD"),
        (["--rebuild", "--from", "0001-01-01", "--to", "2026-11-01"], "out of range"),
    ],
)
def test_the_command_explains_bad_days(arguments: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command("aggregate_costs", *arguments)


def test_an_unknown_grain_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected 'agent' or 'project'"):
        DailyCostSummary.objects.at_grain("month")
