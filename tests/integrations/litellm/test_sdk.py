"""LiteLLM's SDK with CostTrackLogger among its callbacks, against a server that speaks OpenAI's wire format."""

from __future__ import annotations

import asyncio
import gc
import time
from decimal import Decimal
from typing import Any

import litellm
import pytest

from costtrack.integrations.litellm import CostTrackLogger
from costtrack.metering.context import attribute
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.litellm.bodies import chat, chat_stream, failure
from tests.integrations.litellm.sdk import ASKED, IGNORED, Watcher, ask, ask_async, in_a_loop, rows
from tests.integrations.wire.answers import json_answer
from tests.integrations.wire.server import Wire

pytestmark = [pytest.mark.django_db(transaction=True), *map(pytest.mark.filterwarnings, IGNORED)]


def test_a_call_is_booked_under_litellms_id(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat())
    ask(wire)
    [row] = rows(watcher)
    # 600 x 3 + 400 x 3 (no price for cached input: the input's) + 100 x 15 = 4500 per million
    assert (row.cost_usd, row.cost_source) == (Decimal("0.0045"), "estimated")
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens) == (1000, 400, 100)
    assert (row.provider, row.gateway, row.model) == ("openai", "litellm", "test-model")
    assert row.idempotency_key == f"litellm:{watcher.told[0]['litellm_call_id']}"
    assert row.latency_ms is not None
    assert row.metadata == {"finish_reason": "stop", "call_type": "completion"}


def test_the_cost_that_litellm_tells_is_reported(wire: Wire, watcher: Watcher) -> None:
    wire.gives(chat("gpt-4o"))
    ask(wire, "openai/gpt-4o")
    [row] = rows(watcher)
    # its own map: 2.5 a million in, 1.25 cached, 10 out: 600 x 2.5 + 400 x 1.25 + 100 x 10 = 3000 per million
    assert (row.cost_usd, row.cost_source) == (Decimal("0.003"), "reported")


def test_a_model_that_litellm_has_no_price_of_is_unpriced_and_not_free(wire: Wire, watcher: Watcher) -> None:
    wire.gives(chat("never-heard-of"))
    ask(wire, "openai/never-heard-of")
    [row] = rows(watcher)
    assert (row.cost_usd, row.cost_source, row.unpriced_calls) == (None, "unpriced", 1)
    assert (row.input_tokens, row.output_tokens) == (1000, 100)
    payload = watcher.told[0]["standard_logging_object"]
    assert payload["response_cost"] == 0.0, "LiteLLM says 0 of it, which is why this is tested"


def test_a_price_of_0_is_told_from_an_unknown_one(wire: Wire, watcher: Watcher) -> None:
    wire.gives(chat("own-model"))
    ask(wire, "openai/own-model", input_cost_per_token=0, output_cost_per_token=0)
    [row] = rows(watcher)
    assert (row.cost_usd, row.cost_source) == (Decimal(0), "reported")


def test_a_stream_is_booked_once(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream())
    with attribute(project="search"):
        for _ in ask(wire, stream=True, stream_options={"include_usage": True}):
            pass
    [row] = rows(watcher)
    assert (row.cost_usd, row.input_tokens, row.output_tokens) == (Decimal("0.0045"), 1000, 100)
    assert row.project is not None
    assert row.project.slug == "search", "LiteLLM calls back on a thread that knows no scope"


def test_an_async_stream_is_booked_once(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream(), chat())

    async def streamed() -> None:
        async for _ in await ask_async(wire, stream=True, stream_options={"include_usage": True}):
            pass
        await asyncio.sleep(0.2)
        await ask_async(wire)

    in_a_loop(streamed)
    first, second = rows(watcher, told=2)
    assert (first.cost_usd, second.cost_usd) == (Decimal("0.0045"), Decimal("0.0045"))


def test_a_stream_without_usage_is_estimated_where_litellm_says_0(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream(usage=None))
    list(ask(wire, stream=True))
    [row] = rows(watcher)
    # "Hello, you!" has 11 characters: 3 tokens; 10 x 3 + 3 x 15 = 75 per million
    assert (row.input_tokens, row.output_tokens, row.is_estimated) == (10, 3, True)
    assert (row.cost_usd, row.cost_source) == (Decimal("0.000075"), "estimated")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # LiteLLM leaves its socket open
def test_a_stream_that_is_left_is_booked_although_litellm_tells_nobody(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream(between_seconds=0.05))
    for _ in ask(wire, stream=True):
        break
    until = time.monotonic() + 5
    while not ResourceUsage.objects.exists() and time.monotonic() < until:
        time.sleep(0.05)  # LiteLLM's threads let the chunks go
        gc.collect()
    [row] = rows(watcher, told=0)
    # what had come is not known: 10 x 3 = 30 per million for what was read
    assert (row.input_tokens, row.is_estimated, row.cost_usd) == (10, True, Decimal("0.00003"))
    assert row.metadata["stream"] == "ended early"


