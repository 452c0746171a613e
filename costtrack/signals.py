"""Signals that costtrack sends, after commit: to hosts, and from its lower layers to its higher ones."""

from __future__ import annotations

from django.dispatch import Signal

alerts_raised = Signal()
"""`alerts`: the new BudgetAlerts, in the process that raised them. For hosts that want to know at once."""

counters_moved = Signal()
"""`counter_ids`, `using`: what a transaction has added to the counters of budgets is committed."""

call_refused = Signal()
"""`budget_id`, `subject`, `period_start`, `limit`, `using`: a hard budget has refused a call."""
