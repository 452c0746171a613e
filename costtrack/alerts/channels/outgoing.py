"""What is sent over a channel, whatever its kind, and how one fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message. A receiver that gets the same `id` twice has got the same message twice."""

    id: str
    type: str
    """`alert.raised`, `usage.recorded`, `report.daily` or `test`."""
    created_at: datetime
    subject: str
    """One line."""
    text: str
    html: str = ""
    severity: str = "info"
    data: Mapping[str, Any]
    """The same for programs."""


LONGEST_REASON = 500


class DeliveryFailed(Exception):
    """It could not be sent. The message is for people, one line that any database takes, and has no secret in it."""

    def __init__(self, reason: str, *, is_permanent: bool = False) -> None:
        self.is_permanent = is_permanent
        """Trying again would not help."""
        # A receiver's words may be in it: NULs, lone surrogates, whatever turns a terminal's text.
        shown = "".join(one if one.isprintable() else " " for one in reason)
        super().__init__(" ".join(shown.split())[:LONGEST_REASON])
