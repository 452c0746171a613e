"""Usage that does not reach the ledger from this machine: a spool that grows, dead letters, failing writes."""

from __future__ import annotations

import socket
from datetime import datetime

from costtrack.metering.health import metering_health
from costtrack.models import BudgetAlert, Severity


def metering_problems(*, now: datetime, using: str) -> list[BudgetAlert]:
    """One finding per machine and day, about the site, with all that `manage.py costtrack_doctor` would say."""
    health = metering_health()
    if not health.problems:
        return []
    machine = socket.gethostname()
    return [
        BudgetAlert(
            kind=BudgetAlert.Kind.METERING,
            key=f"{machine} {now:%Y-%m-%d}"[:200],
            severity=Severity.CRITICAL if health.dead_letters or health.lost_here else Severity.WARNING,
            message="\n".join([f"Metering on {machine} needs somebody:", *health.problems]),
            figures={"machine": machine, "dead_letters": health.dead_letters, "spool_bytes": health.spool.bytes},
            raised_at=now,
        )
    ]
