from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from costtrack.domain.periods import ZoneHistory
from costtrack.reporting.breakdown import Breakdown
from costtrack.reporting.figures import CostLine, Figures, add_up
from costtrack.reporting.markdown import markdown_report
from costtrack.reporting.report import RANGES, CostReport, ReportKind
from costtrack.reporting.table import table_report

UTC_DAYS = ZoneHistory.of("UTC")


def report(
    *lines: CostLine, endpoints: tuple[CostLine, ...] = (), kind: ReportKind = ReportKind.DAILY, organization: str = ""
) -> CostReport:
    days = RANGES[kind](date(2023, 11, 16))
    return CostReport(
        kind=kind,
        days=days,
        period_start=UTC_DAYS.start_of(days.start),
        period_end=UTC_DAYS.start_of(days.end),
        organization=organization,
        breakdown=Breakdown(add_up(line.figures for line in lines), lines, endpoints),
    )


def line(name: str, cost: str, calls: int, tokens: int, *, unpriced: int = 0) -> CostLine:
    figures = Figures(calls=calls, unpriced_calls=unpriced, input_tokens=tokens, cost_usd=Decimal(cost))
    return CostLine(name, figures)


def test_the_daily_report_reads_as_it_always_did() -> None:
    # 38.21 + 7.46 = 45.67; 89 + 45 = 134; 198,432 + 51,568 = 250,000.
    # 45.67 / 134 = 0.340820895..., 250,000 / 134 = 1,865.6716...
    text = markdown_report(
        report(
            line("gpt-4", "38.21", 89, 198_432),
            line("gpt-3.5-turbo", "7.46", 45, 51_568),
            endpoints=(line("generate_clusters", "25.67", 45, 100_000), line("", "20", 89, 150_000)),
        )
    )
    assert text == (
        "# Daily Cost Report - 2023-11-16\n"
        "\n"
        "## Summary\n"
        "\n"
        "- Total cost: $45.67\n"
        "- Total API calls: 134\n"
        "- Total tokens: 250,000\n"
        "- Average cost per call: $0.340821\n"
        "- Average tokens per call: 1,865.67\n"
        "\n"
        "## Cost by Model\n"
        "\n"
        "- gpt-4: $38.21 (89 calls, 198,432 tokens)\n"
        "- gpt-3.5-turbo: $7.46 (45 calls, 51,568 tokens)\n"
        "\n"
        "## Cost by Endpoint\n"
        "\n"
        "- generate_clusters: $25.67 (45 calls)\n"
        "- (none): $20.00 (89 calls)\n"
    )


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (ReportKind.DAILY, "# Daily Cost Report - 2023-11-16"),
        (ReportKind.WEEKLY, "# Weekly Cost Report - 2023-11-13"),
        (ReportKind.MONTHLY, "# Monthly Cost Report - 2023-11"),
    ],
)
def test_the_title_names_the_period(kind: ReportKind, title: str) -> None:
    assert markdown_report(report(kind=kind)).splitlines()[0] == title


def test_unpriced_calls_are_told_and_never_cost_nothing() -> None:
    text = markdown_report(
        report(line("gpt-4", "2", 4, 10, unpriced=1), line("mystery", "0", 1, 1, unpriced=1), line("free", "0", 2, 5))
    )
    assert "- Unpriced calls: 2 (their cost is unknown and not in the total)\n" in text
    assert "- gpt-4: $2.00 (4 calls, 10 tokens, 1 unpriced)\n" in text
    assert "- mystery: unpriced (1 call, 1 token)\n" in text
    assert "- free: $0.00 (2 calls, 5 tokens)\n" in text
    # 2 / (7 - 2) = 0.4
    assert "- Total cost: $2.00\n" in text
    assert "- Average cost per call: $0.400000 (over 5 priced calls)\n" in text


def test_where_no_call_has_a_price_the_whole_is_unpriced() -> None:
    unknown = report(line("mystery", "0", 3, 30, unpriced=3))
    text, table = markdown_report(unknown), table_report(unknown)
    assert "- Total cost: unpriced\n" in text
    assert "- Average cost per call: unpriced\n" in text
    assert "Total cost                    unpriced\n" in table
    assert "Average cost per priced call  unpriced\n" in table
    assert "$" not in text + table


def test_less_than_a_cent_is_not_shown_as_nothing() -> None:
    assert "- Total cost: $0.000450\n" in markdown_report(report(line("gpt-4", "0.00045", 1, 1)))


def test_a_period_without_usage_says_so() -> None:
    text = markdown_report(report())
    assert "- Total cost: $0.00\n" in text
    assert text.count("No usage.") == 2


def test_a_report_on_one_organization_names_it() -> None:
    assert "- Organization: acme\n" in markdown_report(report(organization="acme"))
    assert "Organization  " in table_report(report(organization="acme"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x\n## Cost by Endpoint", "- x ## Cost by Endpoint: "),
        ("x\u2028y\x1b[31m", "- x y \\[31m: "),
        ("\u202egpt-4", "- gpt-4: "),
        ("<script>alert(1)</script>", "- \\<script\\>alert(1)\\</script\\>: "),
        ("[click](javascript:x)", "- \\[click\\](javascript:x): "),
        ("\r\n", "- (none): "),
    ],
)
def test_a_name_from_outside_stays_one_harmless_line(name: str, shown: str) -> None:
    text = markdown_report(report(line(name, "1", 2, 2)))
    assert f"\n{shown}$1.00 (2 calls, 2 tokens)\n" in text
    assert text.count("\n## ") == 3


def test_the_table_is_aligned() -> None:
    # 38.21 / 89 = 0.429325842..., 198,433 / 90 = 2,204.811...
    text = table_report(report(line("gpt-4", "38.21", 89, 198_432), line("mystery", "0", 1, 1, unpriced=1)))
    assert text == (
        "Daily Cost Report - 2023-11-16\n"
        "\n"
        "Total cost                       $38.21\n"
        "Total API calls                      90\n"
        "Total tokens                    198,433\n"
        "Average cost per priced call  $0.429326\n"
        "Average tokens per call        2,204.81\n"
        "Unpriced calls                        1\n"
        "\n"
        "Model        Cost  Calls   Tokens  Unpriced\n"
        "gpt-4      $38.21     89  198,432         0\n"
        "mystery  unpriced      1        1         1\n"
        "\n"
        "Endpoint  Cost  Calls  Tokens  Unpriced\n"
    )
