"""Celery tasks: each calls one job, as a command does too. Celery is optional; cron does as well."""

from __future__ import annotations

from dataclasses import asdict

from celery import shared_task

from costtrack.jobs import recommendations, reports, upkeep, watch


@shared_task(name="costtrack.aggregate_costs", ignore_result=True)
def aggregate_costs() -> int:
    """Fold pending sums, as `manage.py aggregate_costs`; the rows folded."""
    return upkeep.fold_costs()


@shared_task(name="costtrack.check_budgets", ignore_result=True)
def check_budgets() -> int:
    """End expired holds and look at thresholds, as `manage.py check_budgets`; the new alerts."""
    return watch.check_budgets().alerts


@shared_task(name="costtrack.deliver_alerts", ignore_result=True)
def deliver_alerts() -> dict[str, int]:
    """Send what is due, as `manage.py deliver_alerts`."""
    return asdict(watch.deliver())


@shared_task(name="costtrack.find_alerts", ignore_result=True)
def find_alerts() -> int:
    """Look for missing prices, unusual days and the like, as `manage.py find_alerts`; the new alerts."""
    return watch.find_alerts()


@shared_task(name="costtrack.find_recommendations", ignore_result=True)
def find_recommendations() -> int:
    """Look for what would cost less, as `manage.py find_recommendations`; the organizations looked at."""
    return recommendations.look_for_recommendations()


@shared_task(name="costtrack.daily_report", ignore_result=True)
def daily_report() -> dict[str, int]:
    """Send the daily reports that are due, as `manage.py send_daily_reports`."""
    return asdict(reports.send_daily_reports())


@shared_task(name="costtrack.partition_usage", ignore_result=True)
def partition_usage() -> int:
    """Make the coming months' partitions, as `manage.py partition_usage`; how many were missing."""
    return upkeep.make_partitions()


@shared_task(name="costtrack.flush_usage", ignore_result=True)
def flush_usage() -> int:
    """Book what dead processes left on the worker's machine, as `manage.py flush_usage`; the events recorded."""
    return upkeep.flush_leftovers()


@shared_task(name="costtrack.verify_books", ignore_result=True)
def verify_books() -> int:
    """Prove the books, as `manage.py aggregate_costs --verify`; the differences, of which an alert tells."""
    return upkeep.prove_books()
