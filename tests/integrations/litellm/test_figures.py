"""What is booked of what LiteLLM tells: tokens of every class, tiers, broken streams, and what is no call at all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import litellm
import pytest

from costtrack.integrations.litellm.record import call_key, is_charged
from tests.factories import make_rate
from tests.integrations.litellm.bodies import RESPONSE_ID, chat, chat_stream
from tests.integrations.litellm.sdk import ASKED, IGNORED, Watcher, ask, ask_async, in_a_loop, rows
from tests.integrations.wire.answers import json_answer
from tests.integrations.wire.anthropic_bodies import message
from tests.integrations.wire.anthropic_bodies import usage as message_usage
from tests.integrations.wire.openai_bodies import response, responses_usage
from tests.integrations.wire.server import Wire

pytestmark = [pytest.mark.django_db(transaction=True), *map(pytest.mark.filterwarnings, IGNORED)]


def test_anthropics_cached_tokens_are_parts_of_the_input(wire: Wire, watcher: Watcher) -> None:
    make_rate(
        "claude-test",
        provider="anthropic",
        cache_read_usd_per_million=Decimal("0.3"),
        cache_write_usd_per_million=Decimal("3.75"),
        cache_write_1h_usd_per_million=Decimal("6"),
    )
    usage = message_usage(100, 50, read=1000, write_5m=200, write_1h=300)
    wire.gives(json_answer(message(usage)))
    litellm.completion(model="anthropic/claude-test", messages=ASKED, api_base=wire.url, api_key="k", max_tokens=100)
    [row] = rows(watcher)
    assert (row.provider, row.input_tokens, row.output_tokens) == ("anthropic", 1600, 50)
    assert (row.cache_read_tokens, row.cache_write_tokens, row.cache_write_1h_tokens) == (1000, 200, 300)
    # 100 x 3 + 1000 x 0.3 + 200 x 3.75 + 300 x 6 + 50 x 15 = 3,900 per million
    assert (row.cost_usd, row.cost_source) == (Decimal("0.0039"), "estimated")


def test_reasoning_tokens_are_parts_of_the_output_and_the_tier_is_the_one_that_served(
    wire: Wire, watcher: Watcher
) -> None:
    make_rate()
    make_rate(per_million=("1.5", "7.5"), service_tier="flex")
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "total_tokens": 1100,
        "completion_tokens_details": {"reasoning_tokens": 60},
    }
    wire.gives(chat(usage=usage, service_tier="flex"))
    ask(wire, service_tier="flex")
    [row] = rows(watcher)
    assert (row.output_tokens, row.reasoning_tokens, row.service_tier) == (100, 60, "flex")
    assert row.cost_usd == Decimal("0.00225")  # 1000 x 1.5 + 100 x 7.5 = 2,250 per million


def test_a_stream_from_litellms_cache_costs_0(wire: Wire, watcher: Watcher) -> None:
    make_rate()
    litellm.cache = litellm.Cache(type="local")
    wire.gives(chat_stream())
    how: dict[str, Any] = {"stream": True, "caching": True, "stream_options": {"include_usage": True}}
    list(ask(wire, **how))
    rows(watcher)
    list(ask(wire, **how))
    first, second = rows(watcher, told=2)
    assert (first.cost_usd, second.cost_usd, second.cost_source) == (Decimal("0.0045"), Decimal(0), "reported")
    assert len(wire.requests) == 1


def test_what_had_come_of_an_async_stream_that_broke_is_charged_as_litellm_counts_it(
    wire: Wire, watcher: Watcher
) -> None:
    async def broken() -> None:
        with pytest.raises(Exception, match=r"peer closed|incomplete|MidStream"):
            async for _ in await ask_async(wire, "openai/gpt-4o", stream=True, max_retries=0):
                pass

    wire.gives(chat_stream("gpt-4o", is_cut=True))
    in_a_loop(broken)
    [row] = rows(watcher)
    told = watcher.told[0]["combined_usage_object"]
    assert (row.outcome, row.is_estimated, row.metadata["stream"]) == ("error", True, "ended early")
    assert (row.input_tokens, row.output_tokens) == (told.prompt_tokens, told.completion_tokens)
    assert row.input_tokens > 0
    assert row.output_tokens > 0


def test_to_fetch_a_response_again_charges_nothing(wire: Wire, watcher: Watcher) -> None:
    make_rate("gpt-test")
    answer = json_answer(response(responses_usage(1000, 100)))
    where: dict[str, Any] = {"api_base": f"{wire.url}/v1", "api_key": "k"}

    async def asked() -> None:
        made = await litellm.aresponses(input="Hello", model="openai/gpt-test", **where)
        await litellm.aget_responses(response_id=made.id, custom_llm_provider="openai", **where)

    wire.gives(answer, answer)
    in_a_loop(asked)
    [row] = rows(watcher, told=2)
    assert row.cost_usd == Decimal("0.0045")
    assert row.metadata["call_type"] == "aresponses"


@pytest.mark.parametrize(
    "call_type",
    ["aget_responses", "delete_responses", "alist_input_items", "afile_content", "create_file", "acreate_batch",
     "aretrieve_batch", "cancel_batch", "video_content", "vector_store_file_list", "list_mcp_tools"],
)  # fmt: skip
def test_what_only_manages_is_no_call(call_type: str) -> None:
    assert not is_charged({"call_type": call_type})


@pytest.mark.parametrize(
    "call_type",
    ["completion", "acompletion", "aembedding", "aresponses", "anthropic_messages", "image_generation", "arerank",
     "speech", "atranscription", "create_video", "vector_store_search", "call_mcp_tool", "one_that_is_new", ""],
)  # fmt: skip
def test_what_a_provider_charges_for_is_one(call_type: str) -> None:
    assert is_charged({"call_type": call_type})


def chosen_by_the_client(call_id: str = "always-the-same") -> dict[str, Any]:
    headers = {"x-litellm-call-id": call_id}
    return {"litellm_call_id": call_id, "litellm_params": {"proxy_server_request": {"headers": headers}}}


def test_a_call_id_that_a_client_chose_is_no_key_alone() -> None:
    record = chosen_by_the_client()
    assert call_key(record, {"id": RESPONSE_ID}, began="12:00") == f"litellm:always-the-same:{RESPONSE_ID}"
    # a local server's id that repeats, embeddings without one, and LiteLLM's own in its place
    assert call_key(record, {"id": "chatcmpl-123"}, began="12:00") == "litellm:always-the-same:chatcmpl-123:12:00"
    assert call_key(record, {"object": "list"}, began="12:00") == "litellm:always-the-same:12:00"
    long_id = chosen_by_the_client("always-the-same-for-ever")
    assert call_key(long_id, {"id": "always-the-same-for-ever"}, began="12:00").endswith(":12:00")
    assert call_key({"litellm_call_id": "c-1"}, {"id": RESPONSE_ID}, began="12:00") == "litellm:c-1"
