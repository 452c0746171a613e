"""Django admin screens for every table but UsageKey, whose rows nobody edits or reads by hand."""

from costtrack.admin import ledger, rates, summaries, tenancy

__all__ = ["ledger", "rates", "summaries", "tenancy"]
