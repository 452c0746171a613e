"""A cost report as Markdown."""

from __future__ import annotations

from costtrack.domain.money import format_usd
from costtrack.reporting.figures import CostLine, Figures
from costtrack.reporting.report import CostReport
from costtrack.reporting.section_lines import cost_line_text, section_lines
from costtrack.reporting.wording import counted, usd_text

ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\`*[]<>"})
"""A name must not become markup where somebody renders the report; _ inside a word and - are harmless."""


def markdown_report(report: CostReport) -> str:
    """The report with a summary, the costs by model and by endpoint, and its sections; ends with a newline."""
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
    for heading, texts in section_lines(report):
        lines += ["", f"## {heading}", "", *(f"- {text.translate(ESCAPES)}" for text in texts)]
    return "\n".join(lines) + "\n"


def _average(figures: Figures) -> str:
    average = format_usd(figures.average_cost_usd, 6)
    if figures.average_cost_usd is None or not figures.unpriced_calls:
        return average
    return f"{average} (over {counted(figures.priced_calls, 'priced call')})"


def _list(lines: tuple[CostLine, ...], *, with_tokens: bool) -> list[str]:
    texts = [cost_line_text(line, with_tokens=with_tokens) for line in lines]
    return [f"- {text.translate(ESCAPES)}" for text in texts] or ["No usage."]
