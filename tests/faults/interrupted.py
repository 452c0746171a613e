"""Run as a process: meter while a timer's signal handler raises at any moment, as Celery's soft time limit does."""

from __future__ import annotations

import faulthandler
import json
import os
import random
import signal
import sys
from pathlib import Path

import django

from tests.faults.metering import by_record_usage, meter_and_note

EVENTS = 4000


class SoftTimeLimit(Exception):
    """Raised by the handler."""


def main() -> None:
    django.setup()
    faulthandler.dump_traceback_later(60, exit=True)  # where it hangs, if it does
    import costtrack
    from costtrack.metering import spool
    from costtrack.metering.spool import appender

    folder, chance = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    appender.SEGMENT_BYTES = 60_000  # so that segments end under a signal, too
    descriptor = os.open(folder / "interrupted.notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    meter_and_note("first", descriptor, way=by_record_usage)  # what the first call imports is not what this is about
    is_armed = False

    def raise_now(*_: object) -> None:
        if is_armed:
            raise SoftTimeLimit

    signal.signal(signal.SIGALRM, raise_now)
    interrupted = 0
    for number in range(EVENTS):
        key = f"i-{number}"
        os.write(descriptor, f"> {key}\n".encode())
        is_seen = False
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 150e-6))
            is_armed = True
            by_record_usage(key)
            is_armed = False
            is_seen = True
        except Exception as error:
            if not isinstance(error, SoftTimeLimit) and not isinstance(error.__cause__, SoftTimeLimit):
                raise
            interrupted += 1
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        if is_seen:
            os.write(descriptor, f"< {key} 0\n".encode())
    meter_and_note("last", descriptor, way=by_record_usage)
    is_flushed = costtrack.flush(20)
    running = spool.running()
    assert running is not None
    waiting = sum(max(0, segment.size() - segment.header.offset) for segment in running.appender.segments())
    print(json.dumps({"interrupted": interrupted, "is_flushed": is_flushed, "bytes_waiting": waiting}), flush=True)


if __name__ == "__main__":
    main()
