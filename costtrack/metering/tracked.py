"""One call of a tracked function: what it returned is read, or watched if it is a stream, and then recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from costtrack.domain.tokens import MAX_TOKENS
from costtrack.exceptions import InvalidUsage
from costtrack.metering.admitting import admit, admit_async
from costtrack.metering.arguments import (
    ANSWERS_NAMES,
    CONVERSATION_NAMES,
    INPUT_NAMES,
    MAX_OUTPUT_NAMES,
    MODEL_NAMES,
    ArgumentReader,
)
from costtrack.metering.attribution import MAX_LENGTHS, GivenAttribution
from costtrack.metering.call import Call
from costtrack.metering.cleaning import clean_text
from costtrack.metering.context import AttributionScope
from costtrack.metering.database_thread import Work
from costtrack.metering.expected import NOTHING_EXPECTED, Expected, token_count_or_none
from costtrack.metering.finish import finish, nothing_to_record
from costtrack.metering.given_fields import EventFields
from costtrack.metering.nested import MeteredInside
from costtrack.metering.streams import is_stream, metered_stream

STREAMS_IN_DICTS = ("stream", "body")
"""Where boto3's Bedrock client puts the stream of a response."""


class TrackedFunction:
    """A decorated function: what its decorator and its signature say about every call."""

    def __init__(
        self, function: Callable[..., Any], fields: EventFields, given: GivenAttribution, expected: Expected
    ) -> None:
        """The endpoint is the function's name unless `given` has one."""
        self._fields = fields
        self._expected = expected
        self._given = given.over(GivenAttribution({"endpoint": _name_of(function)}, {}))
        self._conversation = ArgumentReader(function, CONVERSATION_NAMES)
        self._model = ArgumentReader(function, MODEL_NAMES)
        inputs = [ArgumentReader(function, (name,)) for name in INPUT_NAMES]
        self._inputs = [reader for reader in inputs if reader.may_find]
        self._max_output = ArgumentReader(function, MAX_OUTPUT_NAMES)
        self._answers = ArgumentReader(function, ANSWERS_NAMES)

    def begin(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TrackedCall:
        """One call begins, with these arguments."""
        fields, given = self._fields, self._given
        conversation = self._conversation.read(args, kwargs)
        if conversation is not None:
            try:
                thread_id = clean_text("thread_id", conversation, MAX_LENGTHS["thread_id"])
            except InvalidUsage:  # the function may take what it likes under that name
                thread_id = ""
            given = GivenAttribution({"thread_id": thread_id}, {}).over(given) if thread_id else given
        model = self._model.read(args, kwargs)
        if isinstance(model, str) and model and "model" not in fields:
            fields = {**fields, "model": model}
        call = Call(fields, given)
        inputs = [value for value in (reader.read(args, kwargs) for reader in self._inputs) if value is not None]
        return TrackedCall(call, self._expected_of(inputs, args, kwargs))

    def _expected_of(self, inputs: Sequence[object], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Expected:
        expected = self._expected
        if inputs:
            expected = expected._replace(inputs=(*expected.inputs, *inputs))
        if self._max_output.may_find:
            most = token_count_or_none(self._max_output.read(args, kwargs))
            answers = self._answers.read(args, kwargs)
            if most is not None and type(answers) is int and answers > 1:
                most = min(most * answers, MAX_TOKENS)
            if most is not None:
                expected = expected._replace(max_output_tokens=most)
        return expected


class FunctionScope(AttributionScope):
    """The scope of one call of a tracked function."""

    def __init__(self, given: GivenAttribution, inside: MeteredInside) -> None:
        """Attributes to `given`, and lets `inside` know what is metered."""
        super().__init__(given)
        self._inside = inside

    def __enter__(self) -> FunctionScope:
        """The function, or a step of it, runs."""
        self._inside.__enter__()
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Back to its caller."""
        super().__exit__(kind, error, traceback)
        self._inside.__exit__(kind, error, traceback)


class TrackedCall:
    """Ends with one call of `end`."""

    def __init__(self, call: Call, expected: Expected) -> None:
        """What is metered in `scope` inherits the attribution of `call`; its input is what is `expected` to be read."""
        self.scope = FunctionScope(call.attribution, call.inside)
        self._call = call
        self._expected = expected
        self._is_streaming = False
        if expected.inputs:
            call.set_input(*expected.inputs)

    def running(self) -> TrackedCall:
        """Itself, admitted: a function that is no generator runs at once. Raises CallRefused, and is not to be run."""
        admit(self._call, self._expected)
        self._begun()
        return self

    async def running_async(self) -> TrackedCall:
        """The same in a coroutine."""
        await admit_async(self._call, self._expected)
        self._begun()
        return self

    def start(self) -> None:
        """A generator runs its first step only now."""
        self._call.restart()
        admit(self._call, self._expected)
        self._begun()
        self._is_streaming = True

    async def start_async(self) -> None:
        """The same of an async generator."""
        self._call.restart()
        await admit_async(self._call, self._expected)
        self._begun()
        self._is_streaming = True

    def _begun(self) -> None:
        self._expected = NOTHING_EXPECTED  # keep nothing of the input
        self._call.announce()

    def chunk(self, chunk: object) -> None:
        """A chunk of a stream passes; one that comes from a metered call inside tells nothing of this one."""
        if self._call.is_llm:
            self._call.announce()
            if not (self._call.has_calls_inside and self._call.inside.knows(chunk)):
                self._call.observed.chunk(chunk)

    def take(self, result: Any) -> tuple[Any, bool]:
        """What the function returned, to be handed on, and whether the call is over; a stream is still to be read."""
        if not self._call.is_llm:
            return result, True
        if is_stream(result):
            return self._watched(result), False
        if type(result) is dict:
            for name in STREAMS_IN_DICTS:
                stream = result.get(name)
                if _is_event_stream(stream):
                    self._call.observed.chunk({key: value for key, value in result.items() if key != name})
                    return {**result, name: self._watched(stream)}, False
        self._call.observe(result)
        return result, True

    def end(self, error: BaseException | None) -> Work | None:
        """The call is over; gives the work that is left: to record it, or to release its hold; or None."""
        if self._is_streaming:
            self._call.observed.stream_ended(error)
            if isinstance(error, GeneratorExit):
                error = None  # the consumer had enough; that is no failure
        if self._call.is_llm and self._call.has_calls_inside and not self._call.observed.has_usage():
            work = nothing_to_record(self._call)
            self._call.close()
            return work
        return finish(self._call, error)

    def _watched(self, stream: Any) -> Any:
        self._is_streaming = True
        return metered_stream(stream, on_chunk=self.chunk, on_end=self.end, scope=self.scope)


def _is_event_stream(value: object) -> bool:
    """An iterable that is no data and no file, such as botocore's EventStream."""
    return (
        isinstance(value, Iterable)
        and not isinstance(value, (str, bytes, bytearray, Sequence, Mapping, set, frozenset))
        and not hasattr(value, "read")
    )


def _name_of(function: Any) -> str:
    function = getattr(function, "func", function)
    return str(getattr(function, "__name__", type(function).__name__))[: MAX_LENGTHS["endpoint"]]
