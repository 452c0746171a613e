"""record_usage inside a tracked function or a block: figures that are those of its response are the same call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from costtrack.domain.events import UsageEvent
from costtrack.domain.tokens import TokenUsage
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.metering.nested import same_model
from costtrack.metering.record import record_usage
from costtrack.testing import capture_usage
from tests.metering.responses import chat_completion

pytestmark = pytest.mark.django_db

ONE = [("inner", 1000)]


def counted(events: Iterable[UsageEvent]) -> list[tuple[str, int]]:
    """Who charges, and the input tokens."""
    return [(event.attribution.endpoint, event.tokens.input_tokens) for event in events]


def charged_by(work: Callable[[], Any]) -> list[tuple[str, int]]:
    """What is charged when a tracked function does this work and returns what it gives."""
    with capture_usage() as log:
        track_api_call("outer")(work)()
    return counted(log)


@pytest.mark.parametrize("model", ["test-model", "openai/Test-Model", "test-model-2024-08-06", ""])
def test_usage_recorded_by_its_figures_inside_is_that_of_the_returned_response(model: str) -> None:
    def work() -> Any:
        record_usage(model=model, input_tokens=1000, output_tokens=100, endpoint="inner")
        return chat_completion()

    async def work_async() -> Any:
        return work()

    assert charged_by(work) == ONE
    with capture_usage() as log:
        asyncio.run(track_api_call("outer")(work_async)())
    assert counted(log) == ONE
    with capture_usage() as log, meter("outer") as call:
        call.observe(work())
    assert counted(log) == ONE


@pytest.mark.parametrize(
    "figures",
    [
        {"model": "other-model", "input_tokens": 1000, "output_tokens": 100},
        {"model": "test-model", "input_tokens": 1000, "output_tokens": 99},
        {"provider": "pubmed", "resource_type": "api_call"},
    ],
)
def test_other_figures_are_another_call(figures: dict[str, Any]) -> None:
    def work() -> Any:
        record_usage(**figures)
        return chat_completion()

    assert len(charged_by(work)) == 2


def test_figures_stand_for_one_response_only() -> None:
    with capture_usage() as log, meter("outer") as call:
        record_usage(model="test-model", tokens=TokenUsage(input_tokens=1000, output_tokens=100), endpoint="inner")
        call.observe(chat_completion(response_id="chatcmpl-1111111111111111"))
        call.observe(chat_completion())
    assert counted(log) == [("inner", 1000), ("outer", 1000)]


def test_figures_that_could_not_be_recorded_leave_the_response_to_be_charged() -> None:
    def work() -> Any:
        with pytest.raises(TypeError):
            record_usage(model="test-model", tokens=TokenUsage(input_tokens=1000), input_tokens=1000)
        return chat_completion()

    assert charged_by(work) == [("outer", 1000)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("claude-3-5-sonnet-20241022", "anthropic/claude-3-5-sonnet", True),
        ("gpt-4", "gpt-4-0613", True),
        ("gemini-1.5-pro", "gemini-1.5-pro-001", True),
        ("gpt-4-0314", "gpt-4-0613", False),
        ("gpt-4o", "gpt-4o-mini", False),
        ("claude-opus-4", "claude-opus-4-1", False),
    ],
)
def test_a_model_is_the_same_with_and_without_its_snapshot(one: str, other: str, same: bool) -> None:
    assert (same_model(one, other), same_model(other, one)) == (same, same)


def test_a_stream_recorded_by_its_figures_is_charged_once() -> None:
    @track_api_call("outer")
    def outer() -> Iterator[Any]:
        yield {"model": "test-model", "done": True, "prompt_eval_count": 1000, "eval_count": 100}
        record_usage(model="test-model", input_tokens=1000, output_tokens=100, endpoint="inner")

    with capture_usage() as log:
        list(outer())
    assert counted(log) == ONE
