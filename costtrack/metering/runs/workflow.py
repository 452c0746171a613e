"""Workflows of a run, and their stages: who begins one, attributes what is metered inside to it."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType

from costtrack.budgets.threads import outside_transactions
from costtrack.metering.context import AttributionScope, attribute
from costtrack.metering.database_thread import run_async, run_sync
from costtrack.metering.plans.given import plan_text
from costtrack.metering.runs.write import note_workflow
from costtrack.models import RunStatus, UsageRun

logger = logging.getLogger("costtrack")


class WorkflowScope(AbstractContextManager["WorkflowScope"], AbstractAsyncContextManager["WorkflowScope"]):
    """One workflow of a run: `with` in sync code, `async with` in coroutines. Nothing here raises but wrong names."""

    def __init__(self, run: UsageRun, workflow_id: str) -> None:
        """Begins when it is entered."""
        self.workflow_id = workflow_id
        self._run = run
        self._stages: dict[str, None] = {}
        self._inside = attribute(workflow=workflow_id)

    def stage(self, name: object) -> AttributionScope:
        """`with workflow.stage("draft"):` attributes what is metered inside to a stage, and counts it.

        Raises InvalidUsage for a name that is no text, or is empty.
        """
        text: str = plan_text()("stage", name)
        self._stages[text] = None
        return attribute(stage=text)

    def __enter__(self) -> WorkflowScope:
        """Begin it: it has a row, whether or not it calls anything."""
        self._note(RunStatus.RUNNING)
        self._inside.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it; the block's exception, if any, goes on unchanged."""
        self._inside.__exit__(None, None, None)
        self._note(RunStatus.COMPLETED if error is None else RunStatus.FAILED)

    async def __aenter__(self) -> WorkflowScope:
        """The same without holding up the loop."""
        await self._note_async(RunStatus.RUNNING)
        self._inside.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The same without holding up the loop."""
        self._inside.__exit__(None, None, None)
        await self._note_async(RunStatus.COMPLETED if error is None else RunStatus.FAILED)

    def _write(self, status: RunStatus) -> None:
        stages = list(self._stages)
        outside_transactions(lambda: note_workflow(self._run, self.workflow_id, status=status, stages=stages))

    def _note(self, status: RunStatus) -> None:
        try:
            run_sync(lambda: self._write(status))
        except Exception as problem:  # the boundary: its calls tell of it in the ledger all the same
            self._warn(problem)

    async def _note_async(self, status: RunStatus) -> None:
        try:
            await run_async(lambda: self._write(status))
        except Exception as problem:  # the same
            self._warn(problem)

    def _warn(self, problem: Exception) -> None:
        logger.warning("Workflow %r of a run is not noted: %s %s", self.workflow_id, type(problem).__name__, problem)
