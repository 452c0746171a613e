"""Clients whose calls all pass one method: that method, of one client, is what is metered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from costtrack.integrations.charging import tell_spans
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.call import Call
from costtrack.metering.database_thread import Work, run_quietly, run_quietly_async
from costtrack.metering.ending import do_later
from costtrack.metering.expected import Expected
from costtrack.metering.given_fields import EventFields
from costtrack.metering.nested import within_the_block
from costtrack.metering.stepping import each_async_step_in, each_step_in
from costtrack.metering.tracked import TrackedCall


class OneCall:
    """One call of the client: admitted, made, watched and recorded; what it gives passes untouched.

    `see` makes of what the client gives, a response or a piece of a stream, what can be read.
    """

    def __init__(
        self, fields: EventFields, given: GivenAttribution, expected: Expected, *, see: Callable[[Any], object]
    ) -> None:
        """It is attributed as in force here, where the client was called."""
        self._call = Call(fields, within_the_block(given))
        self._tracked = TrackedCall(self._call, expected)
        self._model = str(fields.get("model", ""))
        self._see = see

    def made(self, make: Callable[[], Any]) -> Any:
        """What `make()` gives, a whole response. Raises CallRefused before."""
        self._tracked.running()
        self._tell_spans()
        try:
            with self._tracked.scope:
                response = make()
        except BaseException as error:
            run_quietly(self._tracked.end(error))
            raise
        self._call.observe(self._see(response))
        run_quietly(self._tracked.end(None))
        return response

    async def made_async(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """The same in a coroutine."""
        await self._tracked.running_async()
        self._tell_spans()
        response = await self._awaited(make)
        self._call.observe(self._see(response))
        await run_quietly_async(self._tracked.end(None))
        return response

    def streamed(self, pieces: Iterator[Any]) -> Iterator[Any]:
        """The pieces of a stream whose request is sent with the first step; before that, CallRefused is raised."""
        return each_step_in(
            self._tracked.scope, pieces, on_start=self._start, on_item=self._piece, on_end=self._tracked.end
        )

    async def streamed_async(self, make: Callable[[], Awaitable[AsyncIterator[Any]]]) -> AsyncIterator[Any]:
        """The same of a coroutine that gives the stream; it may send the request itself, so it is admitted before."""
        await self._tracked.running_async()
        self._tell_spans()
        pieces = await self._awaited(make)
        self._call.observed.begin_stream()
        return each_async_step_in(self._tracked.scope, pieces, on_item=self._piece, on_end=self._stream_ended)

    async def _awaited(self, make: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with self._tracked.scope:
                return await make()
        except GeneratorExit as error:  # dropped with its loop: nothing may be awaited any more
            do_later(self._tracked.end(error))
            raise
        except BaseException as error:
            await run_quietly_async(self._tracked.end(error))
            raise

    def _start(self) -> None:
        self._tracked.start()
        self._tell_spans()

    def _tell_spans(self) -> None:
        tell_spans(self._model)

    def _piece(self, piece: Any) -> None:
        self._tracked.chunk(self._see(piece))

    def _stream_ended(self, error: BaseException | None) -> Work | None:
        self._call.observed.stream_ended(error)
        return self._tracked.end(None if isinstance(error, GeneratorExit) else error)