def test_a_failed_call_is_booked_as_failed(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(failure())
    with pytest.raises(litellm.BadRequestError):
        ask(wire)
    [row] = rows(watcher)
    assert (row.outcome, row.cost_usd, row.input_tokens) == ("error", Decimal(0), 0)
    assert row.error_type == "litellm.exceptions.BadRequestError"


def test_an_answer_from_the_cache_costs_0_and_says_so(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat())
    litellm.cache = litellm.Cache(type="local")
    ask(wire, caching=True)
    rows(watcher)
    ask(wire, caching=True)
    first, second = rows(watcher, told=2)
    assert (first.cost_usd, second.cost_usd, second.cost_source) == (Decimal("0.0045"), Decimal(0), "reported")
    assert second.metadata["cache_hit"] is True
    assert first.idempotency_key != second.idempotency_key


def test_embeddings_are_booked(wire: Wire, watcher: Watcher) -> None:
    make_rate("test-embedding", per_million=("2", "0"))
    vector = {"object": "embedding", "index": 0, "embedding": [0.1]}
    usage = {"prompt_tokens": 50, "total_tokens": 50}
    wire.gives(json_answer({"object": "list", "model": "test-embedding", "data": [vector], "usage": usage}))
    litellm.embedding(model="openai/test-embedding", input=["hello"], api_base=f"{wire.url}/v1", api_key="k")
    [row] = rows(watcher)
    assert (row.input_tokens, row.output_tokens, row.cost_usd) == (50, 0, Decimal("0.0001"))


def test_the_callers_scope_and_litellms_metadata_say_whose_call_it_is(wire: Wire, watcher: Watcher) -> None:
    make_organization("acme")
    wire.gives(chat())
    with attribute(organization="acme", project="inner", endpoint="summarize"):
        ask(wire, user="ada", metadata={"tags": ["team:search", "beta"], "user_api_key_team_alias": "Team Search"})
    [row] = rows(watcher)
    assert (row.organization.slug, row.endpoint, row.customer) == ("acme", "summarize", "ada")
    assert row.project is not None
    assert row.project.slug == "team-search"
    assert row.tags == {"team": "search", "beta": "true"}


def test_attribution_goes_by_the_setting(wire: Wire, watcher: Watcher, settings: Any) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "LITELLM_ATTRIBUTION": {"workflow": ["missing", "flow"]}}
    wire.gives(chat())
    ask(wire, user="ada", metadata={"flow": "nightly"})
    [row] = rows(watcher)
    assert (row.workflow, row.customer) == ("nightly", "")


def test_two_loggers_book_one_call(wire: Wire, watcher: Watcher) -> None:
    litellm.callbacks.append(CostTrackLogger())
    wire.gives(chat())
    ask(wire)
    assert len(rows(watcher)) == 1


def test_a_call_that_is_tried_again_is_booked_once_and_its_failures_beside_it(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(failure(500), chat())
    deployment = {"model": "openai/test-model", "api_base": f"{wire.url}/v1", "api_key": "k", "max_retries": 0}
    router = litellm.Router(
        model_list=[{"model_name": "alias", "litellm_params": deployment}], num_retries=1, retry_after=0
    )
    router.completion(model="alias", messages=ASKED)
    failed, made = rows(watcher, told=2)
    assert (failed.outcome, failed.cost_usd) == ("error", Decimal(0))
    assert (made.outcome, made.cost_usd, made.model) == ("success", Decimal("0.0045"), "test-model")
    assert made.metadata["model_group"] == "alias"


def test_a_subclass_has_the_hooks_that_litellm_looks_for_on_its_own_class() -> None:
    class Own(CostTrackLogger):
        def log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            return

    # LiteLLM: `"async_pre_call_hook" in vars(callback.__class__)`; else a subclass would refuse nothing
    assert {"async_pre_call_hook", "async_post_call_failure_hook"} <= set(vars(Own))


def test_a_stream_that_breaks_is_booked_as_failed_with_what_is_known(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    wire.gives(chat_stream(is_cut=True))
    with pytest.raises(Exception, match=r"peer closed|incomplete|MidStream"):
        list(ask(wire, stream=True, max_retries=0))
    [row] = rows(watcher)
    # 10 x 3 = 30 per million for what was read; what had come is not told
    assert (row.outcome, row.input_tokens, row.is_estimated, row.cost_usd) == ("error", 10, True, Decimal("0.00003"))
