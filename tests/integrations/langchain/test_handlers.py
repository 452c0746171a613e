"""LangChain's handlers with its real OpenAI and Anthropic models, against a server that speaks their wire formats."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from asgiref.sync import async_to_sync
from langchain_anthropic import ChatAnthropic
from langchain_core.caches import InMemoryCache
from langchain_openai import ChatOpenAI
from openai import OpenAI

from costtrack.exceptions import BudgetExceeded, InvalidUsage
from costtrack.integrations.langchain import AsyncCostTrackHandler, CostTrackHandler
from costtrack.integrations.openai import instrument
from costtrack.metering.context import attribute
from costtrack.models import Hold, ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.litellm.bodies import RESPONSE_ID, chat, chat_stream, failure
from tests.integrations.wire.answers import event_stream, json_answer
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget, spent_and_held

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGE_ID = "msg_01AbCdEfGhIjKlMnOpQrStUv"
ASKED = "Say hello to me, please, in few words"
"""37 characters: 10 tokens, at 4 characters each."""


@pytest.fixture(autouse=True, scope="module")
def no_client_left() -> Iterator[None]:
    """LangChain keeps its HTTP clients for all models, and closes none of them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def rows() -> list[ResourceUsage]:
    return list(ResourceUsage.objects.order_by("id"))


@pytest.fixture
def model(wire: Wire) -> Iterator[ChatOpenAI]:
    with httpx.Client() as client:
        yield ChatOpenAI(
            model="test-model", base_url=f"{wire.url}/v1", api_key="k", max_retries=0, max_tokens=1000,
            http_client=client,
            http_async_client=httpx.AsyncClient(),  # else one for all models, and all loops
        )  # fmt: skip


def with_handler(handler: Any = None, **config: Any) -> Any:
    return {"callbacks": [handler or CostTrackHandler()], **config}


def run(model: ChatOpenAI, work: Coroutine[Any, Any, Any]) -> None:
    """In a loop of its own, to whose end the model's connections last."""

    async def closing() -> None:
        async with model.http_async_client:
            await work

    async_to_sync(closing)()


def test_a_run_is_booked_under_the_responses_id(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    wire.gives(chat())
    with attribute(endpoint="summarize"):
        model.invoke(ASKED, config=with_handler(CostTrackHandler(project="search"), metadata={"thread_id": "t-1"}))
    [row] = rows()
    # 1000 x 3 + 100 x 15 = 4500 per million
    assert (row.cost_usd, row.input_tokens, row.cache_read_tokens, row.output_tokens) == (
        Decimal("0.0045"), 1000, 400, 100,
    )  # fmt: skip
    assert (row.provider, row.gateway, row.model, row.thread_id) == ("openai", "", "test-model", "t-1")
    assert row.project is not None
    assert (row.project.slug, row.endpoint) == ("search", "summarize")
    assert row.idempotency_key == f"openai:{RESPONSE_ID}"
    assert row.metadata["finish_reason"] == "stop"


def test_a_run_without_a_trusted_id_is_booked_under_its_own(wire: Wire, model: ChatOpenAI) -> None:
    run_id = UUID("0199a1b2-0000-7000-8000-000000000001")
    wire.gives(chat(response_id="chatcmpl-123"))
    model.invoke(ASKED, config=with_handler(run_id=run_id))
    [row] = rows()
    assert row.idempotency_key == f"langchain:{run_id}"


def test_anthropics_cached_tokens_are_counted_once(wire: Wire) -> None:
    make_rate("test-claude", "anthropic", cache_read_usd_per_million=Decimal("0.3"),
              cache_write_usd_per_million=Decimal("3.75"))  # fmt: skip
    usage = {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 400,
             "cache_creation_input_tokens": 200}  # fmt: skip
    body = {"id": MESSAGE_ID, "type": "message", "role": "assistant", "model": "test-claude", "stop_reason": "end_turn"}
    wire.gives(json_answer({**body, "content": [{"type": "text", "text": "Hello"}], "usage": usage}))
    model = ChatAnthropic(model="test-claude", base_url=wire.url, api_key="k", max_retries=0, max_tokens=100)
    model.invoke(ASKED, config=with_handler())
    [row] = rows()
    assert (row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens) == (700, 400, 200, 50)
    # 100 x 3 + 400 x 0.3 + 200 x 3.75 + 50 x 15 = 300 + 120 + 750 + 750 = 1920 per million
    assert row.cost_usd == Decimal("0.00192")
    assert row.idempotency_key == f"anthropic:{MESSAGE_ID}"


def test_a_stream_of_anthropic_is_booked_by_its_last_counts(wire: Wire) -> None:
    make_rate("test-claude", "anthropic")
    message = {"id": MESSAGE_ID, "type": "message", "role": "assistant", "model": "test-claude", "content": []}
    last = {"usage": {"input_tokens": 100, "output_tokens": 50}}
    wire.gives(
        event_stream(
            [
                {"type": "message_start", "message": {**message, "usage": {"input_tokens": 100, "output_tokens": 1}}},
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, **last},
                {"type": "message_stop"},
            ],
            is_named=True,
        )
    )
    model = ChatAnthropic(model="test-claude", base_url=wire.url, api_key="k", max_retries=0, max_tokens=100)
    assert "".join(str(chunk.text) for chunk in model.stream(ASKED, config=with_handler())) == "Hello"
    [row] = rows()
    # 100 x 3 + 50 x 15 = 1050 per million
    assert (row.input_tokens, row.output_tokens, row.cost_usd) == (100, 50, Decimal("0.00105"))


