"""How import_usage shows what it does: a progress line on a terminal, then a summary as text or as JSON."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import OutputWrapper

from costtrack.domain.money import decimal_text
from costtrack.metering.importing.run import ImportRun, ImportSummary
from costtrack.metering.importing.source import Source
from costtrack.reporting.wording import counted

SECONDS_BETWEEN = 0.2
BAR_WIDTH = 24
WIDTH = 79
MODELS_SHOWN = 10


class Progress:
    """One line that is written over again and again: share of the file, rows, speed."""

    def __init__(self, stream: OutputWrapper, source: Source, *, is_shown: bool) -> None:
        self._stream = stream
        self._source = source
        self._is_shown = is_shown
        self._shown_at = 0.0

    def show(self, summary: ImportSummary) -> None:
        """Show where the import is, at most five times a second."""
        now = time.monotonic()
        if self._is_shown and now - self._shown_at >= SECONDS_BETWEEN:
            self._shown_at = now
            self._write(progress_line(summary, self._source.bytes_read, self._source.total_bytes))

    def clear(self) -> None:
        """Take the line away."""
        if self._shown_at:
            self._write("")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text[:WIDTH].ljust(WIDTH)}\r{text[:WIDTH]}", ending="", style_func=str)
        self._stream.flush()


def progress_line(summary: ImportSummary, bytes_read: int, total_bytes: int | None) -> str:
    """`[######------]  50 %  12,000 rows  9,800 rows/s`; without the bar where the size is not known."""
    text = f"{summary.rows:,} rows  {summary.rows_per_second:,} rows/s"
    if not total_bytes:
        return text
    share = min(1.0, bytes_read / total_bytes)
    done = int(share * BAR_WIDTH)
    return f"[{'#' * done}{'-' * (BAR_WIDTH - done)}] {share:4.0%}  {text}"


def summary_object(
    run: ImportRun, source: Source, *, created: list[str], skipped: Counter[str], rejects: Path | None
) -> dict[str, Any]:
    """Everything that an import tells, for `--json`; money is a string."""
    summary = run.summary
    return {
        "file": source.name,
        "source": run.source,
        "dry_run": run.is_dry,
        "created": created,
        "recorded": summary.recorded,
        "duplicates": summary.duplicates,
        "conflicts": summary.conflicts,
        "rejected": summary.rejected,
        "skipped": dict(skipped),
        "cost_usd": decimal_text(summary.cost_usd),
        "unpriced_calls": summary.unpriced_calls,
        "usage_missing_calls": summary.usage_missing_calls,
        "unpriced_models": dict(summary.unpriced_models.most_common()),
        "rejects_file": str(rejects) if rejects else None,
        "seconds": round(summary.seconds, 3),
        "rows_per_second": summary.rows_per_second,
    }


def summary_text(result: dict[str, Any], summary: ImportSummary) -> str:
    """The same as aligned text."""
    lines = [f"{result['file']} (source {result['source']})"]
    creates = "would create" if result["dry_run"] else "created"
    lines += [f"  {creates} {scope}" for scope in result["created"]]
    counts = {
        "would be recorded" if result["dry_run"] else "recorded": summary.recorded,
        "duplicates": summary.duplicates,
        "conflicts": summary.conflicts,
        "rejected": summary.rejected,
    }
    counts |= {f"skipped, {reason}": number for reason, number in sorted(result["skipped"].items())}
    rows = [(label, f"{number:,}", "") for label, number in counts.items()]
    if not result["dry_run"]:
        rows += [
            ("cost", result["cost_usd"], " USD"),
            ("unpriced", f"{summary.unpriced_calls:,}", " call" if summary.unpriced_calls == 1 else " calls"),
            ("time", f"{summary.seconds:.1f}", f" s ({summary.rows_per_second:,} rows/s)" if summary.rows else " s"),
        ]
    label_width = max(len(label) for label, _, _ in rows)
    value_width = max(len(value) for _, value, _ in rows)
    lines += [f"  {label:<{label_width}}  {value:>{value_width}}{unit}" for label, value, unit in rows]
    if summary.unpriced_models:
        lines.append("No rate is known for these models; their calls have no cost until one is loaded:")
        lines += [
            f"  {model or '(no model)'}: {counted(calls, 'call')}"
            for model, calls in summary.unpriced_models.most_common(MODELS_SHOWN)
        ]
        if len(summary.unpriced_models) > MODELS_SHOWN:
            lines.append(f"  and {counted(len(summary.unpriced_models) - MODELS_SHOWN, 'more model')}")
    if summary.usage_missing_calls:
        lines.append(f"Without usage: {counted(summary.usage_missing_calls, 'call')}. No rate can price them.")
    if summary.first_problems:
        lines.append("Not imported:")
        lines += [f"  line {line}: {reason}" for line, reason in summary.first_problems]
        more = summary.rejected + summary.conflicts - len(summary.first_problems)
        if more:
            lines.append(f"  and {more:,} more, in {result['rejects_file']}")
    return "\n".join(lines)
