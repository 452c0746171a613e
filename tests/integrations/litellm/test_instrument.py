"""`instrument()`: hard budgets refuse calls of LiteLLM's SDK before anything is sent, and each call is charged once."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any

import litellm
import openai
import pytest

from costtrack.exceptions import BudgetExceeded, UnknownWorstCase
from costtrack.integrations.litellm import CostTrackLogger, instrument, uninstrument
from costtrack.integrations.openai import instrument as instrument_client
from costtrack.metering.database_thread import wait_for_later
from costtrack.metering.meter import meter
from costtrack.models import Budget, ResourceUsage
from tests.factories import make_rate
from tests.integrations.litellm.bodies import chat, chat_stream, failure
from tests.integrations.litellm.sdk import ASKED, FULL, IGNORED, STREAMED, Watcher, ask, ask_async, in_a_loop, rows
from tests.integrations.wire.answers import json_answer
from tests.integrations.wire.openai_bodies import response, responses_usage
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import spent_and_held, states

pytestmark = [pytest.mark.django_db(transaction=True), *map(pytest.mark.filterwarnings, IGNORED)]

HELD = Decimal("0.01503")
"""10 tokens in x 3 + 1000 out at most x 15 = 15,030 per million."""


class Spy(litellm.integrations.custom_logger.CustomLogger):
    """Notes what is held when LiteLLM sends a request."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget = budget
        self.held: list[Decimal] = []

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.held.append(spent_and_held(self.budget)[1])


def test_a_call_that_would_overspend_is_refused_and_nothing_is_sent(
    wire: Wire, instrumented: Watcher, budget: Budget
) -> None:
    with pytest.raises(BudgetExceeded) as refused:
        ask(wire, max_tokens=2000)  # 10 x 3 + 2000 x 15 = 30,030 per million
    assert refused.value.needed == Decimal("0.03003")
    assert wire.requests == []
    assert rows(instrumented, told=0) == []
    assert spent_and_held(budget) == (Decimal(0), Decimal(0))


def test_the_async_functions_refuse_as_well(wire: Wire, instrumented: Watcher, budget: Budget) -> None:
    async def asked() -> None:
        with pytest.raises(BudgetExceeded):
            await ask_async(wire, max_tokens=2000)
        with pytest.raises(BudgetExceeded):
            await ask_async(wire, max_tokens=2000, stream=True)

    in_a_loop(asked)
    assert wire.requests == []
    assert rows(instrumented, told=0) == []


@pytest.mark.parametrize("how", [{}, STREAMED], ids=["whole", "stream"])
def test_the_worst_case_is_held_while_the_call_is_made_and_settled_by_what_it_used(
    wire: Wire, instrumented: Watcher, budget: Budget, how: dict[str, Any]
) -> None:
    spy = Spy(budget)
    litellm.callbacks.append(spy)
    wire.gives(chat_stream() if how else chat())
    answered = ask(wire, max_tokens=1000, **how)
    if how:
        list(answered)
    [row] = rows(instrumented)
    assert spy.held == [HELD]
    assert row.idempotency_key == f"litellm:{instrumented.told[0]['litellm_call_id']}"
    assert (row.cost_usd, states(), spent_and_held(budget)) == (FULL, ["settled"], (FULL, Decimal(0)))


@pytest.mark.parametrize("how", [{}, STREAMED], ids=["whole", "stream"])
def test_async_calls_settle_what_they_hold(
    wire: Wire, instrumented: Watcher, budget: Budget, how: dict[str, Any]
) -> None:
    async def asked() -> None:
        answered = await ask_async(wire, max_tokens=1000, **how)
        if how:
            async for _ in answered:
                pass

    wire.gives(chat_stream() if how else chat())
    in_a_loop(asked)
    [row] = rows(instrumented)
    assert (row.cost_usd, states(), spent_and_held(budget)) == (FULL, ["settled"], (FULL, Decimal(0)))


def test_a_failed_call_gives_back_what_it_held(wire: Wire, instrumented: Watcher, budget: Budget) -> None:
    wire.gives(failure())
    with pytest.raises(litellm.BadRequestError):
        ask(wire, max_tokens=1000)
    [row] = rows(instrumented)
    assert (row.outcome, row.cost_usd, states()) == ("error", Decimal(0), ["released"])
    assert spent_and_held(budget) == (Decimal(0), Decimal(0))


def test_a_call_that_is_tried_again_keeps_its_hold(wire: Wire, instrumented: Watcher, budget: Budget) -> None:
    wire.gives(failure(500), chat())
    ask(wire, max_tokens=1000, num_retries=1)  # which LiteLLM hands on to OpenAI's client
    [row] = rows(instrumented)
    assert (row.cost_usd, len(wire.requests)) == (FULL, 2)
    assert (states(), spent_and_held(budget)) == (["settled"], (FULL, Decimal(0)))


@pytest.mark.filterwarnings("ignore:coroutine 'LoggingWorker._worker_loop' was never awaited")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_fallback_of_litellms_own_is_made_under_the_same_hold(
    wire: Wire, instrumented: Watcher, budget: Budget, is_async: bool
) -> None:
    make_rate("other-model")
    wire.gives(failure(500), chat())
    how: dict[str, Any] = {"max_tokens": 1000, "fallbacks": ["openai/test-model"], "max_retries": 0}

    async def asked() -> None:
        if is_async:
            await ask_async(wire, "openai/other-model", **how)

    if not is_async:
        ask(wire, "openai/other-model", **how)
        wait_for_later()
        assert ResourceUsage.objects.count() == 2, "LiteLLM has told its callbacks the failure only: its loop is gone"
    in_a_loop(asked)  # there it tells the rest
    found = rows(instrumented, told=2)
    assert sorted((row.outcome, row.cost_usd) for row in found) == [("error", Decimal(0)), ("success", FULL)]
    assert (states(), spent_and_held(budget)) == (["settled"], (FULL, Decimal(0)))


