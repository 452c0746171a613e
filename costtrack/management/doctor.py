"""What `manage.py costtrack_doctor` looks at: each examination is one line, and says what to do if it is not well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.core.checks import CheckMessage, run_checks
from django.core.checks.messages import WARNING
from django.db import Error as DatabaseError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from costtrack.conf import settings
from costtrack.jobs.health import delivery_problems, late_jobs
from costtrack.jobs.schedule import JOBS
from costtrack.metering.health import MeteringHealth
from costtrack.metering.partitions import default_partition_months
from costtrack.metering.spool.state import SegmentKind
from costtrack.models import AlertChannel, DailyCostSummary, JobRun, Rate
from costtrack.models.summaries import PENDING

MANY_PENDING = 50_000
"""So many sums wait to be folded only where no job folds; reports are right, but slower."""


class Verdict(StrEnum):
    """How an examination ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    about: str
    verdict: Verdict
    text: str


def examine(health: MeteringHealth) -> list[Finding]:
    """Every examination, in the order in which a cause comes before its effects. Changes nothing."""
    database = _database()
    findings = [*_settings(), database, *_metering(health)]
    if database.verdict is not Verdict.PROBLEM:
        findings += [_asked("rates", _rates), _asked("summaries", _summaries), _asked("partitions", _partitions)]
        findings += [*_several("jobs", _jobs), *_several("channels", _channels)]
    return findings


def _settings() -> Iterator[Finding]:
    messages: list[CheckMessage] = run_checks(tags=["costtrack"])
    for message in messages:
        verdict = Verdict.PROBLEM if message.level > WARNING else Verdict.WARNING
        hint = f" {message.hint}" if message.hint else ""
        yield Finding(about="settings", verdict=verdict, text=f"{message.id}: {message.msg}{hint}")
    if not messages:
        text = f"all keys of COSTTRACK are right; transport {settings.transport}"
        yield Finding(about="settings", verdict=Verdict.OK, text=text)


def _database() -> Finding:
    connection = connections[settings.database]
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "costtrack"]
        missing = [
            migration.name for migration, _ in executor.migration_plan(targets) if migration.app_label == "costtrack"
        ]
    except DatabaseError as error:
        text = f"{settings.database!r} does not answer: {' '.join(str(error).split())}"
        return Finding(about="database", verdict=Verdict.PROBLEM, text=text)
    if missing:
        text = f"{len(missing)} migration(s) are missing, {missing[0]} first: run `manage.py migrate`"
        return Finding(about="database", verdict=Verdict.PROBLEM, text=text)
    return Finding(
        about="database", verdict=Verdict.OK, text=f"{connection.vendor} answers, all migrations are applied"
    )


def _metering(health: MeteringHealth) -> Iterator[Finding]:
    counters, spool = health.counters, health.spool
    yield Finding(
        about="spool",
        verdict=Verdict.OK,
        text=f"{spool.directory}: {spool.bytes:,} of {health.spool_max_bytes:,} bytes, segments: "
        + ", ".join(f"{spool.count(kind)} {kind}" for kind in SegmentKind),
    )
    yield Finding(
        about="waiting",
        verdict=Verdict.OK,
        text=f"{spool.unbooked_bytes:,} bytes of events are not in the ledger yet, the oldest for "
        f"{spool.oldest_unflushed_seconds:,.1f} s",
    )
    shown = ", ".join(f"{counters[name]:,} {name.replace('_', ' ')}" for name in counters)
    yield Finding(about="counted", verdict=Verdict.OK, text=f"since this spool began: {shown}")
    for problem in health.problems:
        yield Finding(about="metering", verdict=Verdict.PROBLEM, text=problem)


def _rates() -> Finding:
    count = Rate.objects.using(settings.database).count()
    if not count:
        text = "there is no rate, so all usage is unpriced: run `manage.py load_rates`"
        return Finding(about="rates", verdict=Verdict.WARNING, text=text)
    return Finding(about="rates", verdict=Verdict.OK, text=f"{count:,} rates")


def _summaries() -> Finding:
    pending = DailyCostSummary.all_grains.using(settings.database).filter(grain=PENDING)[: MANY_PENDING + 1].count()
    if pending > MANY_PENDING:
        text = f"over {MANY_PENDING:,} sums wait to be folded: run `manage.py aggregate_costs` every few minutes"
        return Finding(about="summaries", verdict=Verdict.WARNING, text=text)
    return Finding(about="summaries", verdict=Verdict.OK, text=f"{pending:,} sums wait to be folded")


def _partitions() -> Finding:
    months = default_partition_months()
    if months:
        named = ", ".join(f"{month:%Y-%m}" for month in months)
        text = f"the default partition holds rows of {named}: run `manage.py partition_usage --move-default-rows`"
        return Finding(about="partitions", verdict=Verdict.WARNING, text=text)
    return Finding(about="partitions", verdict=Verdict.OK, text="no row lies in the default partition")


def _jobs() -> list[Finding]:
    alias = settings.database
    late = late_jobs(now=timezone.now(), using=alias)
    if late:
        return [Finding(about="jobs", verdict=Verdict.WARNING, text=text) for text in late]
    run = JobRun.objects.using(alias).count()
    return [Finding(about="jobs", verdict=Verdict.OK, text=f"{run} of {len(JOBS)} have run, none is late")]


def _channels() -> list[Finding]:
    alias = settings.database
    problems = delivery_problems(using=alias)
    if problems:
        return [Finding(about="channels", verdict=Verdict.PROBLEM, text=text) for text in problems]
    count = AlertChannel.objects.using(alias).filter(is_active=True).count()
    return [Finding(about="channels", verdict=Verdict.OK, text=f"{count:,} active, none in trouble")]


def _several(about: str, examination: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return examination()
    except DatabaseError as error:
        return [_not_looked_at(about, error)]


def _asked(about: str, examination: Callable[[], Finding]) -> Finding:
    try:
        return examination()
    except DatabaseError as error:
        return _not_looked_at(about, error)


def _not_looked_at(about: str, error: DatabaseError) -> Finding:
    text = f"could not be looked at: {' '.join(str(error).split())}"
    return Finding(about=about, verdict=Verdict.PROBLEM, text=text)
