"""One import: drafts become events, events are written in batches, and everything is counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from costtrack.domain.events import CostSource, UsageEvent
from costtrack.domain.money import EXACT
from costtrack.exceptions import InvalidUsage
from costtrack.metering.cleaning import MAX_KEY_LENGTH, hashed_key
from costtrack.metering.event_fields import refuse_empty
from costtrack.metering.events import build_event
from costtrack.metering.given_fields import EventFields
from costtrack.metering.importing.keys import row_key
from costtrack.metering.importing.preview import Preview
from costtrack.metering.importing.reasons import reason_of
from costtrack.metering.importing.records import Draft, Record
from costtrack.metering.ledger import RecordResult, RecordStatus, record_events

BATCH_ROWS = 1000
BATCH_BYTES = 8 << 20
MAX_MODELS_NAMED = 1000
OTHER_MODELS = "other models"
REASONS_KEPT = 5


@dataclass(slots=True)
class ImportSummary:
    """What an import did so far. `cost_usd` is the exact cost of what this run recorded."""

    recorded: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced_models: Counter[str] = field(default_factory=Counter)
    """Calls without a price whose usage is known, by model."""
    usage_missing_calls: int = 0
    """Calls whose rows say nothing of what they used: no rate can price them."""
    first_problems: list[tuple[int, str]] = field(default_factory=list)
    """(line, reason) of the first rows that were rejected or in conflict."""
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """All rows that are, or should be, usage."""
        return self.recorded + self.duplicates + self.conflicts + self.rejected

    @property
    def unpriced_calls(self) -> int:
        """Recorded calls without a price, those without usage too."""
        return self.unpriced_models.total() + self.usage_missing_calls

    @property
    def rows_per_second(self) -> int:
        """The speed so far."""
        return round(self.rows / self.seconds) if self.seconds else 0


class ImportRun:
    """Writes drafts as usage of one source. `summary` is right at any moment, also after an exception.

    `defaults` fill fields that a row leaves out, `reject` gets every row that did not become usage (rejected, or in
    conflict with what was recorded before), `after_batch` is called after each batch, `held` is entered around each
    write. With a `preview` rows are checked, counted by what it foresees, and nothing is written.
    """

    def __init__(
        self,
        *,
        source: str,
        defaults: Mapping[str, str],
        reject: Callable[[Record, str], None],
        using: str,
        after_batch: Callable[[ImportSummary], None] = lambda summary: None,
        held: Callable[[], AbstractContextManager[None]] = nullcontext,
        preview: Preview | None = None,
    ) -> None:
        self.summary = ImportSummary()
        self.source = source
        self._defaults = {name: value for name, value in defaults.items() if value}
        self._reject = reject
        self._using = using
        self._after_batch = after_batch
        self._held = held
        self._preview = preview
        self._started = time.monotonic()
        self._now = datetime.now(UTC)

    @property
    def is_dry(self) -> bool:
        """Whether it only tells what would be."""
        return self._preview is not None

    def write(self, drafts: Iterable[Draft]) -> None:
        """Write them all. What the database says is raised; then the batches before have landed."""
        batch: list[tuple[Record, UsageEvent]] = []
        size = 0
        for draft in drafts:
            event = self._event(draft)
            if event is not None:
                batch.append((draft.record, event))
                size += len(draft.record.raw)
                if len(batch) == BATCH_ROWS or size >= BATCH_BYTES:
                    self._write_batch(batch)
                    batch, size = [], 0
        self._write_batch(batch)

    def _event(self, draft: Draft) -> UsageEvent | None:
        if not draft.problem:
            try:
                event = build_event(now=self._now, **self._event_fields(draft))
                refuse_empty(event)
                return event
            except InvalidUsage as error:
                draft.problem = reason_of(error)
        self.summary.rejected += 1
        self._report(draft.record, draft.problem)
        return None

    def _event_fields(self, draft: Draft) -> EventFields:
        """The draft's fields by the names that build_event knows."""
        fields = self._defaults | draft.fields
        key = fields.get("idempotency_key") or row_key(self.source, draft.record)
        fields["idempotency_key"] = key if len(key) <= MAX_KEY_LENGTH else hashed_key(key)
        if "cost_usd" in fields:
            fields["reported_cost_usd"] = fields.pop("cost_usd")
        return cast("EventFields", fields)

    def _write_batch(self, batch: list[tuple[Record, UsageEvent]]) -> None:
        with self._held():
            self._now = datetime.now(UTC)
            if batch:
                results = self._results([event for _, event in batch])
                for (record, event), result in zip(batch, results, strict=True):
                    self._count(record, event, result)
            self.summary.seconds = time.monotonic() - self._started
        self._after_batch(self.summary)

    def _results(self, events: Sequence[UsageEvent]) -> list[RecordResult]:
        if self._preview is not None:
            return self._preview.results(events)
        return record_events(events, using=self._using, creates_partitions=True)

    def _count(self, record: Record, event: UsageEvent, result: RecordResult) -> None:
        summary = self.summary
        if result.status is RecordStatus.RECORDED:
            summary.recorded += 1
            if event.usage_missing:
                summary.usage_missing_calls += 1
            elif result.cost_source is CostSource.UNPRICED:
                is_named = event.model in summary.unpriced_models or len(summary.unpriced_models) < MAX_MODELS_NAMED
                summary.unpriced_models[event.model if is_named else OTHER_MODELS] += 1
            elif result.cost_usd is not None:
                summary.cost_usd = EXACT.add(summary.cost_usd, result.cost_usd)
        elif result.status is RecordStatus.DUPLICATE:
            summary.duplicates += 1
        elif result.status is RecordStatus.CONFLICT:
            summary.conflicts += 1
            self._report(record, f"conflict: {result.reason}")
        else:
            summary.rejected += 1
            self._report(record, result.reason)

    def _report(self, record: Record, reason: str) -> None:
        if len(self.summary.first_problems) < REASONS_KEPT:
            self.summary.first_problems.append((record.line, reason))
        self._reject(record, reason)
