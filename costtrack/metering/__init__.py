"""Metering: who causes a call, what it used, and its way into the ledger."""

from costtrack.metering.lost import failures
from costtrack.metering.memory import memory_log

__all__ = ["failures", "memory_log"]
