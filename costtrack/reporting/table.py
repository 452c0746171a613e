"""A cost report as aligned plain text, for a terminal."""

from __future__ import annotations

from costtrack.domain.money import format_usd
from costtrack.reporting.figures import CostLine
from costtrack.reporting.report import CostReport
from costtrack.reporting.section_lines import section_lines
from costtrack.reporting.wording import one_line, usd_text

HEADINGS = ("Cost", "Calls", "Tokens", "Unpriced")


def table_report(report: CostReport) -> str:
    """The report as a title, the totals, two tables and its sections; ends with a newline."""
    whole = report.breakdown
    figures = whole.figures
    per_call = "priced call" if figures.unpriced_calls else "call"
    totals = [
        ["Total cost", usd_text(figures.known_cost_usd)],
        ["Total API calls", f"{figures.calls:,}"],
        ["Total tokens", f"{figures.total_tokens:,}"],
        [f"Average cost per {per_call}", format_usd(figures.average_cost_usd, 6)],
        ["Average tokens per call", f"{figures.average_tokens:,.2f}"],
        ["Unpriced calls", f"{figures.unpriced_calls:,}"],
    ]
    if report.organization:
        totals.append(["Organization", report.organization])
    blocks = [
        [report.title],
        _aligned(totals),
        _aligned(_rows("Model", whole.by_model)),
        _aligned(_rows("Endpoint", whole.by_endpoint)),
    ]
    blocks += [[heading, *texts] for heading, texts in section_lines(report)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _rows(heading: str, lines: tuple[CostLine, ...]) -> list[list[str]]:
    rows = [[heading, *HEADINGS]]
    for line in lines:
        figures = line.figures
        counts = (figures.calls, figures.total_tokens, figures.unpriced_calls)
        rows.append([one_line(line.name), usd_text(figures.known_cost_usd), *(f"{count:,}" for count in counts)])
    return rows


def _aligned(rows: list[list[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
