"""Why a whole file, or one row, is not imported. A bad row stops nothing: it is reported and the rest lands."""

from __future__ import annotations

from costtrack.exceptions import CostTrackError


class UnreadableSource(CostTrackError, ValueError):
    """The file cannot be opened, or is no CSV or JSONL file in UTF-8."""


class UnusableMapping(CostTrackError, ValueError):
    """The fields and the columns of the file do not fit; nothing was written."""


class UnreadableFigures(CostTrackError, ValueError):
    """A row's usage has figures that cannot be read. It says which; that row alone is rejected."""
