"""What LangChain tells of one run of a model: how it is admitted, observed and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from costtrack.extraction import trusted_id
from costtrack.extraction.fields import items, read, read_first, read_text
from costtrack.integrations.request_body import expected_of_body, fields_of
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.call import Call
from costtrack.metering.cleaning import text_of
from costtrack.metering.database_thread import Work
from costtrack.metering.expected import Expected
from costtrack.metering.finish import finish, nothing_to_record
from costtrack.metering.nested import MeteredInside, metered_around_here
from costtrack.metering.open_calls import open_calls

CONVERSATION_NAMES = ("thread_id", "session_id", "conversation_id")
"""How a run's metadata names its conversation; LangGraph has thread_id there."""
MODEL_NAMES = ("model", "model_name", "model_id", "azure_deployment")


class InsideRun(MeteredInside):
    """What is metered inside a run: not the others of its batch, although LangChain begins all before it makes one."""

    def __init__(self, attribution: GivenAttribution, run_id: UUID, batch: object) -> None:
        """`batch` is the same for runs of one batch; None for one that is made alone."""
        super().__init__(attribution)
        self.run_id = run_id
        self.batch = batch

    @contextmanager
    def beside_its_batch(self) -> Iterator[None]:
        """What begins in here is inside none of the others."""
        around = [one for one in metered_around_here() if not self._is_beside(one)]
        token = open_calls.set(tuple(around))
        try:
            yield
        finally:
            open_calls.reset(token)

    def others_of_its_batch(self) -> list[UUID]:
        """Those that have begun here."""
        return [one.run_id for one in metered_around_here() if self._is_beside(one) and isinstance(one, InsideRun)]

    def _is_beside(self, other: MeteredInside) -> bool:
        if self.batch is None or not isinstance(other, InsideRun):
            return False
        return other.batch == self.batch and other.run_id != self.run_id


class Run:
    """One run of a model is one call, unless the client that makes it is metered, too: then that one charges it."""

    def __init__(
        self, given: GivenAttribution, run_id: UUID, inputs: object, told: Mapping[str, Any], *, batch: object = None
    ) -> None:
        """It begins now, attributed as in force here, over the conversation that its metadata names.

        `told` is what else LangChain says of it; `batch` as of `InsideRun`.
        """
        metadata, params, name = told.get("metadata"), told.get("invocation_params"), told.get("name")
        body = {key: value for key, value in params.items()} if isinstance(params, Mapping) else {}
        body["model"] = read_text(body, *MODEL_NAMES) or read_text(metadata, "ls_model_name")
        fields = fields_of(body)
        fields["provider"] = read_text(metadata, "ls_provider")
        said = {"endpoint": name, "thread_id": read_first(metadata, *CONVERSATION_NAMES)}
        texts = {field: text_of(field, value) for field, value in said.items() if value is not None}
        of_run = GivenAttribution({field: text for field, text in texts.items() if text}, {})
        self.inside = InsideRun(given, run_id, batch)
        with self.inside.beside_its_batch():
            self.call = Call(fields, given.over(of_run))
        self.inside.attribution = self.call.attribution
        self.call.inside = self.inside
        self.expected = _expected(body, inputs, read(metadata, "ls_max_tokens"))
        self.call.set_input(*self.expected.inputs)
        self._run_id = run_id
        self._is_streaming = False
        self._stop_waiting: Callable[[], object] | None = None

    def begin(self) -> None:
        """It is admitted, and goes to the provider."""
        with self.inside.beside_its_batch():
            self.call.announce()
        self.inside.__enter__()

    @property
    def is_streaming(self) -> bool:
        """Whether a piece of a stream has come."""
        return self._is_streaming

    def ends_with(self, task: asyncio.Task[Any], on_done: Callable[[asyncio.Task[Any]], None]) -> None:
        """Have `on_done` told of the end of the task that makes it, if that comes first."""
        task.add_done_callback(on_done)
        self._stop_waiting = partial(task.remove_done_callback, on_done)

    def let_go(self) -> Work | None:
        """Others charge it, or it was not made after all; gives the work of giving back what is held."""
        self._leave()
        work = nothing_to_record(self.call)
        self.call.close()
        return work

    def token(self) -> None:
        """A piece of a stream has come; what its consumer does from here on is not inside this call."""
        if not self._is_streaming:
            self._is_streaming = True
            self.inside.__exit__(None, None, None)

    def ended(self, result: object, error: BaseException | None = None) -> Work | None:
        """It is over; gives the work that is left: to record it, or to give back what is held."""
        call = self.call
        if self.inside.has_calls:
            return self.let_go()
        self._leave()
        told = _body_of(result) if error is None else _answer_behind(result) or _body_of(result)
        if told is not None and told["usage"] is not None:
            call.observe(told)
        elif self._is_streaming:
            call.observed.begin_stream()
            if told is not None:
                call.observed.chunk(told)
            call.observed.stream_ended(error)
        elif told is not None and error is None:
            call.observe(told)
        self._say(told or {})
        return finish(call, None if isinstance(error, GeneratorExit) else error)

    def _leave(self) -> None:
        self.inside.__exit__(None, None, None)
        if self._stop_waiting is not None:
            self._stop_waiting()
            self._stop_waiting = None

    def _say(self, told: Mapping[str, Any]) -> None:
        key = ""
        usage = told.get("usage")
        if read(usage, "total_cost") == 0:
            self.call.said["reported_cost_usd"] = 0
            self.call.add_metadata(cache_hit=True)
        else:
            key = trusted_id(text_of("provider", self.call.given.get("provider")), told.get("id", ""))
        if usage == {}:
            self.call.set_usage(input_tokens=0, output_tokens=0)
            self.call.add_metadata(usage="told with the first prompt of its batch")
        self.call.said |= {"idempotency_key": key or f"langchain:{self._run_id}", "key_from_provider": bool(key)}


