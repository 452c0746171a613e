"""Run as a process: reserve, call and settle in several threads, and note what became of each call.

The notes go to a file by `os.write`, so that they survive SIGKILL (see budget_notes). A call costs exactly the
worst case that it has reserved, and is settled by the event that it spools, as any metered call.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import django

REFUSED_PAUSE_SECONDS = 0.02
"""How long a process that keeps going waits after a refusal."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that is to be made."""

    name: str
    cost: Decimal
    who: Mapping[str, str]
    """Attribution, by the names of `attribute`; the organization is acme unless it says otherwise."""
    ttl: timedelta = timedelta(minutes=5)
    hold_id: UUID = field(default_factory=uuid4)

    def facts(self) -> dict[str, object]:
        """What budgets see of it."""
        from costtrack.domain.budget_rules import TEXT_SCOPE

        facts: dict[str, object] = {name: self.who.get(name, "") for name in TEXT_SCOPE}
        return facts | {
            "resource_type": "api_call",
            "agent_id": None,
            "project_id": project_id(self.who.get("project")),
        }

    def reserve(self) -> Any:
        """Ask for it, as admission is asked; what it grants."""
        from costtrack import flush
        from costtrack.budgets.admission import reserve
        from costtrack.budgets.asking import Ask
        from costtrack.domain.budget_rules import Quantities

        asked = Ask(
            hold_id=self.hold_id,
            facts=self.facts(),
            worst=Quantities(cost_usd=self.cost),
            at=datetime.now(UTC),
            ttl=self.ttl,
            about={"call": self.name},
        )
        organization = self.who.get("organization", "acme")
        return reserve(organization, lambda _: asked, flush=lambda: flush(5.0) and None)

    def reserve_by_name(self) -> Any:
        """The same by the public `costtrack.reserve`; the reservation."""
        from costtrack import reserve

        return reserve(
            resource_type="api_call",
            amount=1,
            max_cost_usd=self.cost,
            ttl_seconds=self.ttl.total_seconds(),
            hold_id=self.hold_id,
            request_id=self.name,
            **{"organization": "acme", **self.who},
        ).__enter__()  # nothing is released: killed or settled

    def event(self, granted: Any = None) -> Any:
        """What it used, which is all that it asked for."""
        from costtrack.domain.events import Attribution, UsageEvent

        return UsageEvent(
            idempotency_key=self.name,
            occurred_at=datetime.now(UTC),
            attribution=Attribution(**{"organization": "acme", **self.who, "request_id": self.name}),
            resource_type="api_call",
            amount=Decimal(1),
            reported_cost_usd=self.cost,
            hold_id=granted.hold_id.hex if granted and granted.hold_id else "",
            hold_leases=granted.leases if granted else "",
        )

    def settle(self, granted: Any) -> None:
        """Record it."""
        from costtrack.metering.transport import submit

        if hasattr(granted, "settle"):
            granted.settle(amount=1, cost_usd=self.cost, idempotency_key=self.name)
        else:
            result = submit(self.event(granted))
            assert result.status == "spooled", result


_projects: dict[str, int] = {}


def project_id(slug: str | None) -> int | None:
    """Of a project that is there."""
    if not slug:
        return None
    if slug not in _projects:
        from costtrack.models import Project

        _projects[slug] = Project.objects.get(slug=slug).pk
    return _projects[slug]


