"""Celery tasks: each calls one function that a command calls too. Celery is optional; cron does as well."""

from __future__ import annotations

from datetime import UTC, datetime

from celery import shared_task

from costtrack.aggregation import fold_pending
from costtrack.metering.partitions import coming_months, create_partitions


@shared_task(name="costtrack.aggregate_costs", ignore_result=True)
def aggregate_costs() -> int:
    """Fold pending sums and make the coming months' partitions, as `manage.py aggregate_costs`; rows folded."""
    folded = fold_pending()
    create_partitions(coming_months(datetime.now(UTC).date()))
    return folded
