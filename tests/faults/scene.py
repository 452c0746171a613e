"""What a fault test plays on: metering processes, their notes, and at the end the reckoning."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.faults.children import Child, run, wait_until
from tests.faults.databases import LedgerDatabase, SQLiteDatabase
from tests.faults.metering import Notes, read_notes

EACH_USD = Decimal("0.0045")
"""What every event of a metering process costs."""


@dataclass(frozen=True, kw_only=True)
class Reckoning:
    """How what the callers saw compares with the ledger."""

    notes: Notes
    unacknowledged: int
    """In the ledger although nobody saw their call return: it was killed in between."""
    drained: Mapping[str, Any]
    """What the draining process printed."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A database, a spool, and the processes that meter."""

    database: LedgerDatabase | SQLiteDatabase
    folder: Path
    children: list[Child]
    costtrack: dict[str, Any] = field(default_factory=dict)
    """What the processes have in COSTTRACK beside the spool's directory."""
    django_database: dict[str, Any] = field(default_factory=dict)
    """What they have in DATABASES beside the URL."""

    @property
    def spool(self) -> Path:
        """The spool's directory."""
        return self.folder / "spool"

    def environment(self, *, url: str | None = None) -> dict[str, str]:
        """Of a process that meters; `url` reaches the database by another way."""
        return {
            "DATABASE_URL": url or self.database.url,
            "FAULTS_COSTTRACK": json.dumps({"SPOOL_DIR": str(self.spool), "TRANSPORT": "spool", **self.costtrack}),
            "FAULTS_DATABASE": json.dumps(self.django_database),
        }

    def start(self, module: str, *arguments: object, url: str | None = None) -> Child:
        """Start a module of the fault tests as a process."""
        child = Child(module, *arguments, environment=self.environment(url=url), log=self.folder / "log")
        self.children.append(child)
        return child

    def start_metering(self, name: str, *options: object, url: str | None = None) -> Child:
        """Start a process that meters under `name`, which no other one has."""
        return self.start("metering", self.folder, name, *options, url=url)

    def wait_until_metered(self, name: str, count: int = 1) -> None:
        """Wait until the process of that name has metered so much."""
        path = self.folder / f"{name}.notes"
        wait_until(
            lambda: path.exists() and path.read_bytes().count(b"<") >= count, what=f"{name} has metered {count} events"
        )

    def notes(self) -> Notes:
        """What the callers have seen so far."""
        return read_notes(self.folder)

    def wait_until_charged(self, count: int, *, timeout_seconds: float = 60.0) -> None:
        """Wait until the ledger has that many rows."""
        wait_until(
            lambda: self.database.keys() >= count,
            what=f"{count} rows in the ledger",
            timeout_seconds=timeout_seconds,
        )

    def reckon(self, *, url: str | None = None, also_safe: Collection[str] = ()) -> Reckoning:
        """After all processes have ended: drain the spool, and compare the ledger with what the callers saw.

        Every acknowledged event must be there exactly once, nothing twice, nothing that nobody metered; the books
        must verify, folded and not; the spool must be empty. Events that are `also_safe` are in the log instead.
        """
        drained = run("drain", environment=self.environment(url=url), log=self.folder / "log")
        notes, charged = self.notes(), self.database.charged()
        lost = notes.acknowledged - charged.keys() - {*also_safe}
        assert not lost, f"{len(lost)} of {len(notes.acknowledged)} events are lost, e.g. {sorted(lost)[:3]}"
        doubled = [key for key, rows in charged.items() if rows != 1]
        assert not doubled, f"{len(doubled)} events were charged twice, e.g. {sorted(doubled)[:3]}"
        assert charged.keys() <= notes.begun
        assert notes.raised == {}
        assert self.database.keys() == len(charged)
        assert drained["differences"] == []
        assert drained["segments_left"] == []
        assert Decimal(drained["cost_usd"]) == len(charged) * EACH_USD
        return Reckoning(notes=notes, unacknowledged=len(charged.keys() - notes.acknowledged), drained=drained)
