"""IN-40: an export of many rows takes no more memory than one of few. On Linux, which tells how much it was."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from costtrack.metering.ledger import record_events
from costtrack.models import ResourceUsage
from tests.api.callers import ROOT, person
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
FEW, MANY = 40_000, 200_000
SPARE_MIB = 12
"""What allocators keep for later, and what other work in the process takes."""


def fill() -> None:
    """FEW rows on the day before that of NOON, and on that day what is missing to MANY; each costs 0.0045 USD."""
    make_rate()
    make_organization()
    for days, count in ((1, FEW), (0, MANY - FEW)):
        (result,) = record_events([make_event(occurred_at=NOON - timedelta(days=days))])
        names = [field.column for field in ResourceUsage._meta.concrete_fields if field.column != "id"]
        columns = ", ".join(map(connection.ops.quote_name, names))
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH RECURSIVE numbers (place) AS "
                "(SELECT 2 UNION ALL SELECT place + 1 FROM numbers WHERE place < %s) "
                f"INSERT INTO costtrack_resourceusage ({columns}) "
                f"SELECT {columns} FROM costtrack_resourceusage, numbers WHERE id = %s",
                [count, result.usage_id],
            )


def mib(field: str) -> float:
    """Memory of this process: VmRSS is what it takes now, VmHWM the most that it took."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def taken_by(client: Client, question: dict[str, str]) -> tuple[int, float]:
    """How many bytes an export has, and how many MiB it takes while it is made and sent."""
    Path("/proc/self/clear_refs").write_text("5")  # the most is what is taken now
    before = mib("VmRSS")
    answer: Any = client.get(f"{ROOT}usage", question)
    return sum(len(part) for part in answer), mib("VmHWM") - before


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_in_40_of_200_000_rows_no_more_is_in_memory_than_of_40_000(form: str) -> None:
    fill()
    client = person("root", is_superuser=True)
    few_bytes, few = taken_by(client, {"format": form, "to": "2026-11-20"})
    many_bytes, many = taken_by(client, {"format": form})
    print(f"\n{form}: {few:.1f} MiB for {few_bytes:,} bytes, {many:.1f} MiB for {many_bytes:,}")
    assert many_bytes > 4 * few_bytes
    assert many < few + SPARE_MIB
