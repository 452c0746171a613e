"""What a fault test of budgets plays on: a scene, callers that begin all at once, and the books of the counters."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from tests.faults.budget_notes import Calls, read_calls
from tests.faults.children import Child, run, wait_until
from tests.faults.scene import Scene

FIGURES = """
SELECT b.name, c.subject, b."limit", c.spent, c.held, c.leased,
    coalesce((
        SELECT sum(u.cost_usd) FROM costtrack_resourceusage u
        WHERE u.organization_id = b.organization_id AND (b.project_id IS NULL OR u.project_id = b.project_id)
            AND (b.endpoint = '' OR u.endpoint = b.endpoint) AND (b.per = '' OR u.thread_id = c.subject)), 0),
    coalesce((
        SELECT sum((part ->> 1)::numeric) FROM costtrack_hold h, jsonb_array_elements(h.parts) AS part
        WHERE h.state IN ('held', 'charged') AND (part ->> 0)::bigint = c.id), 0),
    coalesce((SELECT sum(l.remaining) FROM costtrack_budgetlease l WHERE l.counter_id = c.id), 0)
FROM costtrack_budgetcounter c JOIN costtrack_budget b ON b.id = c.budget_id
ORDER BY b.name, c.subject
"""
"""Counters of budgets whose period is `total`, with what ledger, holds and leases say, in one statement, so of one
snapshot."""


class Figures(NamedTuple):
    """A counter, and what it must say."""

    budget: str
    subject: str
    limit: Decimal | None
    spent: Decimal
    held: Decimal
    leased: Decimal
    of_ledger: Decimal
    of_holds: Decimal
    of_leases: Decimal

    def faults(self, *, may_pass_limit: bool = False) -> list[str]:
        """In which way it is wrong."""
        found = []
        if self.spent != self.of_ledger:
            found.append(f"spent {self.spent}, but the ledger says {self.of_ledger}")
        if self.held != self.of_holds:
            found.append(f"held {self.held}, but live holds hold {self.of_holds}")
        if self.leased != self.of_leases:
            found.append(f"leased {self.leased}, but of leases there remain {self.of_leases}")
        taken = self.spent + self.held + self.leased
        if self.limit is not None and taken > self.limit and not may_pass_limit:
            found.append(f"spent {self.spent} + held {self.held} + leased {self.leased} is over {self.limit}")
        return [f"{self.budget} {self.subject}: {fault}" for fault in found]


class Checker:
    """Looks at all counters in one snapshot after another, over a connection of its own."""

    def __init__(self, scene: BudgetScene, *, may_pass_limit: bool = False) -> None:
        self.looks = 0
        self.most_held = Decimal(0)
        self.faults: list[str] = []
        self._scene = scene
        self._may_pass_limit = may_pass_limit

    @contextmanager
    def watching(self) -> Iterator[Checker]:
        """Look all the while, and be content at the end."""
        is_over = threading.Event()

        def look() -> None:
            try:
                with self._scene.database.connect() as connection:
                    connection.isolation_level = 3  # REPEATABLE READ
                    while not is_over.wait(0.005) and len(self.faults) < 10:
                        with connection.transaction():
                            rows = [Figures(*row) for row in connection.execute(FIGURES).fetchall()]
                        self.looks += 1
                        for row in rows:
                            self.most_held = max(self.most_held, row.held)
                            self.faults += row.faults(may_pass_limit=self._may_pass_limit)
            except Exception as error:
                self.faults.append(f"the checker failed: {error}")

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield self
        finally:
            is_over.set()
            thread.join()
        assert not self.faults, "\n".join(self.faults)


@dataclass(frozen=True, kw_only=True)
class BudgetScene(Scene):
    """Budgets, and the processes that reserve from them."""

    names: list[str] = field(default_factory=list)
    """Of the processes that have been started."""

    def act(self, act: str, /, **arguments: Any) -> Any:
        """Do one of `budget_acts` in a process of its own."""
        return run("budget_acts", act, json.dumps(arguments), environment=self.environment(), log=self.folder / "log")

    def start_calls(self, name: str, *options: object, who: Any = None, url: str | None = None) -> Child:
        """Start a process that reserves once `go` is said; without a `url` its connection may prepare."""
        given = ("--who", json.dumps(who)) if who else ()
        self.names.append(name)
        if url is None and self.database.url.startswith("postgresql:"):
            url = f"{self.database.url}?prepare_threshold=1"
        return self.start("budget_calls", self.folder, name, *given, *options, url=url)

    def go(self) -> None:
        """Let all that were started begin at the same moment, once they are ready; later ones need not wait."""
        self.wait_until_there(*(f"{name}.ready" for name in self.names))
        (self.folder / "go").touch()

    def flood(self, processes: int, *options: object, who: Any = None) -> Calls:
        """Start so many processes, let them begin at once, and wait for their good ends; what they saw."""
        children = [self.start_calls(f"c{number}", *options, who=who) for number in range(processes)]
        self.go()
        for child in children:
            child.result()
        return self.calls()

    def calls(self, name: str = "*") -> Calls:
        """What the callers have seen so far; those of one process, or of all."""
        return read_calls(self.folder, name)

    def drain(self) -> Any:
        """Book what dead processes have left, and check the books; what that printed."""
        return run("drain", environment=self.environment(), log=self.folder / "log")

    def wait_until_there(self, *names: str) -> None:
        """Wait for files that processes make."""
        for name in names:
            wait_until((self.folder / name).exists, what=f"there is a file {name}")

    def wait_until_admitted(self, count: int) -> None:
        """Wait until so many calls of all were admitted."""
        wait_until(lambda: len(self.calls().admitted) >= count, what=f"{count} calls are admitted")

    def figures(self) -> list[Figures]:
        """All counters, with what they must say (PostgreSQL)."""
        with self.database.connect() as connection:
            return [Figures(*row) for row in connection.execute(FIGURES).fetchall()]

    def counter(self, budget: str, subject: str = "") -> Figures:
        """One of them."""
        [found] = [one for one in self.figures() if (one.budget, one.subject) == (budget, subject)]
        return found

    def value(self, statement: str, *parameters: object) -> Any:
        """The only value of the only row of a query."""
        with closing(self.database.connect()) as connection:
            [[value]] = connection.execute(statement, parameters).fetchall()
        return value

    def deadlocks(self) -> int:
        """How many the server has found in this database, once it has counted those of the last second."""
        time.sleep(1.1)
        return int(self.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
