"""For host projects' tests: `with memory_log() as log:` keeps what is metered in memory instead of the ledger.

Then `assert [event.model for event in log] == ["gpt-4o"]`, for one.
"""

from costtrack.metering.memory import MemoryLog, memory_log

__all__ = ["MemoryLog", "memory_log"]