def test_a_router_does_not_try_a_refused_call_again(wire: Wire, instrumented: Watcher, budget: Budget) -> None:
    deployment = {"model": "openai/test-model", "api_base": f"{wire.url}/v1", "api_key": "k", "max_retries": 0}
    router = litellm.Router(
        model_list=[{"model_name": "alias", "litellm_params": deployment}], num_retries=3, retry_after=5
    )
    began = time.monotonic()
    with pytest.raises(BudgetExceeded):
        router.completion(model="alias", messages=ASKED, max_tokens=2000)
    assert time.monotonic() - began < 5, "it waits that long before each try"
    wire.gives(chat())
    router.completion(model="alias", messages=ASKED, max_tokens=1000)
    [row] = rows(instrumented)
    assert (row.cost_usd, len(wire.requests), states()) == (FULL, 1, ["settled"])
    assert row.metadata["model_group"] == "alias"


def test_an_answer_from_litellms_cache_gives_back_what_is_held(
    wire: Wire, instrumented: Watcher, budget: Budget
) -> None:
    litellm.cache = litellm.Cache(type="local")
    wire.gives(chat())
    ask(wire, max_tokens=900, caching=True)
    rows(instrumented)
    ask(wire, max_tokens=900, caching=True)
    first, second = rows(instrumented, told=2)
    assert (first.cost_usd, second.cost_usd, len(wire.requests)) == (FULL, Decimal(0), 1)
    assert spent_and_held(budget) == (FULL, Decimal(0))


def test_embeddings_and_responses_are_held_too(wire: Wire, instrumented: Watcher, budget: Budget) -> None:
    make_rate("test-embedding", per_million=("2000", "0"))
    where: dict[str, Any] = {"api_base": f"{wire.url}/v1", "api_key": "k"}
    with pytest.raises(BudgetExceeded) as refused:
        litellm.embedding(model="openai/test-embedding", input=["x" * 400], **where)
    assert refused.value.needed == Decimal("0.2")  # 100 x 2000 per million
    with pytest.raises(BudgetExceeded) as refused:
        litellm.responses("x" * 40, "openai/test-model", max_output_tokens=2000, **where)
    assert refused.value.needed == Decimal("0.03003")  # 10 x 3 + 2000 x 15 = 30,030 per million
    assert wire.requests == []
    wire.gives(json_answer(response(responses_usage(1000, 100), model="test-model")))
    litellm.responses("x" * 40, "openai/test-model", max_output_tokens=1000, **where)
    [row] = rows(instrumented)
    assert (row.cost_usd, states()) == (FULL, ["settled"])


def test_a_call_of_which_nobody_knows_the_most_output_is_refused(
    wire: Wire, instrumented: Watcher, budget: Budget
) -> None:
    with pytest.raises(UnknownWorstCase):
        ask(wire)
    assert wire.requests == []


@pytest.mark.parametrize("how", [{}, STREAMED], ids=["whole", "stream"])
def test_the_callback_a_block_and_an_instrumented_client_bill_one_call_once(
    wire: Wire, instrumented: Watcher, how: dict[str, Any]
) -> None:
    make_rate()
    wire.gives(chat_stream() if how else chat())
    with openai.OpenAI(api_key="k", base_url=f"{wire.url}/v1", max_retries=0) as client:
        instrument_client(client, provider="openai")
        with meter("chat", provider="openai") as call:
            answered = ask(wire, client=client, **how)
            if how:
                for _ in call.observe_stream(answered):
                    pass
            else:
                call.observe(answered)
        [row] = rows(instrumented)
    assert row.cost_usd == FULL


def test_instrumented_twice_is_once_and_uninstrumented_is_as_before(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    litellm.callbacks = [watcher]
    original = litellm.completion
    instrument()
    wrapped = litellm.completion
    instrument()
    assert litellm.completion is wrapped
    litellm.callbacks.sort(key=lambda one: one is watcher)
    wire.gives(chat(), chat())
    ask(wire)
    assert len(rows(watcher)) == 1
    uninstrument()
    uninstrument()
    assert litellm.completion is original
    assert not any(isinstance(one, CostTrackLogger) for one in (*litellm.callbacks, *litellm.success_callback))
    ask(wire)
    assert len(rows(watcher, told=2)) == 1


def test_callbacks_that_are_exchanged_afterwards_do_not_make_it_deaf(wire: Wire, instrumented: Watcher) -> None:
    make_rate()
    litellm.callbacks = []
    litellm.success_callback = [instrumented]
    wire.gives(chat())
    ask(wire)
    assert len(rows(instrumented)) == 1


def test_who_wraps_its_functions_over_ours_is_left_alone(
    wire: Wire, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rate()
    monkeypatch.setattr(litellm, "completion", litellm.completion)
    instrument()
    ours = litellm.completion

    def wrapped_by_another(*args: Any, **kwargs: Any) -> Any:
        return ours(*args, **kwargs)

    litellm.completion = wrapped_by_another
    uninstrument()
    litellm.callbacks = [watcher]
    wire.gives(chat())
    ask(wire)
    assert rows(watcher) == [], "ours does nothing any more"
