"""What tests of the spool share: a call, waiting for the flusher, and holding it up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection

from tests.factories import make_organization

CALL: dict[str, Any] = {
    "organization": "acme",
    "provider": "openai",
    "model": "test-model",
    "input_tokens": 1000,
    "output_tokens": 100,
}
"""1000 x 3 + 100 x 15 = 4500 per million: 0.0045 USD."""


def segments(spool_dir: Path) -> list[Path]:
    """The segments that lie there."""
    return sorted(spool_dir.glob("*.segment"))


def hold_up_the_flusher() -> None:
    """It books nothing until the caller's transaction ends."""
    if connection.vendor == "sqlite":
        make_organization("writing")  # the lock of the one writer
    else:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE costtrack_usagekey")


def wait_until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Poll; fails after that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.01)
