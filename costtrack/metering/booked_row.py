"""The ledger row of a usage that `record_usage` gave while it was still in the spool."""

from __future__ import annotations

from uuid import UUID

from costtrack.conf import settings
from costtrack.exceptions import IdempotencyConflict, InvalidCorrection
from costtrack.metering.flushing import flush
from costtrack.metering.ledger.keys import fingerprint, hash_of_key
from costtrack.metering.recorded import RecordedUsage
from costtrack.models import UsageKey

FLUSH_SECONDS = 5.0


def booked_usage_id(usage: RecordedUsage, *, using: str) -> int:
    """The id of its row, found by its idempotency key; this process's spool is flushed if it is not there yet.

    Raises InvalidCorrection if it can not be found, IdempotencyConflict if its key is that of other usage, and
    FlushInTransaction as `flush`.
    """
    if usage.usage_id is not None:
        return usage.usage_id
    found = _usage_id(usage, using=using)
    if found is None and flush(FLUSH_SECONDS):
        found = _usage_id(usage, using=using)
    if found is None:
        raise InvalidCorrection(
            f"Usage {usage.event.idempotency_key!r} is not in the ledger: it still waits in the spool, or is a dead "
            "letter. See `manage.py costtrack_doctor`, and correct it once it is booked."
        )
    return found


def _usage_id(usage: RecordedUsage, *, using: str) -> int | None:
    slug = usage.event.attribution.organization or settings.default_organization
    keys = UsageKey.objects.using(using).filter(
        organization__slug=slug, key_hash=UUID(hash_of_key(usage.event.idempotency_key))
    )
    found = keys.values_list("usage_id", "fingerprint").first()
    if found is None:
        return None
    usage_id, stored = found
    if not usage.event.key_from_provider and stored.hex != fingerprint(usage.event):
        raise IdempotencyConflict(usage.event.idempotency_key)
    return usage_id
