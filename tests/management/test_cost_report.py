from __future__ import annotations

import json
from datetime import UTC, date, datetime
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection

from costtrack.models import UsageRun
from tests.reporting.booked import book, organization

pytestmark = pytest.mark.django_db


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("cost_report", *arguments, stdout=out)
    return out.getvalue()


def test_a_month_is_told_to_the_cent() -> None:
    # 128.415585 + 4.8223635 = 133.2379485
    acme = organization()
    book(acme, "128.415585", model="claude-3-5-sonnet-20241022")
    book(acme, "4.8223635", day=date(2023, 11, 11), model="claude-3-haiku-20240307")
    book(acme, "50", day=date(2023, 12, 1))
    text = printed("monthly", "--date", "2023-11-16")
    assert text.startswith("# Monthly Cost Report - 2023-11\n\n## Summary\n")
    assert "- Total cost: $133.24\n" in text
    assert "- claude-3-5-sonnet-20241022: $128.42 (1 call, 0 tokens)\n" in text
    assert text.endswith(")\n")


@pytest.mark.parametrize(
    ("period", "title", "cost"),
    [("daily", "Daily Cost Report - 2023-11-16", "$1.00"), ("weekly", "Weekly Cost Report - 2023-11-13", "$3.00")],
)
def test_days_and_weeks(period: str, title: str, cost: str) -> None:
    acme = organization()
    book(acme, "1")
    book(acme, "2", day=date(2023, 11, 19))
    book(acme, "4", day=date(2023, 11, 20))
    text = printed(period, "--date", "2023-11-16")
    assert text.startswith(f"# {title}\n")
    assert f"- Total cost: {cost}\n" in text


def test_a_month_under_way_ends_with_the_plan_line_and_the_forecast() -> None:
    acme = organization()
    for day in range(2, 16):
        book(acme, "2", day=date(2023, 11, day))
    begun = datetime(2023, 11, 3, tzinfo=UTC)
    UsageRun.objects.create(
        organization=acme, run_id="r1", name="nightly", run_index=1, plan_id="0123456789ab", started_at=begun
    )
    with time_machine.travel("2023-11-16T00:00:00Z", tick=False):
        *_, plans, blank, plan, between, heading, empty, forecast = printed("monthly").splitlines()
    assert (plans, blank) == ("## Plan Variance", "")
    assert plan.startswith("- Plan variance: ")
    assert (between, heading, empty) == ("", "## Forecast", "")
    # 14 days of 2, and 15 more from today on.
    assert forecast.startswith("- Month to 2023-11-30: $58.00 expected ($58.00 to $58.00), $28.00 spent so far (")


def test_html_is_a_page_of_the_same() -> None:
    book(organization(), "38.21")
    text = printed("daily", "--date", "2023-11-16", "--format", "html")
    assert text.startswith("<h1>Daily Cost Report - 2023-11-16</h1>")
    assert text.endswith("</ul>\n")


def test_json_is_exact() -> None:
    acme = organization()
    book(acme, "0.000000000001" if _is_exact() else "0.000000001", input_tokens=3)
    book(acme, None, model="mystery")
    report = json.loads(printed("daily", "--date", "2023-11-16", "--format", "json", "--organization", "acme"))
    cost = "0.000000000001" if _is_exact() else "0.000000001"
    assert report["report"] == "daily"
    assert report["organization"] == "acme"
    assert (report["total_cost"], report["total_calls"], report["unpriced_calls"]) == (cost, 2, 1)
    assert report["cost_by_model"] == {"gpt-4": cost, "mystery": None}
    assert report["models"] == [
        {"model": "gpt-4", "cost": cost, "calls": 1, "tokens": 3, "unpriced_calls": 0},
        {"model": "mystery", "cost": None, "calls": 1, "tokens": 0, "unpriced_calls": 1},
    ]
    assert report["endpoints"] == [{"endpoint": "chat", "cost": cost, "calls": 2, "tokens": 3, "unpriced_calls": 1}]


@pytest.mark.parametrize(
    ("style", "line"),
    [
        ("markdown", "- pubmed: $0.08 (2 calls, 0 tokens)"),
        ("table", "pubmed  $0.08      2       0         0"),
        ("json", '    "pubmed": "0.08"'),
    ],
)
def test_a_tool_is_told_by_its_name_in_every_format(style: str, line: str) -> None:
    acme = organization()
    for resource_type in ("api_call", "web_search"):
        book(acme, "0.04", model="", provider="pubmed", resource_type=resource_type)
    assert line in printed("daily", "--date", "2023-11-16", "--format", style).splitlines()


def test_json_of_unpriced_calls_alone_has_no_cost() -> None:
    book(organization(), None)
    report = json.loads(printed("daily", "--date", "2023-11-16", "--format", "json"))
    assert (report["total_cost"], report["avg_cost_per_call"], report["total_calls"]) == (None, None, 1)


def _is_exact() -> bool:
    """PostgreSQL keeps 12 decimals in a sum, SQLite 9."""
    return connection.vendor != "sqlite"


def test_a_table_for_the_terminal() -> None:
    book(organization(), "38.21", input_tokens=198_432)
    lines = printed("daily", "--date", "2023-11-16", "--format", "table").splitlines()
    assert lines[0] == "Daily Cost Report - 2023-11-16"
    assert "gpt-4  $38.21      1  198,432         0" in lines


def test_one_organization_only() -> None:
    book(organization("acme"), "1")
    book(organization("globex"), "2")
    text = printed("daily", "--date", "2023-11-16", "--organization", "globex")
    assert "- Total cost: $2.00\n" in text
    assert "- Organization: globex\n" in text
    assert "- Total cost: $3.00\n" in printed("daily", "--date", "2023-11-16")


@time_machine.travel("2023-11-16T02:00:00Z", tick=False)
def test_today_is_the_reporting_zone_s() -> None:
    organization("acme", "America/New_York")
    assert printed("daily").startswith("# Daily Cost Report - 2023-11-15\n")
    organization("bharat", "Asia/Kolkata")
    assert printed("daily", "--organization", "acme").startswith("# Daily Cost Report - 2023-11-15\n")
    assert printed("daily").startswith("# Daily Cost Report - 2023-11-16\n")


def test_an_unknown_organization_is_refused_with_those_that_exist() -> None:
    with pytest.raises(CommandError, match=r"^Organization 'x' does not exist\. There are none yet: the first usage"):
        printed("daily", "--organization", "x")
    organization("globex")
    organization("acme")
    with pytest.raises(CommandError, match=r"^Organization 'x' does not exist\. Known ones: acme, globex\. Say one"):
        printed("daily", "--organization", "x")


@pytest.mark.parametrize("text", ["garbage", "2023-02-30", "0001-01-01", "9999-12-31", "", "2023-11-16\x00"])
def test_a_bad_date_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(CommandError, match=r"^--date: got .*, expected a date like 2023-11-16"):
        printed("daily", "--date", text)


@pytest.mark.parametrize("text", ["", "\x00", "x" * 201])
def test_a_bad_organization_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"^--organization: got '.*, expected an organization's slug\.$"):
        printed("daily", "--organization", text)


@pytest.mark.parametrize("arguments", [("yearly",), ("daily", "--format", "pdf"), ()])
def test_a_period_or_format_that_does_not_exist_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        printed(*arguments)
