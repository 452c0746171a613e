"""`flush`: wait until what this process has metered is in the ledger."""

from __future__ import annotations

import time

from django.db import connections

from costtrack.conf import settings
from costtrack.exceptions import FlushInTransaction
from costtrack.metering.database_thread import wait_for_later
from costtrack.metering.subscribers import drain


def flush(timeout_seconds: float = 10.0) -> bool:
    """Wait until everything that this process has metered so far is in the ledger, and its subscribers know it.

    True if it is; False if that took longer: nothing is lost then, it stays in the spool. An event that can not be
    booked counts once it is a dead letter, or waits for its organization. In a coroutine call it by
    `asyncio.to_thread`, since it blocks.

    Raises FlushInTransaction inside an open transaction on SQLite, which has one writer: the flusher would wait for
    the very transaction that waits for it.
    """
    from costtrack.metering import spool

    deadline = time.monotonic() + timeout_seconds
    connection = connections[settings.database]
    if spool.running() is not None and connection.vendor == "sqlite" and connection.in_atomic_block:
        raise FlushInTransaction
    try:
        wait_for_later(max(0.0, deadline - time.monotonic()))  # a stream that was dropped is recorded there
    except TimeoutError:
        return False
    is_flushed = spool.flush(max(0.0, deadline - time.monotonic()))
    return drain(max(0.0, deadline - time.monotonic())) and is_flushed
