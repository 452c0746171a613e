"""Django admin screens for every table but UsageKey, whose rows nobody edits or reads by hand."""

from costtrack.admin import budget_books, budgets, keys, ledger, rates, summaries, tenancy

__all__ = ["budget_books", "budgets", "keys", "ledger", "rates", "summaries", "tenancy"]
