"""The spool: events on disk before the metered call returns, and in the ledger soon after."""

from costtrack.metering.spool.appender import SpoolBusy, SpoolFull
from costtrack.metering.spool.directory import SpoolUnusable, spool_directory
from costtrack.metering.spool.running import append, append_all, flush, running, stop

__all__ = [
    "SpoolBusy",
    "SpoolFull",
    "SpoolUnusable",
    "append",
    "append_all",
    "flush",
    "running",
    "spool_directory",
    "stop",
]
