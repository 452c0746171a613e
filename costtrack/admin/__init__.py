"""Django admin screens for every table but UsageKey, whose rows nobody edits or reads by hand."""

from costtrack.admin import (
    alerts,
    budget_books,
    budgets,
    channels,
    keys,
    ledger,
    plans,
    rates,
    runs,
    summaries,
    tenancy,
)

__all__ = [
    "alerts",
    "budget_books",
    "budgets",
    "channels",
    "keys",
    "ledger",
    "plans",
    "rates",
    "runs",
    "summaries",
    "tenancy",
]
