"""What metering could not record: kept in the log as one line of JSON, and counted. Nothing is raised."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from costtrack.domain.events import UsageEvent
from costtrack.metering.event_json import event_json, json_line
from costtrack.metering.redaction import redact_text

logger = logging.getLogger("costtrack")

_lock = threading.Lock()
_failures = 0


def failures() -> int:
    """How many events this process could not record since it started. Each is in the log as an ERROR."""
    return _failures


def report_lost(event: UsageEvent | None, reason: str, details: Mapping[str, object] | None = None) -> None:
    """Log the event on the logger `costtrack` as one line of JSON, so that it can be recorded later, and count it.

    `details` stand in for an event that could not even be built.
    """
    global _failures
    with _lock:
        _failures += 1
    line = event_json(event) if event is not None else redact_text(json_line(dict(details or {})))
    logger.error("Usage could not be recorded: %s Event: %s", " ".join(reason.split()), line)
