"""The progress line of import_usage."""

from __future__ import annotations

import io

from django.core.management.base import OutputWrapper

from costtrack.management.import_display import Progress, progress_line
from costtrack.metering.importing.run import ImportSummary
from costtrack.metering.importing.source import Source


def test_the_progress_line_shows_share_rows_and_speed():
    summary = ImportSummary(recorded=12_000, seconds=2.0)
    assert progress_line(summary, 50, 100) == "[############------------]  50%  12,000 rows  6,000 rows/s"
    assert progress_line(summary, 50, None) == "12,000 rows  6,000 rows/s"


def test_progress_is_shown_only_where_it_is_wanted():
    for is_shown in (True, False):
        out = io.StringIO()
        progress = Progress(OutputWrapper(out), Source(io.BytesIO(), name="x"), is_shown=is_shown)
        progress.show(ImportSummary(recorded=5))
        progress.clear()
        assert ("5 rows" in out.getvalue()) is is_shown
