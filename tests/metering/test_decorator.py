"""@track_api_call on functions of every kind: one row a call, the result untouched."""

from __future__ import annotations

import asyncio
import inspect
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from costtrack.metering.context import attribute
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.metering.record import record_api_call, record_usage
from costtrack.models import ResourceUsage
from costtrack.testing import capture_usage
from tests.factories import make_rate
from tests.metering.responses import chat_completion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_stream_left")]


class Usage:
    def __init__(self, prompt_tokens: int, completion_tokens: int) -> None:
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens


class AnyResponse:
    """Nobody's SDK: only `.model` and `.usage`."""

    def __init__(self) -> None:
        self.model = "test-model"
        self.usage = Usage(1000, 100)


def only_row() -> ResourceUsage:
    return ResourceUsage.objects.get()


def test_a_sync_function_is_one_row_with_feature_cost_and_latency() -> None:
    make_rate()

    @track_api_call("generate_clusters", provider="openai", project="search")
    def generate(prompt: str, conversation_id: str) -> AnyResponse:
        """Clusters."""
        return AnyResponse()

    response = generate("never stored", "c-1")
    row = only_row()
    assert isinstance(response, AnyResponse)
    assert (row.endpoint, row.thread_id, row.cost_usd) == ("generate_clusters", "c-1", Decimal("0.0045"))
    assert row.project is not None
    assert (row.project.slug, row.outcome, row.latency_ms is not None) == ("search", "success", True)
    assert (generate.__name__, generate.__doc__) == ("generate", "Clusters.")
    assert "never stored" not in str(vars(row))


def test_a_coroutine_function_is_one_row_and_still_one() -> None:
    make_rate()

    @track_api_call("chat", provider="openai")
    async def chat(*, thread_id: int) -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return chat_completion()

    assert inspect.iscoroutinefunction(chat)
    assert async_to_sync(chat)(thread_id=7) == chat_completion()
    row = only_row()
    assert (row.endpoint, row.thread_id, row.cost_usd) == ("chat", "7", Decimal("0.0045"))
    assert row.latency_ms is not None
    assert row.latency_ms >= 19


def test_a_function_that_returns_a_coroutine_is_tracked_to_its_result() -> None:
    make_rate()

    async def create() -> dict[str, Any]:
        return chat_completion()

    @track_api_call("chat", provider="openai")
    def chat() -> Any:
        return create()

    async def main() -> Any:
        return await chat()

    assert async_to_sync(main)() == chat_completion()
    assert only_row().cost_usd == Decimal("0.0045")


def test_an_exception_is_a_failed_row_and_goes_on_unchanged() -> None:
    make_rate()
    error = TimeoutError("too slow")

    @track_api_call("chat", provider="openai")
    def chat(model: str) -> None:
        raise error

    with pytest.raises(TimeoutError) as raised:
        chat("test-model")
    assert raised.value is error
    row = only_row()
    assert (row.outcome, row.error_type, row.error_message, row.model) == (
        "error", "TimeoutError", "too slow", "test-model",
    )  # fmt: skip


def test_an_exception_of_a_coroutine_function_too() -> None:
    @track_api_call
    async def chat() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        async_to_sync(chat)()
    assert (only_row().outcome, only_row().endpoint) == ("error", "chat")


def by_position(text: str, conversation_id: str) -> None: ...
def by_default(text: str, thread_id: str = "c-1") -> None: ...
def by_any_keyword(*args: str, **kwargs: str) -> None: ...
def without(text: str) -> None: ...


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "thread"),
    [
        (by_position, ("x", "c-1"), {}, "c-1"),
        (by_position, ("x",), {"conversation_id": "c-1"}, "c-1"),
        (by_default, ("x",), {}, "c-1"),
        (by_default, ("x",), {"thread_id": None}, "outer"),
        (by_any_keyword, ("x",), {"thread_id": "c-1"}, "c-1"),
        (without, ("x",), {}, "outer"),
        (partial(by_position, "x"), ("c-1",), {}, "c-1"),
    ],
)
def test_the_conversation_is_found_however_it_is_passed(function: Any, args: Any, kwargs: Any, thread: str) -> None:
    with capture_usage() as log, attribute(thread_id="outer"):
        track_api_call("chat")(function)(*args, **kwargs)
    assert log[0].attribution.thread_id == thread


def test_methods_of_every_kind_are_tracked() -> None:
    class Client:
        @track_api_call("method")
        def ask(self, conversation_id: str) -> str:
            return self.__class__.__name__ + conversation_id

        @track_api_call("class")
        @classmethod
        def ask_class(cls, thread_id: str) -> str:
            return cls.__name__ + thread_id

        @track_api_call
        @staticmethod
        def ask_static(thread_id: str) -> str:
            return thread_id

    with capture_usage() as log:
        assert (Client().ask("1"), Client.ask_class("2"), Client.ask_static("3")) == ("Client1", "Client2", "3")
    found = [(event.attribution.endpoint, event.attribution.thread_id) for event in log]
    assert found == [("method", "1"), ("class", "2"), ("ask_static", "3")]


def test_a_tool_is_tracked_as_an_api_call_and_its_result_not_read() -> None:
    @track_api_call("literature", provider="pubmed", resource_type="api_call")
    def search(query: str) -> Any:
        return iter([1, 2])

    assert list(search("x")) == [1, 2]
    row = only_row()
    assert (row.resource_type, row.provider, row.amount, row.usage_missing) == ("api_call", "pubmed", 1, False)


def test_what_is_metered_inside_belongs_to_the_feature_and_a_mere_wrapper_adds_no_row() -> None:
    make_rate()

    @track_api_call("answer")
    def answer(conversation_id: str) -> str:
        record_api_call("pubmed")
        with meter(provider="openai") as call:
            call.observe(chat_completion())
        return "the text"

    @track_api_call("outermost")
    def outermost() -> str:
        return answer("c-1")

    outermost()
    rows = ResourceUsage.objects.order_by("id")
    assert [(row.resource_type, row.endpoint, row.thread_id) for row in rows] == [
        ("api_call", "answer", "c-1"),
        ("llm_tokens", "answer", "c-1"),
    ]


def test_a_function_that_records_its_usage_by_figures_adds_no_row_of_missing_usage() -> None:
    @track_api_call("answer")
    def answer() -> str:
        record_usage(model="m", input_tokens=5)
        return "the text"

    answer()
    assert (only_row().endpoint, only_row().input_tokens) == ("answer", 5)


def test_a_function_that_calls_only_tools_and_tells_no_usage_is_a_row_of_missing_usage() -> None:
    @track_api_call("answer")
    def answer() -> str:
        record_api_call("pubmed")
        return "the text"

    answer()
    assert ResourceUsage.objects.get(resource_type="llm_tokens").usage_missing


def test_a_failing_ledger_does_not_fail_the_function() -> None:
    @track_api_call("chat", organization="no-such-one")
    def chat() -> dict[str, Any]:
        return chat_completion()

    assert chat() == chat_completion()
    assert ResourceUsage.objects.count() == 0


def test_wrong_arguments_of_the_decorator_raise_when_it_decorates() -> None:
    with pytest.raises(TypeError, match=r"track_api_call\(\).*'projekt'"):
        track_api_call("chat", projekt="x")  # type: ignore[call-overload]
