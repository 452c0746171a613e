"""`usage_run(...)`: what is metered inside belongs to one run, which can be compared with its plan."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from types import TracebackType
from typing import Unpack

from costtrack.budgets.threads import outside_transactions
from costtrack.exceptions import FlushInTransaction, InvalidUsage
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution
from costtrack.metering.context import AttributionScope, given_here
from costtrack.metering.database_thread import run_async, run_sync
from costtrack.metering.flushing import flush
from costtrack.metering.plans.given import plan_text
from costtrack.metering.runs.workflow import WorkflowScope
from costtrack.metering.runs.write import RunStart, end_run, start_run
from costtrack.models import CostPlan, RunStatus, UsageRun

FLUSH_SECONDS = 5.0
"""How long the end of a run waits at most for what this process has metered to be in the ledger."""

logger = logging.getLogger("costtrack")


class OpenRun:
    """A run that is going on."""

    def __init__(self, row: UsageRun) -> None:
        """`row` as it was when it began."""
        self.row = row

    @property
    def run_id(self) -> str:
        """What its usage has as `run`; give it to other processes: `attribute(run=run.run_id)`."""
        return str(self.row.run_id)

    @property
    def run_index(self) -> int:
        """Which run of its name it is, from 1."""
        return self.row.run_index

    @property
    def plan_id(self) -> str:
        """The fingerprint of its plan; "" if it has none."""
        return str(self.row.plan_id)

    def workflow(self, workflow_id: object) -> WorkflowScope:
        """`with run.workflow("draft") as workflow:` attributes what is metered inside, and notes how it ends.

        Raises InvalidUsage for an id that is no text, or is empty.
        """
        text = plan_text()("workflow_id", workflow_id)
        if not text:
            raise InvalidUsage("workflow_id", workflow_id, "the workflow's name")
        return WorkflowScope(self.row, text)


class UsageRunScope(AbstractContextManager[OpenRun], AbstractAsyncContextManager[OpenRun]):
    """One run: `with` in sync code, `async with` in coroutines. It may be entered once at a time."""

    def __init__(self, start: RunStart, given: GivenAttribution) -> None:
        """What is known before it begins."""
        self._start = start
        self._given = given
        self._run: UsageRun | None = None
        self._inside: AttributionScope | None = None

    def __enter__(self) -> OpenRun:
        """Begin the run; raises what `usage_run` says, and the database's own errors."""
        return self._begun(run_sync(self._starting()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it; the block's exception, if any, goes on unchanged."""
        work = self._ending(error)
        try:
            run_sync(work)
        except Exception as problem:  # the boundary: metering breaks no run that has done its work
            self._warn(problem)

    async def __aenter__(self) -> OpenRun:
        """The same without holding up the loop."""
        row = await run_async(self._starting())
        assert row is not None, "nobody else does the work"
        return self._begun(row)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The same without holding up the loop; it is done even if this task is cancelled meanwhile."""
        work = self._ending(error)
        try:
            await run_async(work)
        except Exception as problem:  # the same
            self._warn(problem)

    def _starting(self) -> Callable[[], UsageRun]:
        if self._inside is not None:
            raise RuntimeError("This usage_run() is open already: make another one for another run.")

        def work() -> UsageRun:
            attribution = self._given.over(given_here()).resolve()  # lazy fields may ask the database
            return outside_transactions(lambda: start_run(self._start, attribution))

        return work

    def _begun(self, row: UsageRun) -> OpenRun:
        project = None if row.project is None else row.project.slug
        own = {"organization": row.organization.slug, "project": project, "run": row.run_id}
        self._run = row
        self._inside = AttributionScope(given_attribution(own, caller="usage_run()").over(self._given))
        self._inside.__enter__()
        return OpenRun(row)

    def _ending(self, error: BaseException | None) -> Callable[[], None]:
        row, inside, self._inside = self._run, self._inside, None
        assert row is not None
        assert inside is not None
        inside.__exit__(None, None, None)
        status = RunStatus.COMPLETED if error is None else RunStatus.FAILED
        error_type = "" if error is None else type(error).__name__

        def work() -> None:
            with suppress(FlushInTransaction):  # what it used is in the ledger when that transaction has ended
                flush(FLUSH_SECONDS)
            outside_transactions(lambda: end_run(row, status=status, error_type=error_type))

        return work

    def _warn(self, problem: Exception) -> None:
        logger.warning(
            "The end of run %s is not noted, it will count as crashed: %s %s",
            self._run and self._run.run_id,
            type(problem).__name__,
            problem,
        )


def usage_run(
    name: str = "",
    *,
    plan: CostPlan | str | None = None,
    run_id: str = "",
    enforce: bool = False,
    **attribution: Unpack[CallerFields],
) -> UsageRunScope:
    """What is metered inside belongs to one run: `with usage_run("docs", plan=plan) as run: ...`.

    `plan` is what `record_plan` gave, its `plan_id`, or its name, which means the newest snapshot of that name; one
    that is not there leaves the run without estimates. `name` is by default the plan's. An alert is raised when the run
    reaches the plan's `cost_cap` or `max_calls`; with `enforce` calls that could pass one are refused (CallRefused), as
    by any hard budget. The other keyword arguments are those of `attribute`, but for `run`; the run is of their
    organization and project, else of the plan's, else of the calling context's.

    An exception that leaves the block ends the run as failed. The same `run_id` again goes on with that run: a retried
    task does. At its end it waits a moment for what this process has metered to be in the ledger. A run inside another
    has its usage to itself. Like usage it is committed whatever becomes of the caller's transaction, but inline, and on
    SQLite, it is part of that. Raises InvalidUsage and TypeError for wrong arguments here, and when it is entered
    InvalidUsage for what the database shows to be wrong, and UnknownOrganization.
    """
    if "run" in attribution:
        raise TypeError("usage_run() takes run_id, not run: the id that its usage has as `run`.")
    if not isinstance(enforce, bool):
        raise InvalidUsage("enforce", enforce, "True or False")
    if plan is not None and not isinstance(plan, CostPlan | str):
        raise InvalidUsage("plan", plan, "what record_plan() gave, its plan_id, its name, or None")
    text = plan_text()
    if isinstance(run_id, str) and not run_id.isprintable():
        raise InvalidUsage("run_id", run_id, "a text on one line, without control characters")
    start = RunStart(
        name=text("name", name),
        run_id=text("run_id", run_id),
        plan=text("plan", plan) if isinstance(plan, str) else plan,
        is_enforced=enforce,
        says_organization=bool(attribution.get("organization")),
    )
    if not start.name and not start.plan:
        raise InvalidUsage("name", name, "what it is a run of, such as docs, or a plan")
    return UsageRunScope(start, given_attribution(attribution, caller="usage_run()"))