def test_a_stream_with_usage_is_booked_by_it(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    wire.gives(chat_stream())
    assert len(list(model.stream(ASKED, config=with_handler(), stream_usage=True))) > 2
    [row] = rows()
    assert (row.cost_usd, row.is_estimated) == (Decimal("0.0045"), False)


def test_a_stream_without_usage_is_estimated(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    wire.gives(chat_stream(usage=None))
    list(model.stream(ASKED, config=with_handler()))
    [row] = rows()
    # "Hello, you!" has 11 characters: 3 tokens; 10 x 3 + 3 x 15 = 75 per million
    assert (row.input_tokens, row.output_tokens, row.is_estimated) == (10, 3, True)
    assert row.cost_usd == Decimal("0.000075")


def test_a_stream_that_is_left_is_booked_by_what_came(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    wire.gives(chat_stream())
    stream: Iterator[Any] = iter(model.stream(ASKED, config=with_handler()))
    next(stream)
    stream.close()  # type: ignore[attr-defined] # it is a generator
    [row] = rows()
    # "Hello, " has 7 characters: 2 tokens; 10 x 3 + 2 x 15 = 60 per million
    assert (row.output_tokens, row.is_estimated, row.outcome) == (2, True, "success")
    assert row.cost_usd == Decimal("0.00006")
    assert row.metadata["stream"] == "ended early"


def test_a_failed_run_is_booked_as_failed(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    wire.gives(failure())
    with pytest.raises(Exception, match="that is no request"):
        model.invoke(ASKED, config=with_handler())
    [row] = rows()
    assert (row.outcome, row.cost_usd) == ("error", Decimal(0))


def test_a_refused_run_is_not_made(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    organization = make_organization("default")
    # 10 in x 3 + 1000 out at most x 15 = 15030 per million
    budget = make_budget(organization, "0.015")
    with pytest.raises(BudgetExceeded) as refusal:
        model.invoke(ASKED, config=with_handler())
    assert refusal.value.needed == Decimal("0.01503")
    assert (wire.requests, rows(), spent_and_held(budget)) == ([], [], (Decimal(0), Decimal(0)))


def test_what_was_held_is_settled(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    budget = make_budget(make_organization("default"), "0.02")
    wire.gives(chat())
    run(model, model.ainvoke(ASKED, config=with_handler(AsyncCostTrackHandler())))
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))
    assert [hold.state for hold in Hold.objects.all()] == ["settled"]


def test_an_async_run_is_refused_before_it_is_made(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    make_budget(make_organization("default"), "0.015")
    with pytest.raises(BudgetExceeded):
        run(model, model.ainvoke(ASKED, config=with_handler(AsyncCostTrackHandler())))
    assert wire.requests == []


def test_parallel_runs_are_booked_each_for_its_own(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    ids = [f"chatcmpl-parallel-run-{number}" for number in range(4)]
    wire.gives(*(chat(response_id=name) for name in ids))

    async def one(number: int) -> None:
        with attribute(request_id=f"request-{number}"):
            await model.ainvoke(ASKED, config=with_handler(handler))

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, range(4)))

    handler = AsyncCostTrackHandler()
    run(model, all_of_them())
    assert sorted(row.idempotency_key for row in rows()) == [f"openai:{name}" for name in ids]
    assert sorted(row.request_id for row in rows()) == [f"request-{number}" for number in range(4)]


def test_an_async_stream_is_booked(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    wire.gives(chat_stream())

    async def streamed() -> None:
        async for _ in model.astream(ASKED, config=with_handler(AsyncCostTrackHandler()), stream_usage=True):
            pass

    run(model, streamed())
    assert [row.cost_usd for row in rows()] == [Decimal("0.0045")]


def test_the_sync_handler_serves_coroutines_too(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    budget = make_budget(make_organization("default"), "0.02")
    wire.gives(chat())
    run(model, model.ainvoke(ASKED, config=with_handler()))
    assert spent_and_held(budget) == (Decimal("0.0045"), Decimal(0))


def test_an_answer_from_langchains_cache_costs_0_and_says_so(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    model.cache = InMemoryCache()
    wire.gives(chat())
    model.invoke(ASKED, config=with_handler())
    model.invoke(ASKED, config=with_handler())
    first, second = rows()
    assert (first.cost_usd, second.cost_usd, second.cost_source) == (Decimal("0.0045"), Decimal(0), "reported")
    assert second.metadata["cache_hit"] is True


def test_two_answers_to_one_prompt_are_one_usage(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    model.n = 2
    message = {"role": "assistant", "content": "Hello"}
    choices = [{"index": number, "finish_reason": "stop", "message": message} for number in range(2)]
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    body = {"id": RESPONSE_ID, "object": "chat.completion", "created": 1, "model": "test-model"}
    wire.gives(json_answer({**body, "choices": choices, "usage": usage}))
    model.invoke(ASKED, config=with_handler())
    assert [(row.output_tokens, row.cost_usd) for row in rows()] == [(100, Decimal("0.0045"))]


def test_a_run_whose_client_is_metered_too_is_charged_once(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    budget = make_budget(make_organization("default"), "0.05")
    with instrument(OpenAI(base_url=f"{wire.url}/v1", api_key="k", max_retries=0), provider="openai") as client:
        model.client = client.chat.completions
        model.root_client = client
        wire.gives(chat(response_id="chatcmpl-of-the-first-call"), chat_stream())
        model.invoke(ASKED, config=with_handler())
        list(model.stream(ASKED, config=with_handler(), stream_usage=True))
    keys = ["openai:chatcmpl-of-the-first-call", f"openai:{RESPONSE_ID}"]
    assert [(row.cost_usd, row.idempotency_key) for row in rows()] == [(Decimal("0.0045"), key) for key in keys]
    assert spent_and_held(budget) == (Decimal("0.009"), Decimal(0))


def test_what_the_consumer_of_a_stream_calls_is_not_taken_for_the_run(wire: Wire, model: ChatOpenAI) -> None:
    make_rate()
    wire.gives(chat_stream(), chat())
    for number, _ in enumerate(model.stream(ASKED, config=with_handler(), stream_usage=True)):
        if number == 1:
            model.invoke(ASKED, config=with_handler())
    assert [row.cost_usd for row in rows()] == [Decimal("0.0045"), Decimal("0.0045")]


def test_wrong_attribution_raises_where_the_handler_is_made() -> None:
    with pytest.raises(TypeError, match="unexpected argument 'team'"):
        CostTrackHandler(team="search")  # type: ignore[call-arg]
    with pytest.raises(InvalidUsage):
        CostTrackHandler(entity=3)
