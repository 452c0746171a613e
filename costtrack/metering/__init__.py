"""Metering: who causes a call, what it used, and its way into the ledger."""

from costtrack.metering.lost import failures

__all__ = ["failures"]
