"""Jobs that are killed at any moment: the next run leaves what one undisturbed run would have."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from costtrack.aggregation import verify_books
from costtrack.alerts.deliver import deliver_alerts
from costtrack.jobs import upkeep, watch
from costtrack.metering.ledger import record_events
from costtrack.models import AlertChannel, AlertDelivery, BudgetAlert, BudgetCounter, DailyCostSummary
from tests.budgets.asked import make_budget
from tests.exits.processes import url_of_the_test_database
from tests.factories import make_event, make_organization, make_rate

ROOT = Path(__file__).parents[2]
KILLS = 6
FOREVER = """
import django
django.setup()
from costtrack.jobs import recommendations, reports, upkeep, watch
print("ready", flush=True)
while True:
    for job in (upkeep.fold_costs, watch.check_budgets, watch.find_alerts, watch.deliver, upkeep.make_partitions,
                upkeep.prove_books, reports.send_daily_reports, recommendations.look_for_recommendations):
        job()
"""


def killed_after(seconds: float, spool: Path) -> None:
    """A process that runs all jobs again and again, until then."""
    environment = {
        **os.environ,
        "DATABASE_URL": url_of_the_test_database(),
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "COSTTRACK_SPOOL_DIR": str(spool),
        "PYTHONPATH": str(ROOT),
    }
    child = subprocess.Popen(
        [sys.executable, "-c", FOREVER], env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        child.wait(30)


@pytest.mark.django_db(transaction=True)
def test_fa_26_whenever_the_jobs_are_killed_the_next_run_leaves_all_in_order(tmp_path: Path) -> None:
    chance = random.Random(26)
    make_rate()
    acme = make_organization()
    budget = make_budget(acme, "0.045", enforcement="soft")
    AlertChannel.objects.create(organization=acme, name="mail", kind="email", target="a@example.org")
    for number in range(KILLS):
        record_events([make_event(occurred_at=datetime.now(UTC)) for _ in range(2)])
        budget.thresholds.create(level=20 * (number + 1))  # after the usage: for the job to find
        killed_after(chance.uniform(0.02, 0.4), tmp_path)
    for _ in range(2):
        upkeep.fold_costs()
        watch.check_budgets()
        deliver_alerts(now=datetime.now(UTC) + timedelta(hours=1))  # what a dead sender had claimed is free again
    assert upkeep.prove_books() == 0
    assert verify_books() == []
    assert not DailyCostSummary.all_grains.filter(grain="pending").exists()
    assert BudgetCounter.objects.get().spent == Decimal("0.054")  # 12 x 0.0045
    levels = sorted(row.figures["threshold"] for row in BudgetAlert.objects.filter(budget=budget))
    assert levels == ["100", "120", "20", "40", "60", "80"]
    assert set(AlertDelivery.objects.values_list("state", flat=True)) == {"sent"}
    assert AlertDelivery.objects.count() == BudgetAlert.objects.count()
