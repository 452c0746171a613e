"""The callback handlers: of one run LangChain tells the start, the pieces of a stream, and the end or the error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack
from uuid import UUID

from costtrack.exceptions import CallRefused
from costtrack.integrations.langchain.runs import Run
from costtrack.integrations.needed import needed
from costtrack.metering.admitting import admit, admit_async
from costtrack.metering.attribution import AttributionFields, given_attribution
from costtrack.metering.database_thread import Work, run_quietly, run_quietly_async
from costtrack.metering.ending import do_later

_callbacks: Any = needed("langchain_core.callbacks", install="pip install langchain-core")
BaseCallbackHandler: Any = _callbacks.BaseCallbackHandler
AsyncCallbackHandler: Any = _callbacks.AsyncCallbackHandler

logger = logging.getLogger("costtrack")
STEPS = (__file__, *(str(Path(str(module.__file__)).parent) for module in (asyncio, _callbacks)))
"""Where the coroutines come from whose tasks are over before the run is."""


class _Runs:
    """What both handlers share: the runs that have begun, by their ids; parallel ones do not meet."""

    raise_error = True
    """LangChain hands on what a handler raises only then: a refused call must not be made."""
    run_inline = True
    """Called in the context that makes the call, so that a metered client inside it is known."""

    def __init__(self, **attribution: Unpack[AttributionFields]) -> None:
        """Attribute what it sees so, over what is in force where the model runs; the names are those of `attribute`."""
        super().__init__()
        self._given = given_attribution(attribution, caller=f"{type(self).__name__}()")
        self._runs: dict[UUID, Run] = {}

    def _new_run(self, inputs: object, run_id: UUID, told: dict[str, Any]) -> Run | None:
        try:
            size = told.get("batch_size")
            batch = (told.get("parent_run_id"),) if type(size) is int and size > 1 else None
            return Run(self._given, run_id, inputs, told, batch=batch)
        except Exception:  # the boundary: what a run says of itself must not break it
            logger.exception("A run of LangChain could not be looked at, and is not metered.")
            return None

    def _begun(self, run_id: UUID, run: Run) -> None:
        self._runs[run_id] = run
        run.begin()
        task = _task_here()
        if task is not None:
            run.ends_with(task, partial(self._cut_off, run_id))

    def _cut_off(self, run_id: UUID, task: asyncio.Task[Any]) -> None:
        """The task in which it began is over: LangChain tells nobody of a run that is cancelled, but of streams."""
        run = self._runs.get(run_id)
        if run is not None and not run.is_streaming and (task.cancelled() or _makes_calls(task)):
            do_later(self._ended(run_id, None, asyncio.CancelledError()))

    def _not_made(self, refused: Run) -> list[Work | None]:
        """LangChain makes none of a batch of which one is refused; gives the work of giving back what is held."""
        begun = [self._runs.pop(name, None) for name in refused.inside.others_of_its_batch()]
        return [run.let_go() for run in begun if run is not None]

    def _token(self, run_id: UUID) -> None:
        run = self._runs.get(run_id)
        if run is not None:
            run.token()

    def _ended(self, run_id: UUID, response: object, error: BaseException | None = None) -> Work | None:
        run = self._runs.pop(run_id, None)
        if run is None:  # it was refused
            return None
        return _guarded(lambda: run.ended(response, error))


class CostTrackHandler(_Runs, BaseCallbackHandler):  # type: ignore[misc] # LangChain may not be installed
    """Meters each run of a model, and asks the budgets before it: a refused one raises CallRefused, and is not made.

    In coroutines prefer AsyncCostTrackHandler: this one holds up the loop while a hard budget is asked.
    """

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[Any]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chat model is about to be called."""
        self._start(messages[0] if len(messages) == 1 else messages, run_id, kwargs)

    def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any) -> None:
        """A model that takes text is about to be called."""
        self._start(prompts, run_id, kwargs)

    def on_llm_new_token(self, token: str, *, run_id: UUID, **kwargs: Any) -> None:
        """A piece of a stream has come."""
        self._token(run_id)

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Record the call."""
        run_quietly(self._ended(run_id, response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a failed call, or a stream that was left."""
        run_quietly(self._ended(run_id, kwargs.get("response"), error))

    def _start(self, inputs: Sequence[Any], run_id: UUID, told: dict[str, Any]) -> None:
        run = self._new_run(inputs, run_id, told)
        if run is not None:
            try:
                admit(run.call, run.expected)
            except CallRefused:
                for work in self._not_made(run):
                    run_quietly(work)
                raise
            self._begun(run_id, run)


class AsyncCostTrackHandler(_Runs, AsyncCallbackHandler):  # type: ignore[misc] # the same
    """The same for `ainvoke`, `astream` and their like, without holding up the loop."""

    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[Any]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A chat model is about to be called."""
        await self._start(messages[0] if len(messages) == 1 else messages, run_id, kwargs)

    async def on_llm_start(
        self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A model that takes text is about to be called."""
        await self._start(prompts, run_id, kwargs)

    async def on_llm_new_token(self, token: str, *, run_id: UUID, **kwargs: Any) -> None:
        """A piece of a stream has come."""
        self._token(run_id)

    async def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Record the call."""
        await run_quietly_async(self._ended(run_id, response))

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Record a failed call, or a stream that was left."""
        await run_quietly_async(self._ended(run_id, kwargs.get("response"), error))

    async def _start(self, inputs: Sequence[Any], run_id: UUID, told: dict[str, Any]) -> None:
        run = self._new_run(inputs, run_id, told)
        if run is not None:
            try:
                await admit_async(run.call, run.expected)
            except CallRefused:
                for work in self._not_made(run):
                    await run_quietly_async(work)
                raise
            self._begun(run_id, run)


def _makes_calls(task: asyncio.Task[Any]) -> bool:
    """Not of a task that LangChain has call a handler only, nor of one that asyncio has make one step of a stream."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and not code.co_filename.startswith(STEPS)


def _task_here() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs on this thread
        return None


def _guarded(step: Callable[[], Work | None]) -> Work | None:
    try:
        return step()
    except Exception:  # the boundary: metering never breaks a completed call
        logger.exception("A run of LangChain could not be metered.")
        return None
