"""Run as a process: meter five events of a month that has no partition yet, and print where they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import django

WHEN = datetime(2022, 11, 20, tzinfo=UTC)


def main() -> None:
    django.setup()
    from django.db import connection

    from costtrack import flush, record_usage

    for number in range(5):
        record_usage(
            provider="openai",
            model="test-model",
            input_tokens=1000,
            organization="acme",
            idempotency_key=f"old-{number}",
            occurred_at=WHEN,
        )
    assert flush()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM costtrack_resourceusage GROUP BY 1")
        [(partition, rows)] = cursor.fetchall()
    print(json.dumps({"partition": partition, "rows": rows}))


if __name__ == "__main__":
    main()
