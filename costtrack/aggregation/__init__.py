"""Summaries: folded from pending rows, proved against the ledger, rebuilt from it."""

from costtrack.aggregation.fold import fold_pending
from costtrack.aggregation.rebuild import rebuild_summaries
from costtrack.aggregation.verify import Difference, verify_books

__all__ = ["Difference", "fold_pending", "rebuild_summaries", "verify_books"]
