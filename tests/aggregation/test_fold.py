from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum

from costtrack.aggregation import fold_pending, rebuild_summaries, verify_books
from costtrack.aggregation.lock import exclusive_summaries
from costtrack.aggregation.rebuild import resum_site
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary
from costtrack.models.summaries import GRAINS, SUMS, coarsest_grain
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
    assert all(sums(grain) == before for grain in GRAINS)
    assert fold_pending() == 5
    assert all(sums(grain) == before for grain in GRAINS)
    book_some()
    assert {sums(grain)["cost_usd"] for grain in GRAINS} == {Decimal("0.59")}
    fold_pending()
    assert {sums(grain)["cost_usd"] for grain in GRAINS} == {Decimal("0.59")}


def test_a_fold_adds_to_the_rows_that_are_there() -> None:
    book_some()
    fold_pending()
    grains = list(DailyCostSummary.all_grains.values_list("grain", flat=True))
    book_some()
    fold_pending()
    assert sorted(DailyCostSummary.all_grains.values_list("grain", flat=True)) == sorted(grains)
    assert fold_pending() == 0


def test_each_grain_has_a_row_for_what_it_tells_apart() -> None:
    book_some()
    make_organization("globex")
    # Of acme's test-model, by a project and an endpoint of its own, and by no project.
    record_events(
        [
            make_event(attribution={"project": "q", "endpoint": "e3"}),
            make_event(attribution={"organization": "globex", "project": "p", "endpoint": "e1"}),
        ]
    )
    fold_pending()
    counts = {grain: DailyCostSummary.all_grains.filter(grain=grain).count() for grain in ("pending", *GRAINS)}
    # Agents a and b of endpoint e1 are one row of the project grain; p's and q's calls of test-model one of the model
    # grain; all models of acme's 20th one of the organization grain, beside its 19th and globex; test-model of acme and
    # of globex one of the site grain: on the 20th test-model, dear-model, unknown, and on the 19th test-model.
    assert counts == {"pending": 0, "agent": 7, "project": 6, "model": 5, "org": 3, "site": 4}
    site = DailyCostSummary.all_grains.get(grain="site", day=NOON.date(), model="test-model")
    assert (site.organization, site.project, site.agent, site.endpoint) == (None, None, None, "")
    assert (site.calls, site.cost_usd) == (4, Decimal("0.018"))  # 4 x 0.0045


def test_a_day_is_at_every_grain_what_the_ledger_says_by_hand() -> None:
    make_organization("globex")
    record_events(
        [
            make_event(attribution={"project": "p", "endpoint": "e1"}),
            make_event(attribution={"project": "q", "endpoint": "e2"}, model="dear-model"),
            make_event(attribution={"organization": "globex"}, model="dear-model"),
        ]
    )
    fold_pending()
    record_events([make_event(attribution={"project": "p", "endpoint": "e1"})])
    fold_pending()
    rows = DailyCostSummary.all_grains.exclude(grain__in=["agent", "project"])
    found = rows.values_list("grain", "organization__slug", "model", "calls", "cost_usd")
    # test-model costs 0.0045 a call, dear-model (1000 x 30 + 100 x 60) / 1,000,000 = 0.036
    assert sorted(found, key=str) == [
        ("model", "acme", "dear-model", 1, Decimal("0.036")),
        ("model", "acme", "test-model", 2, Decimal("0.009")),
        ("model", "globex", "dear-model", 1, Decimal("0.036")),
        ("org", "acme", "", 3, Decimal("0.045")),
        ("org", "globex", "", 1, Decimal("0.036")),
        ("site", None, "dear-model", 2, Decimal("0.072")),
        ("site", None, "test-model", 2, Decimal("0.009")),
    ]
    assert verify_books() == []


@pytest.mark.parametrize(
    ("columns", "grain"),
    [
        ([], "site"),
        (["day", "provider", "model", "resource_type"], "site"),
        (["organization_id"], "org"),
        (["organization_id", "provider", "resource_type"], "org"),
        (["organization_id", "model"], "model"),
        (["endpoint"], "project"),
        (["project_id"], "project"),
        (["project_id", "model"], "project"),
        (["organization_id", "agent_id"], "agent"),
        (["sprint"], "agent"),
        (["workflow", "provider"], "agent"),
    ],
)
def test_the_coarsest_grain_is_the_one_with_the_fewest_rows_that_has_all(columns: list[str], grain: str) -> None:
    assert coarsest_grain(columns) == grain


def test_every_grain_with_a_model_has_what_is_shown_in_its_place() -> None:
    with_model = [set(dimensions) for dimensions in GRAINS.values() if "model" in dimensions]
    assert len(with_model) == 4
    assert all({"provider", "resource_type"} <= dimensions for dimensions in with_model)


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


def test_verify_finds_what_was_tampered_with_in_any_grain() -> None:
    book_some()
    fold_pending()
    assert verify_books() == []
    for grain in GRAINS:
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
    assert {difference.grain for difference in verify_books()} == set(GRAINS)


def test_a_rebuild_restores_the_days_asked_for_and_no_other() -> None:
    book_some()
    fold_pending()
    right = sums()
    DailyCostSummary.all_grains.update(cost_usd=7)
    rebuild_summaries(start=NOON.date(), end=NOON.date() + timedelta(days=1))
    assert {difference.day for difference in verify_books()} == {date(2026, 11, 19)}
    rebuild_summaries(start=date(2026, 11, 19), end=date(2026, 11, 20))
    assert all(sums(grain) == right for grain in GRAINS)
    assert verify_books() == []


def test_the_site_is_summed_again_where_an_organization_goes() -> None:
    make_organization("globex")
    book_some()
    early = NOON - timedelta(days=3)
    record_events([make_event(attribution={"organization": "globex"}, occurred_at=at) for at in (NOON, early)])
    fold_pending()
    DailyCostSummary.all_grains.filter(organization__slug="globex").delete()
    site = DailyCostSummary.all_grains.filter(grain="site")
    with exclusive_summaries(using="default"):
        resum_site(start=NOON.date(), end=NOON.date() + timedelta(days=1), using="default")
    # Of the day that was summed again acme's are left; the one before it is as it was.
    assert site.get(day=NOON.date(), model="test-model").calls == 2
    assert site.get(day=early.date()).calls == 1
    with exclusive_summaries(using="default"):
        resum_site(start=early.date(), end=NOON.date(), using="default")
    assert not site.filter(day=early.date()).exists()
    assert site.get(day=NOON.date() - timedelta(days=1)).cost_usd == Decimal("0.25")


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
    with pytest.raises(ValueError, match="expected one of agent, project, model, org, site"):
        DailyCostSummary.objects.at_grain("month")


def test_a_column_that_summaries_do_not_have_is_told() -> None:
    with pytest.raises(ValueError, match=r"^Summaries have no color; they have organization_id, .*model"):
        coarsest_grain(["model", "color"])
