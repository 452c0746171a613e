"""For host projects' tests: `memory_log()` keeps what is metered in memory instead of the ledger.

    with memory_log() as log:
        summarize(text)
    assert [event.model for event in log] == ["gpt-4o"]
"""

from costtrack.metering.memory import MemoryLog, memory_log

__all__ = ["MemoryLog", "memory_log"]