class Caller:
    """One thread's calls, one after the other."""

    def __init__(self, options: argparse.Namespace, descriptor: int, thread: int) -> None:
        self._options = options
        self._descriptor = descriptor
        self._name = f"{options.name}-{thread}"
        self._chance = random.Random(self._name)

    def run(self) -> None:
        """Until a refusal, or for ever."""
        options = self._options
        whos: list[dict[str, str]] = json.loads(options.who)
        for number in range(options.calls) if options.calls else itertools.count():
            call = Call(
                name=f"{self._name}-{number}",
                cost=Decimal(self._chance.choice(options.costs.split(","))),
                who=self._chance.choice(whos),
                ttl=timedelta(seconds=options.ttl),
            )
            if not self.make(call) and not options.keep_going:
                return

    def make(self, call: Call) -> bool:
        """Whether it was admitted."""
        self._note(">", call, f"{time.monotonic():.6f}")
        try:
            granted = self._reserved(call)
        except Exception as error:
            self._note("!", call, f"{type(error).__name__}: {' '.join(str(error).split())}")
            return False
        if granted is None:
            time.sleep(REFUSED_PAUSE_SECONDS)
            return False
        time.sleep(self._chance.uniform(0, 2 * self._options.call_ms) / 1000)
        if self._options.until:
            wait_for(self._options.folder / self._options.until)
        if not self._options.leaves_held:
            call.settle(granted)
            self._note("<", call, "")
        return True

    def _reserved(self, call: Call) -> Any:
        """None if refused. Where nobody could say, the same reservation is asked for again, as long as it takes."""
        from costtrack.budgets.admission import Granted
        from costtrack.exceptions import BudgetExceeded, BudgetUnavailable

        while True:
            began = time.perf_counter()
            try:
                if self._options.by_name:
                    granted = call.reserve_by_name()
                else:
                    granted = call.reserve() or Granted(None, None, False)
            except BudgetExceeded as refusal:
                self._note("-", call, f"{call.cost} {refusal.budget}")
                return None
            except BudgetUnavailable as refusal:
                reason = " ".join(refusal.reason.split())[:80]
                self._note("~", call, f"{_ms_since(began)} {reason}")
                time.sleep(self._chance.uniform(0, 0.02))
                continue
            is_held = granted.id if self._options.by_name else granted.hold_id
            self._note("+" if is_held else "*", call, f"{call.cost} {_ms_since(began)}")
            return granted

    def _note(self, kind: str, call: Call, said: str) -> None:
        os.write(self._descriptor, f"{kind} {call.name} {said}\n".encode())


def wait_for(path: Path) -> None:
    """Until there is such a file."""
    while not path.exists():
        time.sleep(0.001)


def _ms_since(began: float) -> str:
    return f"{(time.perf_counter() - began) * 1000:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--calls", type=int, default=0, help="the most per thread; 0 = without end")
    parser.add_argument("--costs", default="0.01", help="one of these, by chance")
    parser.add_argument("--who", default="[{}]", help="attributions as JSON; one of these, by chance")
    parser.add_argument("--ttl", type=float, default=300.0, help="of the holds, in seconds")
    parser.add_argument("--call-ms", type=float, default=0.0, help="how long a call takes, on average")
    parser.add_argument("--until", default="", help="calls last until there is a file of that name")
    parser.add_argument("--go", default="go", help="the file that says when to begin")
    parser.add_argument("--end", choices=["exit", "sleep"], default="exit")
    parser.add_argument("--by-name", action="store_true", help="by the public `costtrack.reserve`")
    parser.add_argument("--knows", action="store_true", help="has the list of budgets before it begins")
    parser.add_argument("--leaves-held", action="store_true", help="never settle")
    parser.add_argument("--keep-going", action="store_true", help="go on after a refusal")
    parser.add_argument("--hectic", action="store_true", help="no rest between batches, adoption all the time")
    options = parser.parse_args()
    django.setup()
    if options.hectic:
        from costtrack.metering.spool import flusher

        flusher.ROUND_SECONDS, flusher.ADOPT_SECONDS = 0.02, 0.2
    descriptor = os.open(options.folder / f"{options.name}.calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    callers = [Caller(options, descriptor, thread) for thread in range(options.threads)]
    threads = [threading.Thread(target=caller.run) for caller in callers]
    if options.knows:
        from costtrack.budgets.known import budgets_of

        budgets_of("acme")
        for who in json.loads(options.who):
            project_id(who.get("project"))
    (options.folder / f"{options.name}.ready").touch()
    wait_for(options.folder / options.go)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while options.end == "sleep":
        time.sleep(60)


if __name__ == "__main__":
    main()
