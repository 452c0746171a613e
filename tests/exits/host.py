"""What a host's process does in these tests: it meters, and nothing but its end may bring that to the ledger."""

from __future__ import annotations

import os
from typing import Any

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.exits.settings")


def set_up() -> None:
    """Load Django, where no server has done so."""
    if not apps.ready:
        django.setup()


def fields(name: str) -> dict[str, Any]:
    """Of one event: its name is its key, and what the ledger shows of it."""
    common = {"provider": "openai", "model": "test-model", "organization": "acme"}
    return {**common, "idempotency_key": name, "request_id": name}


def meter_some(prefix: str, count: int = 3) -> None:
    """Meter prefix-0, prefix-1, ...; neither the flusher's next round nor another process will book them."""
    set_up()
    from costtrack import record_usage

    only_the_exit_books()
    for number in range(count):
        record_usage(**fields(f"{prefix}-{number}"), input_tokens=1000, output_tokens=100)


async def meter_some_async(prefix: str, count: int = 3) -> None:
    """The same by `async with`."""
    from costtrack import meter

    only_the_exit_books()
    for number in range(count):
        async with meter("chat", **fields(f"{prefix}-{number}")) as call:
            call.set_usage(input_tokens=1000, output_tokens=100)


def only_the_exit_books() -> None:
    """The flusher runs and waits, as in the second between two rounds; nobody adopts."""
    from costtrack.metering.spool import flusher

    flusher.ROUND_SECONDS = 3600.0
    flusher.ADOPT_SECONDS = 3600.0
    flusher.Flusher._book_orphans = lambda self: None  # type: ignore[method-assign]
