"""A cost report as HTML for mail: plain tables, no style sheet, every name escaped."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from costtrack.domain.money import format_usd
from costtrack.reporting.figures import CostLine
from costtrack.reporting.report import CostReport
from costtrack.reporting.section_lines import section_lines
from costtrack.reporting.wording import one_line, usd_text

CELL = 'style="text-align:right;padding:2px 12px"'


def html_report(report: CostReport) -> SafeString:
    """The same sections as `markdown_report`."""
    figures = report.breakdown.figures
    summary = [
        ("Total cost", usd_text(figures.known_cost_usd)),
        ("Total API calls", f"{figures.calls:,}"),
        ("Total tokens", f"{figures.total_tokens:,}"),
        ("Average cost per call", format_usd(figures.average_cost_usd, 6)),
        ("Average tokens per call", f"{figures.average_tokens:,.2f}"),
    ]
    if figures.unpriced_calls:
        summary.append(("Unpriced calls, in no total", f"{figures.unpriced_calls:,}"))
    rows = format_html_join("", f'<tr><th style="text-align:left">{{}}</th><td {CELL}>{{}}</td></tr>', summary)
    return format_html(
        "<h1>{}</h1>{}<h2>Summary</h2><table>{}</table><h2>Cost by Model</h2>{}<h2>Cost by Endpoint</h2>{}{}",
        report.title,
        format_html("<p>Organization: {}</p>", report.organization) if report.organization else "",
        rows,
        _table(report.breakdown.by_model),
        _table(report.breakdown.by_endpoint),
        format_html_join(
            "", "<h2>{}</h2><ul>{}</ul>", ((name, _items(texts)) for name, texts in section_lines(report))
        ),
    )


def _items(texts: Sequence[str]) -> SafeString:
    return format_html_join("", "<li>{}</li>", ((text,) for text in texts))


def _table(lines: Sequence[CostLine]) -> SafeString:
    if not lines:
        return format_html("<p>{}</p>", "No usage.")
    cells = (
        (
            one_line(line.name),
            usd_text(line.figures.known_cost_usd),
            f"{line.figures.calls:,}",
            f"{line.figures.total_tokens:,}",
        )
        for line in lines
    )
    row = f'<tr><th style="text-align:left">{{}}</th><td {CELL}>{{}}</td><td {CELL}>{{}}</td><td {CELL}>{{}}</td></tr>'
    return format_html(
        "<table><thead><tr><th></th><th>cost</th><th>calls</th><th>tokens</th></tr></thead><tbody>{}</tbody></table>",
        format_html_join("", row, cells),
    )
