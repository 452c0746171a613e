"""What LangChain tells of one run of a model: how it is admitted, observed and recorded."""

from __future__ import annotations

from collections.abc import Mapping
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

CONVERSATION_NAMES = ("thread_id", "session_id", "conversation_id")
"""How a run's metadata names its conversation; LangGraph has thread_id there."""
MODEL_NAMES = ("model", "model_name", "model_id", "azure_deployment")


class Run:
    """One run of a model is one call, unless the client that makes it is metered, too: then that one charges it."""

    def __init__(
        self, given: GivenAttribution, run_id: UUID, inputs: object, metadata: object, params: object, name: object
    ) -> None:
        """It begins now, attributed as in force here, over the conversation that its metadata names."""
        body = {key: value for key, value in params.items()} if isinstance(params, Mapping) else {}
        body["model"] = read_text(body, *MODEL_NAMES) or read_text(metadata, "ls_model_name")
        fields = fields_of(body)
        fields["provider"] = read_text(metadata, "ls_provider")
        said = {"endpoint": name, "thread_id": read_first(metadata, *CONVERSATION_NAMES)}
        texts = {field: text_of(field, value) for field, value in said.items() if value is not None}
        told = GivenAttribution({field: text for field, text in texts.items() if text}, {})
        self.call = Call(fields, given.over(told))
        self.expected = _expected(body, inputs, read(metadata, "ls_max_tokens"))
        self.call.set_input(*self.expected.inputs)
        self._run_id = run_id
        self._is_streaming = False

    def begin(self) -> None:
        """It is admitted, and goes to the provider."""
        self.call.announce()
        self.call.inside.__enter__()

    def token(self) -> None:
        """A piece of a stream has come; what its consumer does from here on is not inside this call."""
        if not self._is_streaming:
            self._is_streaming = True
            self.call.inside.__exit__(None, None, None)

    def ended(self, result: object, error: BaseException | None = None) -> Work | None:
        """It is over; gives the work that is left: to record it, or to give back what is held."""
        call = self.call
        call.inside.__exit__(None, None, None)
        if call.inside.has_calls:
            work = nothing_to_record(call)
            call.close()
            return work
        told = _body_of(result)
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
