"""Runs that LangChain begins together, answers that it can not use, and tasks that are cancelled: all are charged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pydantic
import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_openai import ChatOpenAI, OpenAI
from openai import OpenAI as OpenAIClient

from costtrack.exceptions import BudgetExceeded
from costtrack.integrations.langchain import AsyncCostTrackHandler, CostTrackHandler
from costtrack.integrations.openai import instrument
from costtrack.metering.database_thread import wait_for_later
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.litellm.bodies import RESPONSE_ID, USAGE, chat, chat_stream
from tests.integrations.wire.answers import json_answer
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget, spent_and_held

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:Unexpected type for token usage:UserWarning"),  # LangChain adds up None
]

COST = Decimal("0.0045")
"""1000 x 3 + 100 x 15 = 4,500 per million."""
IDS = [f"chatcmpl-one-of-a-batch-{number}" for number in range(3)]
PROMPTS: list[list[BaseMessage]] = [[HumanMessage(text)] for text in ("one", "two", "three")]
EACH_ONCE = [(f"openai:{name}", COST) for name in IDS]


class Number(pydantic.BaseModel):
    number: int


@pytest.fixture
def model(wire: Wire) -> Iterator[ChatOpenAI]:
    make_rate()
    with httpx.Client() as client:
        yield ChatOpenAI(
            model="test-model", base_url=f"{wire.url}/v1", api_key="k", max_retries=0, max_tokens=1000,
            http_client=client, http_async_client=httpx.AsyncClient(),
        )  # fmt: skip


def charged() -> list[tuple[str, Decimal | None]]:
    return sorted(ResourceUsage.objects.values_list("idempotency_key", "cost_usd"))


def test_each_prompt_of_a_batch_is_charged(wire: Wire, model: ChatOpenAI) -> None:
    wire.gives(*[chat(response_id=name) for name in IDS])
    model.generate(PROMPTS, callbacks=[CostTrackHandler()])
    assert charged() == EACH_ONCE


@pytest.mark.parametrize("handler", [CostTrackHandler, AsyncCostTrackHandler])
def test_each_prompt_of_an_async_batch_is_charged(wire: Wire, model: ChatOpenAI, handler: Any) -> None:
    async def main() -> None:
        async with model.http_async_client:
            await model.agenerate(PROMPTS, callbacks=[handler()])

    wire.gives(*[chat(response_id=name) for name in IDS])
    async_to_sync(main)()
    assert charged() == EACH_ONCE


def test_two_handlers_charge_each_prompt_of_a_batch_once(wire: Wire, model: ChatOpenAI) -> None:
    wire.gives(*[chat(response_id=name) for name in IDS])
    model.generate(PROMPTS, callbacks=[CostTrackHandler(), CostTrackHandler()])
    assert charged() == EACH_ONCE


def test_a_metered_client_under_a_batch_charges_each_prompt_once(wire: Wire, model: ChatOpenAI) -> None:
    wire.gives(*[chat(response_id=name) for name in IDS])
    with OpenAIClient(api_key="k", base_url=f"{wire.url}/v1", max_retries=0) as client:
        instrument(client, provider="openai")
        under = ChatOpenAI(model="test-model", api_key="k", client=client.chat.completions, root_client=client)
        under.generate(PROMPTS, callbacks=[CostTrackHandler()])
    assert charged() == EACH_ONCE


def test_prompts_that_go_in_one_request_are_charged_with_the_first(wire: Wire) -> None:
    make_rate()
    choices = [{"text": "x", "index": number, "finish_reason": "stop", "logprobs": None} for number in range(2)]
    body = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "test-model", "choices": choices}
    wire.gives(json_answer({**body, "usage": USAGE}))
    with httpx.Client() as client:
        model = OpenAI(
            model="test-model", base_url=f"{wire.url}/v1", api_key="k", max_retries=0, http_client=client,
            http_async_client=httpx.AsyncClient(),
        )  # fmt: skip
        model.batch(["one", "two"], config={"callbacks": [CostTrackHandler()]})
    assert sorted(cost for _, cost in charged() if cost is not None) == [Decimal(0), COST]


def test_a_batch_of_which_one_prompt_is_refused_holds_nothing(wire: Wire, model: ChatOpenAI) -> None:
    # 3 characters are 1 token: 1 x 3 + 1000 x 15 = 15,003 per million each; there is room for one
    budget = make_budget(make_organization("default"), "0.02")
    handler = CostTrackHandler()
    with pytest.raises(BudgetExceeded):
        model.generate(PROMPTS, callbacks=[handler])
    assert (wire.requests, charged(), spent_and_held(budget)) == ([], [], (Decimal(0), Decimal(0)))
    assert handler._runs == {}


@pytest.mark.parametrize(("content", "why"), [('{"num', "length"), ('{"name": 1}', "stop")])
def test_an_answer_that_does_not_parse_is_charged(wire: Wire, model: ChatOpenAI, content: str, why: str) -> None:
    message = {"role": "assistant", "content": content}
    wire.gives(chat(choices=[{"index": 0, "finish_reason": why, "message": message}]))
    with pytest.raises(Exception, match=r"length limit|validation error"):
        model.with_structured_output(Number, method="json_schema").invoke(
            "one", config={"callbacks": [CostTrackHandler()]}
        )
    row = ResourceUsage.objects.get()
    assert (row.outcome, row.cost_usd, row.idempotency_key) == ("error", COST, f"openai:{RESPONSE_ID}")


@pytest.mark.parametrize("handler", [CostTrackHandler, AsyncCostTrackHandler])
def test_a_run_whose_task_is_cancelled_is_estimated_by_its_input(wire: Wire, model: ChatOpenAI, handler: Any) -> None:
    budget = make_budget(make_organization("default"), "1")
    ours = handler()

    async def main() -> None:
        async with model.http_async_client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(model.ainvoke("y" * 40, config={"callbacks": [ours]}), 0.1)

    wire.gives(replace(chat(), after_seconds=0.3))
    async_to_sync(main)()
    wait_for_later()
    row = ResourceUsage.objects.get()
    # The provider has worked: 40 characters are 10 tokens x 3 = 30 per million, and the output is not known
    assert (row.cost_usd, row.is_estimated, row.outcome) == (Decimal("0.00003"), True, "error")
    assert (ours._runs, spent_and_held(budget)) == ({}, (Decimal("0.00003"), Decimal(0)))


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_async_handler_under_a_sync_call_books_its_answer(wire: Wire, model: ChatOpenAI, is_streamed: bool) -> None:
    ours = AsyncCostTrackHandler()  # LangChain runs each of its methods in a loop of its own
    config: Any = {"callbacks": [ours]}
    wire.gives(chat_stream() if is_streamed else chat())
    if is_streamed:
        assert len(list(model.stream("one", config=config, stream_usage=True))) > 1
    else:
        model.invoke("one", config=config)
    wait_for_later()
    assert ([cost for _, cost in charged()], ours._runs) == ([COST], {})


def test_a_refused_batch_lets_go_of_no_others_hold(wire: Wire, model: ChatOpenAI) -> None:
    budget = make_budget(make_organization("default"), "0.04")  # room for two
    handler = CostTrackHandler()

    def make() -> None:
        try:
            model.generate(PROMPTS[:2], callbacks=[handler])
        finally:
            connections.close_all()

    wire.gives(*[replace(chat(response_id=name), after_seconds=0.3) for name in IDS[:2]])
    with ThreadPoolExecutor() as threads:
        made = threads.submit(make)
        until = time.monotonic() + 5
        while not wire.requests and time.monotonic() < until:
            time.sleep(0.01)
        with pytest.raises(BudgetExceeded):
            model.generate(PROMPTS[:2], callbacks=[handler])
        made.result(10)
    assert charged() == EACH_ONCE[:2]
    assert (handler._runs, spent_and_held(budget)) == ({}, (2 * COST, Decimal(0)))