def _expected(body: Mapping[str, Any], inputs: object, most: object) -> Expected:
    named = {"messages": [_readable(one) for one in items(inputs)], "tools": body.get("tools"), "max_tokens": most}
    return expected_of_body({**named, **{name: value for name, value in body.items() if value is not None}})


def _readable(message: object) -> object:
    """What of a message the model reads, once: LangChain's messages have their content under several names."""
    if isinstance(message, (str, Mapping)):
        return message
    return {"content": read(message, "content"), "tool_calls": read(message, "tool_calls")}


def _answer_behind(failure: object) -> dict[str, Any] | None:
    """The body of a provider's answer that could not be parsed as the caller would have it: it is charged."""
    for generations in items(read(failure, "generations")):
        for generation in items(generations):
            body = read(read(read(generation, "message"), "response_metadata"), "body")
            if isinstance(body, dict) and body.get("usage") is not None:
                return body
    return None


def _body_of(result: object) -> dict[str, Any] | None:
    """The first generation of a run's result, as the body of a response; None if there is none.

    Of several answers to one prompt each says the usage of all of them.
    """
    for generations in items(read(result, "generations")):
        for generation in items(generations):
            message = read(generation, "message")
            told = read(message, "response_metadata")
            output = read(result, "llm_output")
            usage = read(message, "usage_metadata")
            return {
                "id": read_text(told, "id", "request_id") or read_text(output, "id"),
                "model": read_text(told, "model_name", "model") or read_text(output, "model_name"),
                "usage": read(output, "token_usage") if usage is None else usage,
                "service_tier": read_text(told, "service_tier") or None,
                "finish_reason": read_text(told, "finish_reason", "stop_reason")
                or read_text(read(generation, "generation_info"), "finish_reason"),
                "content": read(generation, "text") if message is None else read(message, "content"),
                "tool_calls": read(message, "tool_calls"),
            }
    return None
