"""What already stands in the ledger under a key that came again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from costtrack.domain.events import CostSource
from costtrack.domain.money import decimal_from_database
from costtrack.metering.ledger.results import RecordResult, RecordStatus
from costtrack.metering.ledger.rows import StagedUsage
from costtrack.models import ResourceUsage, UsageKey


@dataclass(frozen=True, slots=True)
class StandingRecord:
    """The record that a key made when it came first."""

    usage_id: int
    day: date
    fingerprint: str
    cost_usd: Decimal | None
    cost_source: CostSource | None


def earlier_in_batch(first: StagedUsage) -> StandingRecord:
    """The record that an earlier event of the same batch makes."""
    return StandingRecord(
        first.usage_id, first.owner.day, first.fingerprint, first.priced.cost_usd, first.priced.cost_source
    )


def standing_records(staged: Sequence[StagedUsage], *, using: str) -> dict[tuple[int, str], StandingRecord]:
    """Of the staged usages, those whose key belongs to another ledger row, with that row."""
    own_ids = {one.key: one.usage_id for one in staged}
    keys = UsageKey.objects.using(using).filter(
        organization_id__in={one.owner.organization_id for one in staged}, key_hash__in=[one.key_hash for one in staged]
    )
    others = {
        (organization_id, key_hash.hex): (usage_id, day, stored.hex)
        for organization_id, key_hash, usage_id, day, stored in keys.values_list(
            "organization_id", "key_hash", "usage_id", "day", "fingerprint"
        )
        if own_ids.get((organization_id, key_hash.hex), usage_id) != usage_id
    }
    rows = ResourceUsage.objects.using(using).filter(
        organization_id__in={organization_id for organization_id, _ in others},
        day__in={day for _, day, _ in others.values()},
        id__in=[usage_id for usage_id, _, _ in others.values()],
    )
    costs = {row[0]: (row[1], row[2]) for row in rows.values_list("id", "cost_usd", "cost_source")}
    standing = {}
    for key, (usage_id, day, stored) in others.items():
        cost_usd, cost_source = costs.get(usage_id, (None, None))
        standing[key] = StandingRecord(
            usage_id=usage_id,
            day=day,
            fingerprint=stored,
            cost_usd=None if cost_usd is None else decimal_from_database(cost_usd),
            cost_source=None if cost_source is None else CostSource(cost_source),
        )
    return standing


def result_of_standing(one: StagedUsage, standing: StandingRecord) -> RecordResult:
    """Duplicate or conflict of what stands."""
    same = one.fingerprint == standing.fingerprint or one.event.key_from_provider
    return RecordResult(
        status=RecordStatus.DUPLICATE if same else RecordStatus.CONFLICT,
        idempotency_key=one.event.idempotency_key,
        usage_id=standing.usage_id,
        day=standing.day,
        cost_usd=standing.cost_usd,
        cost_source=standing.cost_source,
        reason="" if same else f"The key was used before for different usage (ledger row {standing.usage_id}).",
    )
