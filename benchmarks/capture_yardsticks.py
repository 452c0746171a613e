"""What the caller's path is measured by: the same bytes by C alone, and the least that Python can do."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

from timing import MedianCall

Call = dict[str, Any]
"""What a caller says of a call."""


def orjson_and_write(calls: Sequence[Call], folder: Path) -> MedianCall[Any]:
    """The least that anybody can do: the same bytes by orjson, from data that is there, and one write."""
    import orjson

    from costtrack.metering.events import build_event
    from costtrack.metering.spool.encoding import encode

    lines = [encode(build_event(**call), time.time_ns() // 1_000_000) for call in calls]
    payloads = [[*orjson.loads(line[9:]), "sixsix"] for line in lines]  # as long as the line with its checksum
    descriptor = os.open(folder / "written", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)

    def dump_and_write(payload: Any) -> None:
        os.write(descriptor, orjson.dumps(payload, option=orjson.OPT_APPEND_NEWLINE))

    for line, payload in zip(lines, payloads, strict=True):
        assert len(line) == len(orjson.dumps(payload, option=orjson.OPT_APPEND_NEWLINE))
    return MedianCall(dump_and_write, payloads)


def least_in_python(folder: Path) -> Callable[[Call], None]:
    """A line of the same kind with nothing but a clock, a key, a checksum, a lock and a write.

    No field is checked, no event is there to give back, no limit is kept, no fork or interrupt is noticed.
    """
    import orjson

    from costtrack.metering.context import current_attribution

    attribution, lock = vars(current_attribution()), threading.RLock()
    descriptor = os.open(folder / "least", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write_line(
        *, model: str, provider: str, input_tokens: int, output_tokens: int, cache_read_tokens: int, latency_ms: int
    ) -> None:
        event = {
            "resource_type": "llm_tokens",
            "metadata": {},
            "occurred_at": datetime.now(UTC),
            "model": model,
            "provider": provider,
            "latency_ms": latency_ms,
            "attribution": attribution,
            "idempotency_key": os.urandom(16).hex(),
            "tokens": {
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "cache_read_tokens": cache_read_tokens,
            },
            "amount": str(input_tokens + output_tokens),
        }
        body = orjson.dumps((time.time_ns() // 1_000_000, event))
        with lock:
            os.write(descriptor, b"%08x " % crc32(body) + body + b"\n")

    return lambda call: write_line(**call)
