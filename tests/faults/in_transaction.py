"""Run as a process: meter inside one long transaction that writes, and roll it back."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import django

from tests.faults.metering import by_meter, by_record_usage, meter_and_note


def main() -> None:
    django.setup()
    from django.db import transaction

    import costtrack
    from costtrack.exceptions import FlushInTransaction
    from costtrack.models import Organization, ResourceUsage

    descriptor = os.open(Path(sys.argv[1]) / "t.notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    began = time.monotonic()
    flush_refused = False
    with transaction.atomic():
        Organization.objects.create(slug="never")  # takes the lock
        for number in range(500):
            meter_and_note(f"t-{number}", descriptor, way=by_meter if number % 2 else by_record_usage)
            time.sleep(0.006)
        try:
            costtrack.flush(5)
        except FlushInTransaction:
            flush_refused = True
        seconds = time.monotonic() - began
        transaction.set_rollback(True)
    assert costtrack.flush(20)
    assert ResourceUsage.objects.count() == 500
    print(json.dumps({"seconds_in_transaction": seconds, "flush_refused": flush_refused}))


if __name__ == "__main__":
    main()
