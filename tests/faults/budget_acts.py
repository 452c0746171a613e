"""Run as a process, `budget_acts NAME JSON`: one thing done to budgets; prints what came of it as JSON."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

from tests.faults.budget_calls import Call, wait_for


def set_up(projects: list[str] | None = None, budgets: list[dict[str, Any]] | None = None) -> dict[str, int]:
    """Make projects of acme and budgets, total and hard unless they say otherwise; ids by the budgets' names."""
    from costtrack.budgets.changes import create_budget
    from costtrack.models import Organization, Project

    for slug in projects or ():
        Project.objects.create(organization=Organization.objects.get(slug="acme"), slug=slug)
    ids = {}
    for fields in budgets or ():
        values = {"period": "total", "enforcement": "hard", **fields}
        values["organization"] = Organization.objects.get_or_create(slug=values.get("organization", "acme"))[0]
        if "project" in values:
            values["project"] = Project.objects.get(slug=values["project"])
        if values.get("limit") is not None:
            values["limit"] = Decimal(values["limit"])
        ids[values["name"]] = create_budget(**values).pk
    return ids


def change_limits(limits: dict[str, str]) -> dict[str, float]:
    """Change the limits of budgets, by their names; the machine's monotonic clock right after the last commit."""
    from costtrack.budgets.changes import change_budget
    from costtrack.models import Budget

    for name, limit in limits.items():
        change_budget(Budget.objects.get(name=name), limit=Decimal(limit))
    return {"at": time.monotonic()}


def create(**fields: Any) -> dict[str, float]:
    """Make a budget; the clock right after the commit."""
    set_up(budgets=[fields])
    return {"at": time.monotonic()}


def sweep() -> dict[str, int]:
    """Sweep what has expired."""
    from costtrack.budgets.holds import sweep_expired

    return {"swept": sweep_expired(using="default")}


def hold_by_other_clocks(minutes: list[int]) -> list[dict[str, object]]:
    """Reserve, renew and sweep while this process's clock is off by so many minutes; what became of the holds."""
    import time_machine

    from costtrack.budgets.holds import renew
    from costtrack.models import Hold

    played = []
    for off in minutes:
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=off), tick=True):
            calls = {
                name: Call(name=name, cost=Decimal("0.01"), who={}, ttl=timedelta(seconds=seconds))
                for name, seconds in (("short", 0.3), ("long", 600), ("renewed", 0.3))
            }
            for call in calls.values():
                call.reserve()
            renew(calls["renewed"].hold_id, timedelta(seconds=1200), using="default")
            time.sleep(0.5)
            swept = sweep()
        states = {name: Hold.objects.get(id=call.hold_id).state for name, call in calls.items()}
        played.append({**swept, **states})
    return played


def reserve_and_roll_back() -> dict[str, str]:
    """Reserve in the middle of a transaction that is then rolled back."""
    from django.db import transaction

    from costtrack.budgets.threads import end_threads, outside_transactions

    call = Call(name="c", cost=Decimal("0.01"), who={}, ttl=timedelta(seconds=600))
    with transaction.atomic():
        granted = outside_transactions(call.reserve)
        transaction.set_rollback(True)
    end_threads()
    return {"hold": granted.hold_id.hex}


def write_in_flight(folder: str, pause: str) -> dict[str, str]:
    """Book a call of a cent, with a pause in the batch's transaction: `before` or `after` it has read the budgets."""
    from costtrack.budgets import spending
    from costtrack.metering.ledger import record_events

    real = spending.book_for_writer
    place = Path(folder)

    def wait() -> None:
        (place / "in-batch").touch()
        wait_for(place / "batch-goes-on")

    def paused(*arguments: Any, **named: Any) -> Any:
        if (place / "in-batch").exists():  # the batch has begun again
            return real(*arguments, **named)
        if pause == "before":
            wait()
            return real(*arguments, **named)
        book = real(*arguments, **named)
        wait()
        return book

    spending.book_for_writer = paused
    [result] = record_events([Call(name="in flight", cost=Decimal("0.01"), who={}).event()], using="default")
    return {"status": result.status}


def reserve() -> dict[str, bool]:
    """Reserve a cent, for long."""
    granted = Call(name="r", cost=Decimal("0.01"), who={}, ttl=timedelta(seconds=600)).reserve()
    return {"is_held": granted is not None and granted.hold_id is not None}


ACTS = (
    set_up,
    change_limits,
    create,
    sweep,
    hold_by_other_clocks,
    reserve_and_roll_back,
    write_in_flight,
    reserve,
)


def main() -> None:
    django.setup()
    name, arguments = sys.argv[1:]
    [act] = [act for act in ACTS if act.__name__ == name]
    print(json.dumps(act(**json.loads(arguments))))


if __name__ == "__main__":
    main()
