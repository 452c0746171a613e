"""Whole reports: agents, budgets, alerts, plans, forecast after the costs; of nobody else's; in every format."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from costtrack.budgets.changes import create_budget
from costtrack.domain.forecast import METHOD
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Budget, BudgetAlert, BudgetCounter, Organization, UsageRun
from costtrack.reporting.full_report import full_report
from costtrack.reporting.full_report_shapes import whole_report_shape
from costtrack.reporting.html_report import html_report
from costtrack.reporting.markdown import markdown_report
from costtrack.reporting.report import CostReport, ReportKind
from costtrack.reporting.table import table_report
from tests.reporting.booked import agent, book, organization

pytestmark = pytest.mark.django_db

UTC_DAYS = ZoneHistory.of("UTC")
NOON = datetime(2023, 11, 16, 12, tzinfo=UTC)
"""A Thursday."""
TODAY = date(2023, 11, 16)


@pytest.fixture
def acme(db: None) -> Organization:
    return organization()


def whole(kind: ReportKind = ReportKind.MONTHLY, day: date = TODAY, **said: Any) -> CostReport:
    return full_report(kind, day, zone=UTC_DAYS, now=NOON, **said)


def section(text: str, heading: str) -> list[str]:
    """The lines of one section of a Markdown report."""
    return text.split(f"\n## {heading}\n\n")[1].split("\n\n## ")[0].rstrip("\n").split("\n")


def budget(owner: Organization, limit: str | None, spent: str, **fields: Any) -> Budget:
    made = create_budget(
        organization=owner,
        limit=None if limit is None else Decimal(limit),
        is_unlimited=limit is None,
        **{"period": "month", "enforcement": "hard", **fields},
    )
    BudgetCounter.objects.create(
        budget=made,
        subject="",
        period_start=datetime(2023, 11, 1, tzinfo=UTC),
        period_end=datetime(2023, 12, 1, tzinfo=UTC),
        lock_rank=0,
        spent=Decimal(spent),
    )
    return made


def alert(
    owner: Organization | None, message: str, *, at: datetime = NOON, of: Budget | None = None, **fields: Any
) -> BudgetAlert:
    """One of a budget, else of a model without a price."""
    about: dict[str, Any] = {"kind": "unpriced", "key": message}
    if of is not None:
        about = {"kind": "budget", "budget": of, "period_start": NOON}
    return BudgetAlert.objects.create(
        organization=owner, severity="warning", message=message, raised_at=at, **about, **fields
    )


def run(owner: Organization, name: str, *, at: datetime = NOON) -> UsageRun:
    """A run of a plan that is not kept."""
    return UsageRun.objects.create(
        organization=owner, run_id=name, name=name, run_index=1, plan_id="0123456789ab", started_at=at
    )


def test_the_costs_stay_as_they_are_and_the_sections_come_after_them(acme: Organization) -> None:
    text = markdown_report(whole(organization=acme))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Monthly Cost Report - 2023-11",
        "## Summary",
        "## Cost by Model",
        "## Cost by Endpoint",
        "## Top Agents",
        "## Budgets",
        "## Alerts",
        "## Plan Variance",
        "## Forecast",
    ]
    assert section(text, "Top Agents") == ["- No usage."]
    assert section(text, "Budgets") == ["- No budgets."]
    assert section(text, "Alerts") == ["- No alerts."]
    assert section(text, "Plan Variance") == ["- No runs with a plan."]
    assert text.endswith(
        "\n- Month to 2023-11-30: $0.00 spent so far (not enough data: 0 of 7 complete days of history)\n"
    )


def test_agents_come_dearest_first_and_at_most_ten(acme: Organization) -> None:
    for number in range(1, 12):
        one = agent(acme, f"website/a{number:02}")
        book(acme, str(number), project=one.project, agent=one, input_tokens=number)
    book(acme, "0.5")
    lines = section(markdown_report(whole(organization=acme)), "Top Agents")
    assert lines[0] == "- acme/website/a11: $11.00 (1 call, 11 tokens)"
    assert lines[-1] == "- acme/website/a02: $2.00 (1 call, 2 tokens)"
    assert len(lines) == 10


def test_budgets_in_force_come_nearest_to_their_limit_first(acme: Organization) -> None:
    budget(acme, "10", "4", name="ok")
    budget(acme, "10", "12.5", name="over", model="o3")
    budget(acme, "5000", "4250", name="tokens", metric="tokens", model="o4")
    budget(acme, None, "3", name="free", model="o5")
    budget(acme, "1", "1", name="rests", model="o6", is_active=False)
    BudgetCounter.objects.filter(budget__name="ok").update(held=Decimal("0.5"))
    assert section(markdown_report(whole(organization=acme)), "Budgets") == [
        "- over: $12.50 of $10.00 spent (125 %), over, until 2023-12-01 00:00",
        "- tokens: 4,250 of 5,000 tokens spent (85 %), near, until 2023-12-01 00:00",
        "- ok: $4.00 of $10.00 spent (40 %), $0.50 held, ok, until 2023-12-01 00:00",
        "- free: $3.00 spent, unlimited, until 2023-12-01 00:00",
    ]


def test_alerts_are_those_of_the_period_newest_first_and_twenty(acme: Organization) -> None:
    alert(acme, "before", at=datetime(2023, 10, 31, 23, 59, tzinfo=UTC))
    alert(acme, "after", at=datetime(2023, 12, 1, tzinfo=UTC))
    alert(acme, "first", at=datetime(2023, 11, 1, tzinfo=UTC), acknowledged_at=NOON)
    alert(acme, "last *bold*\nline", at=NOON + timedelta(minutes=30))
    text = markdown_report(whole(organization=acme))
    assert section(text, "Alerts") == [
        "- 2023-11-16 12:30 warning: last \\*bold\\* line (open)",
        "- 2023-11-01 00:00 warning: first (acknowledged)",
    ]
    for number in range(20):
        alert(acme, f"more {number}", at=NOON + timedelta(hours=1))
    lines = section(markdown_report(whole(organization=acme)), "Alerts")
    assert (len(lines), lines[-1]) == (21, "- and 2 more alerts")


def test_plans_are_those_of_the_period_s_runs(acme: Organization) -> None:
    run(acme, "nightly")
    run(acme, "older", at=datetime(2023, 10, 31, 23, 59, tzinfo=UTC))
    (line,) = section(markdown_report(whole(organization=acme)), "Plan Variance")
    assert line.startswith("- Plan variance: ")
    assert "nightly" in line


@pytest.mark.parametrize(
    ("kind", "periods"),
    [
        (ReportKind.DAILY, ["Day to 2023-11-16", "Week to 2023-11-19", "Month to 2023-11-30"]),
        (ReportKind.WEEKLY, ["Week to 2023-11-19", "Month to 2023-11-30"]),
        (ReportKind.MONTHLY, ["Month to 2023-11-30"]),
    ],
)
def test_foretold_is_its_period_and_the_longer_ones(acme: Organization, kind: ReportKind, periods: list[str]) -> None:
    lines = section(markdown_report(whole(kind, organization=acme)), "Forecast")
    assert [line.split(":")[0].removeprefix("- ") for line in lines] == periods


@pytest.mark.parametrize(
    ("kind", "day", "line"),
    [
        (ReportKind.DAILY, date(2023, 11, 15), "- Week to 2023-11-19: "),
        (ReportKind.DAILY, date(2023, 11, 12), "- Month to 2023-11-30: "),
        (ReportKind.DAILY, date(2023, 10, 31), "- No forecast: the period is over (until 2023-10-31)"),
        (ReportKind.MONTHLY, date(2023, 10, 5), "- No forecast: the period is over (until 2023-10-31)"),
    ],
)
def test_what_is_over_is_not_foretold(acme: Organization, kind: ReportKind, day: date, line: str) -> None:
    assert section(markdown_report(whole(kind, day, organization=acme)), "Forecast")[0].startswith(line)


def test_a_month_s_forecast_is_that_of_its_days(acme: Organization) -> None:
    for back in range(1, 29):
        book(acme, "2", day=TODAY - timedelta(days=back))
    # 15 days of 2 are over; what is booked at noon is all still to come: 15 x 2 more.
    assert section(markdown_report(whole(organization=acme)), "Forecast") == [
        f"- Month to 2023-11-30: $60.00 expected ($60.00 to $60.00), $30.00 spent so far ({METHOD})"
    ]


def foreign(acme: Organization) -> Organization:
    """Another organization that has one of everything."""
    globex = organization("globex")
    one = agent(globex, "secret/spy")
    book(globex, "99", project=one.project, agent=one)
    budget(globex, "10", "9", name="secret budget")
    alert(globex, "secret alert")
    run(globex, "secret run")
    return globex


def test_nothing_of_another_organization_is_in_it(acme: Organization) -> None:
    globex = foreign(acme)
    for said in ({"organization": acme}, {"organizations": [acme]}, {"organizations": []}):
        report = whole(**said)
        assert "secret" not in markdown_report(report)
        assert "secret" not in str(whole_report_shape(report))
        assert "99" not in section(markdown_report(report), "Forecast")[0]
    for said in ({}, {"organizations": [acme, globex]}):
        text = markdown_report(whole(**said))
        assert all(text.count(f"secret {name}") == 1 for name in ("budget", "alert", "run"))
        assert "- globex/secret/spy: $99.00" in text
        assert "- globex: secret budget: $9.00 of $10.00 spent" in text


def test_a_project_s_own_report_has_its_own_budgets_agents_and_alerts_and_no_runs(acme: Organization) -> None:
    writer, spy = agent(acme, "website/writer"), agent(acme, "secret/spy")
    for one in (writer, spy):
        book(acme, "1", project=one.project, agent=one)
        of = budget(acme, "10", "1", name=f"{one.project.slug} budget", project=one.project)
        alert(acme, f"{one.project.slug} alert", of=of)
    alert(acme, "secret of the whole")
    run(acme, "secret run")
    text = markdown_report(whole(organization=acme, owner=writer.project))
    assert "secret" not in text
    assert section(text, "Top Agents") == ["- acme/website/writer: $1.00 (1 call, 0 tokens)"]
    assert section(text, "Budgets")[0].startswith("- website budget: ")
    assert section(text, "Alerts") == ["- 2023-11-16 12:00 warning: website alert (open)"]
    assert "Plan Variance" not in text


def test_html_and_text_have_the_same_sections_and_html_escapes(acme: Organization) -> None:
    alert(acme, "<script>alert(1)</script>")
    report = whole(organization=acme)
    html, table = html_report(report), table_report(report)
    assert "<script>" not in html
    assert (
        "<h2>Alerts</h2><ul><li>2023-11-16 12:00 warning: &lt;script&gt;alert(1)&lt;/script&gt; (open)</li></ul>"
        in html
    )
    assert "\n\nAlerts\n2023-11-16 12:00 warning: <script>alert(1)</script> (open)\n\nPlan Variance\n" in table


def test_json_has_them_as_data(acme: Organization) -> None:
    one = agent(acme, "website/writer")
    book(acme, "1", project=one.project, agent=one, input_tokens=3)
    budget(acme, "10", "4", name="ok")
    alert(acme, "look")
    shape = whole_report_shape(whole(organization=acme))
    assert shape["report"] == "monthly"
    assert shape["top_agents"] == [
        {"agent": "acme/website/writer", "cost": "1", "calls": 1, "tokens": 3, "unpriced_calls": 0}
    ]
    assert [(status["budget"], status["spent"], status["percent"]) for status in shape["budgets"]] == [
        ("ok", "4", "40")
    ]
    assert shape["alerts"] == [
        {"raised_at": "2023-11-16T12:00:00+00:00", "severity": "warning", "state": "open", "message": "look"}
    ]
    assert (shape["more_budgets"], shape["more_alerts"], shape["plan_variance"]) == (0, 0, [])
    assert [(one["period"], one["spent"], one["enough_data"]) for one in shape["forecast"]] == [("month", "1", False)]


def test_more_budgets_take_no_more_queries(acme: Organization) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            whole(organization=acme)
        return len(captured)

    budget(acme, "10", "4", name="ok")
    alert(acme, "look")
    queries()  # from here on it is known how much of a day is usually spent by now
    few = queries()
    for number in range(10):
        budget(acme, "10", "4", name=f"ok {number}", model=f"m{number}")
        alert(acme, f"look {number}")
    assert queries() == few
