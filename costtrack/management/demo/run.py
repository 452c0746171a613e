"""The demo's run: organizations, traffic, fold and proof. Whatever goes wrong, nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from django.db import transaction

from costtrack.aggregation import fold_pending, verify_books
from costtrack.domain.periods import DayRange
from costtrack.exceptions import CostTrackError
from costtrack.management.demo.alerts import create_alert_rules, raise_demo_alerts
from costtrack.management.demo.flush import flush_demo
from costtrack.management.demo.live import call_live
from costtrack.management.demo.plan import plan_and_run
from costtrack.management.demo.traffic import play
from costtrack.management.demo.world import create_organizations, finish_organizations
from costtrack.metering.flushing import flush
from costtrack.metering.health import unrecorded_here
from costtrack.metering.partitions import create_partitions

FLUSH_SECONDS = 120.0
"""How long the demo waits for its last calls to be booked."""


class DemoFailed(CostTrackError):
    """The demo could not be played; what there was of it is removed."""


def run_demo(
    days: DayRange, *, seed: int, now: datetime, using: str, on_day: Callable[[date], None] = lambda day: None
) -> int:
    """Meter the traffic of those days in a database without usage, fold it, verify it; how many sums were folded.

    The database has its tables and rates. A killed run leaves organizations that are marked as unfinished; every
    other failure or interrupt removes what was made, and is raised.
    """
    # Outside of the transactions, which metering shares and where it never creates tables.
    create_partitions(days.days(), using=using)
    lost_before = unrecorded_here()
    try:
        with transaction.atomic(using=using):
            create_organizations(using=using)
        play(days, seed=seed, now=now, using=using, on_day=on_day)
        call_live(seed)
        plan_and_run(seed)
        if not flush(FLUSH_SECONDS):
            raise DemoFailed(
                "The database did not take all calls in two minutes; `manage.py costtrack_doctor` says why."
            )
        if lost := unrecorded_here() - lost_before:
            raise DemoFailed(f"{lost} call(s) could not be recorded; the log says why.")
        folded = fold_pending(using=using)
        if differences := verify_books(using=using):
            first = differences[0]
            raise DemoFailed(
                f"The summaries differ from the ledger in {len(differences)} place(s), first on {first.day} in the "
                f"{first.grain} grain: {first.dimensions}, ledger minus summary {first.ledger_minus_summary}."
            )
        with transaction.atomic(using=using):
            create_alert_rules(using=using)
        raise_demo_alerts(now=now, using=using)
        finish_organizations(using=using)
    except BaseException:
        flush(FLUSH_SECONDS)  # else what is still spooled would look for the organizations that are removed now
        flush_demo(using=using)
        raise
    return folded
