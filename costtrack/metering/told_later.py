"""Calls of a gateway whose end it tells on a thread of its own, maybe after the block around them: charged then."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costtrack.metering.call import Call


class ToldLater:
    """One such call, as the blocks around it know it: what it will charge they do not."""

    def __init__(self, call: Call, *, call_id: str, is_stream: bool, may_take_hold: bool) -> None:
        """`call_id` is the gateway's own. `may_take_hold`: nothing is held for `call` itself."""
        self.call_id = call_id
        self.is_stream = is_stream
        self._call: Call | None = call
        self._may_take_hold = may_take_hold
        self._lock = threading.Lock()

    def ends_now(self) -> bool:
        """Whether its end is told for the first time. From here on it takes no hold."""
        with self._lock:
            is_first = self._call is not None
            self._call = None
            return is_first

    def take_hold(self, around: Call) -> bool:
        """Let its row settle what the block around it holds; False if it has ended, or settles a hold of its own.

        Were that given back when the block ends, nothing would be held until the row is booked.
        """
        with self._lock:
            if self._call is None or not self._may_take_hold:
                return False
            self._may_take_hold = False
            self._call.hold_id, self._call.hold_leases = around.hold_id, around.hold_leases
            self._call.occurred_at = around.given.get("occurred_at") or around.occurred_at
            around.hold_id = None
            return True
