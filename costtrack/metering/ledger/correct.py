"""The ledger's side of a correction: its original under a lock, the new row, and what that does to the summaries."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import IntegrityError, connections, transaction

from costtrack.budgets.spending import write_and_count
from costtrack.domain.events import CostSource, UsageKind
from costtrack.domain.money import decimal_from_database
from costtrack.exceptions import InvalidCorrection
from costtrack.metering.cleaning import clean_text
from costtrack.metering.ledger.backends import backend_for
from costtrack.metering.ledger.counted import counted_correction
from costtrack.metering.ledger.rows import ATTRIBUTION_COLUMNS, ZERO, SummaryPart
from costtrack.metering.ledger.sums import pending_rows
from costtrack.metering.ledger.usage_outbox import add_usage_deliveries
from costtrack.models import ResourceUsage
from costtrack.models.summaries import AGENT_DIMENSIONS, COUNT_SUMS

MAX_REASON = 500
COPIED_FIELDS = (
    "organization_id",
    "project_id",
    "agent_id",
    "occurred_at",
    "day",
    *ATTRIBUTION_COLUMNS,
    "tags",
    "resource_type",
    "provider",
    "gateway",
    "model",
    "service_tier",
    "outcome",
    "rate_id",
    "saving_kind",
)
"""What a correction shares with its original, so that it lands in the same day and sums."""


def locked_with_corrections(usage: object, *, using: str) -> tuple[ResourceUsage, list[ResourceUsage]]:
    """The original, locked so that two corrections of it queue, and its corrections so far, oldest first.

    Raises InvalidCorrection for what can not be corrected: no usage, itself a correction, void already.
    """
    usage_id = usage if type(usage) is int else getattr(usage, "usage_id", getattr(usage, "id", None))
    if type(usage_id) is not int:
        raise InvalidCorrection(f"usage: got {usage!r}, expected what record_usage() gave, a ledger row, or its id.")
    rows = ResourceUsage.objects.using(using)
    original = rows.select_for_update().filter(id=usage_id).first()
    if original is None:
        raise InvalidCorrection(f"There is no usage {usage_id}.")
    if original.kind != UsageKind.USAGE:
        raise InvalidCorrection(f"Row {usage_id} is itself a correction ({original.kind}); correct its original.")
    corrections = list(
        rows.filter(organization_id=original.organization_id, day=original.day, corrects_id=original.id).order_by("id")
    )
    if any(row.kind == UsageKind.VOID for row in corrections):
        raise InvalidCorrection(f"Usage {usage_id} is void already; nothing of it is left to correct.")
    for row in [original, *corrections]:
        row.amount = decimal_from_database(row.amount)
        row.saving_usd = decimal_from_database(row.saving_usd)
    return original, corrections


def correction_of(original: ResourceUsage, kind: UsageKind, reason: str) -> ResourceUsage:
    """A row that corrects `original`, by nothing so far; not saved. Raises InvalidCorrection without a reason."""
    text = clean_text("reason", reason, MAX_REASON)
    if not text:
        raise InvalidCorrection("A correction needs a reason: say why, and who asked for it.")
    fields = {name: getattr(original, name) for name in COPIED_FIELDS}
    now = datetime.now(UTC)
    return ResourceUsage(
        **fields, kind=kind.value, corrects_id=original.id, reason=text, recorded_at=now, calls=0, amount=ZERO
    )


def append_correction(row: ResourceUsage, *, using: str) -> ResourceUsage:
    """Save a void or adjustment, with its pending summary and in its budgets, in one transaction.

    Inside a caller's that is a savepoint. Raises InvalidCorrection where the database refuses it: it would take back
    more than is left.
    """

    def write() -> None:
        row.pk = None  # of an attempt before
        row.save(using=using, force_insert=True)
        backend_for(connections[using]).insert_pending(pending_rows([correction_part(row)]))
        add_usage_deliveries({row.organization_id: [(row.id, row.day)]}, using=using)

    try:
        with transaction.atomic(using=using):
            write_and_count(write, counted_correction(row), using=using)
    except IntegrityError as error:
        raise InvalidCorrection(str(error).strip().splitlines()[0]) from error
    return row


def correction_part(row: ResourceUsage) -> SummaryPart:
    """What a correction adds to its day's summary; figures carry their sign."""
    cost = row.cost_usd or ZERO
    return SummaryPart(
        tuple(getattr(row, name) for name in AGENT_DIMENSIONS),
        tuple(getattr(row, name) or 0 for name in COUNT_SUMS),
        (
            row.amount,
            cost,
            cost if row.cost_source == CostSource.REPORTED else ZERO,
            cost if row.cost_source == CostSource.ESTIMATED else ZERO,
            row.saving_usd,
        ),
    )
