"""A cost report as Markdown."""

from __future__ import annotations

from costtrack.domain.money import format_usd
from costtrack.reporting.figures import CostLine, Figures
from costtrack.reporting.report import CostReport
from costtrack.reporting.wording import counted, one_line, usd_text

ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\`*[]<>"})
"""A name must not become markup where somebody renders the report; _ inside a word and - are harmless."""


def markdown_report(report: CostReport) -> str:
    """The report with a summary, the costs by model and by endpoint; ends with a newline."""
    whole = report.breakdown
    figures = whole.figures
    lines = [
        f"# {report.title}",
        "",
        "## Summary",
        "",
        f"- Total cost: {usd_text(figures.known_cost_usd)}",
        f"- Total API calls: {figures.calls:,}",
        f"- Total tokens: {figures.total_tokens:,}",
        f"- Average cost per call: {_average(figures)}",
        f"- Average tokens per call: {figures.average_tokens:,.2f}",
    ]
    if figures.unpriced_calls:
        lines.append(f"- Unpriced calls: {figures.unpriced_calls:,} (their cost is unknown and not in the total)")
    if report.organization:
        lines.append(f"- Organization: {report.organization}")
    lines += ["", "## Cost by Model", "", *_list(whole.by_model, with_tokens=True)]
    lines += ["", "## Cost by Endpoint", "", *_list(whole.by_endpoint, with_tokens=False)]
    return "\n".join(lines) + "\n"


def _average(figures: Figures) -> str:
    average = format_usd(figures.average_cost_usd, 6)
    if figures.average_cost_usd is None or not figures.unpriced_calls:
        return average
    return f"{average} (over {counted(figures.priced_calls, 'priced call')})"


def _list(lines: tuple[CostLine, ...], *, with_tokens: bool) -> list[str]:
    return [_line(line, with_tokens=with_tokens) for line in lines] or ["No usage."]


def _line(line: CostLine, *, with_tokens: bool) -> str:
    figures = line.figures
    details = [counted(figures.calls, "call")]
    if with_tokens:
        details.append(counted(figures.total_tokens, "token"))
    if figures.unpriced_calls and figures.known_cost_usd is not None:
        details.append(f"{figures.unpriced_calls:,} unpriced")
    name = one_line(line.name).translate(ESCAPES)
    return f"- {name}: {usd_text(figures.known_cost_usd)} ({', '.join(details)})"
