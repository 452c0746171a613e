"""What an import would do, told without a write: the fate of each event by the keys that stand, and by the file's own.

What only the database itself would refuse is not foreseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from costtrack.conf import settings
from costtrack.domain.events import UsageEvent
from costtrack.metering.importing.keys import is_row_key
from costtrack.metering.ledger import RecordResult, RecordStatus
from costtrack.metering.ledger.keys import fingerprint, hash_of_key
from costtrack.models import Organization, UsageKey


class Preview:
    """Foresees what `record_events` would answer. Keeps 32 bytes for each row that brings a key of its own."""

    def __init__(self, *, source: str, creates: str, using: str) -> None:
        """`creates` is the slug of the organization that the import creates if it does not exist."""
        self._source = source
        self._created = {creates, settings.default_organization}
        self._using = using
        self._seen: dict[bytes, bytes] = {}

    def results(self, events: Sequence[UsageEvent]) -> list[RecordResult]:
        """One result per event, in their order, without figures. Two queries."""
        slugs = [event.attribution.organization or settings.default_organization for event in events]
        organizations = Organization.objects.using(self._using).filter(slug__in=set(slugs))
        ids = dict(organizations.values_list("slug", "id"))
        hashes = [hash_of_key(event.idempotency_key) for event in events]
        keys = UsageKey.objects.using(self._using).filter(organization_id__in=ids.values(), key_hash__in=hashes)
        standing = {
            (organization_id, key_hash.hex): stored.hex
            for organization_id, key_hash, stored in keys.values_list("organization_id", "key_hash", "fingerprint")
        }
        return [
            self._result(
                event, slug, standing.get((ids[slug], key_hash)) if slug in ids else None, is_known=slug in ids
            )
            for event, slug, key_hash in zip(events, slugs, hashes, strict=True)
        ]

    def _result(self, event: UsageEvent, slug: str, standing: str | None, *, is_known: bool) -> RecordResult:
        status, reason = RecordStatus.RECORDED, ""
        if not is_known and slug not in self._created:
            status, reason = RecordStatus.REJECTED, f"Organization {slug!r} does not exist; usage never creates one."
        else:
            own = fingerprint(event)
            if standing is None and not is_row_key(self._source, event.idempotency_key):
                key = sha256(f"{slug} {event.idempotency_key}".encode()).digest()[:16]
                first = self._seen.setdefault(key, mark := bytes.fromhex(own))
                standing = None if first is mark else first.hex()
            if standing is not None and (standing == own or event.key_from_provider):
                status = RecordStatus.DUPLICATE
            elif standing is not None:
                status, reason = RecordStatus.CONFLICT, "The key was used before for different usage."
        return RecordResult(status=status, idempotency_key=event.idempotency_key, reason=reason)
