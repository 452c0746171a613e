"""Responses that OpenAI makes in the background are charged once, however they are fetched; so are compactions."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from asgiref.sync import async_to_sync

from costtrack.integrations.openai import instrument
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import event_stream, json_answer
from tests.integrations.wire.openai_bodies import RESPONSE_ID, response, response_events, responses_usage
from tests.integrations.wire.server import Wire

pytestmark = pytest.mark.django_db

COST = Decimal("0.0045")
"""1000 x 3 + 100 x 15 = 4,500 per million."""


@pytest.fixture
def client(wire: Wire) -> Iterator[openai.OpenAI]:
    make_organization("default")
    make_rate("gpt-test")
    with openai.OpenAI(api_key="test", base_url=wire.url, max_retries=0) as client:
        yield instrument(client, provider="openai")


def whole(*, status: str = "completed", background: bool = True) -> Any:
    return {**response(status=status), "background": background}


def events(*, background: bool = True) -> list[dict[str, Any]]:
    told = response_events("Hel", "lo!", usage=responses_usage())
    return [
        {**one, "response": {**one["response"], "background": background}} if "response" in one else one for one in told
    ]


def charged() -> list[tuple[str, Decimal | None]]:
    return list(ResourceUsage.objects.values_list("idempotency_key", "cost_usd"))


ONCE = [(f"openai:{RESPONSE_ID}", COST)]


def test_a_stream_that_was_left_is_charged_when_it_is_read_again_to_its_end(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(*[event_stream(events(), is_named=True)] * 2)
    left = client.responses.create(model="gpt-test", input="Hello!", background=True, stream=True)
    next(left)
    left.close()
    assert charged() == []
    again = client.responses.retrieve(RESPONSE_ID, stream=True, starting_after=0)
    assert isinstance(again, openai.Stream)
    assert [event.type for event in again][-1] == "response.completed"
    assert charged() == ONCE


def test_a_stream_that_is_fetched_and_left_before_its_end_is_no_charge(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(events(), is_named=True))
    with client.responses.retrieve(RESPONSE_ID, stream=True) as stream:
        next(stream)
    assert charged() == []


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("way", ["raw", "streaming", "lines"])
def test_raw_ways_to_fetch_it_charge_it(is_stream: bool, way: str, wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(event_stream(events(), is_named=True) if is_stream else json_answer(whole()))
    asked: Any = {"stream": True} if is_stream else {}
    if way == "raw":
        answer = client.responses.with_raw_response.retrieve(RESPONSE_ID, **asked).parse()
        assert [event.type for event in answer][-1] == "response.completed" if is_stream else answer.id == RESPONSE_ID
    else:
        with client.responses.with_streaming_response.retrieve(RESPONSE_ID, **asked) as streaming:
            if way == "lines":
                assert RESPONSE_ID in "".join(streaming.iter_lines())
            else:
                parsed: Any = streaming.parse()
                assert len(list(parsed)) > 2 if is_stream else parsed.id == RESPONSE_ID
    assert charged() == ONCE


@pytest.mark.parametrize("way", ["stream", "raw", "streaming"])
def test_an_async_client_charges_it_whichever_way_it_fetches(way: str, wire: Wire, client: openai.OpenAI) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="test", base_url=wire.url, max_retries=0) as client:
            responses = instrument(client, provider="openai").responses
            if way == "stream":
                async for _ in await responses.retrieve(RESPONSE_ID, stream=True):
                    pass
            elif way == "raw":
                assert (await responses.with_raw_response.retrieve(RESPONSE_ID)).parse().id == RESPONSE_ID
            else:
                async with responses.with_streaming_response.retrieve(RESPONSE_ID) as streaming:
                    await streaming.parse()

    wire.gives(event_stream(events(), is_named=True) if way == "stream" else json_answer(whole()))
    async_to_sync(main)()
    assert charged() == ONCE


def test_one_that_is_cancelled_is_charged_by_what_it_had_used(wire: Wire, client: openai.OpenAI) -> None:
    queued = {**whole(status="queued"), "usage": None}
    wire.gives(json_answer(queued), json_answer(whole(status="cancelled")))
    client.responses.cancel(client.responses.create(model="gpt-test", input="Hello!", background=True).id)
    assert charged() == ONCE


def test_what_was_not_made_in_the_background_is_charged_by_no_way_to_fetch_it(
    wire: Wire, client: openai.OpenAI
) -> None:
    made = whole(background=False)
    wire.gives(json_answer(made), event_stream(events(background=False), is_named=True))
    client.responses.with_raw_response.retrieve(RESPONSE_ID)
    for _ in client.responses.retrieve(RESPONSE_ID, stream=True):
        pass
    assert charged() == []


def test_a_compaction_is_charged(wire: Wire, client: openai.OpenAI) -> None:
    body = {"id": RESPONSE_ID, "object": "response.compaction", "created_at": 1, "output": []}
    wire.gives(json_answer({**body, "usage": responses_usage()}))
    client.responses.compact(model="gpt-test", input="Hello!")
    assert charged() == ONCE


def test_a_path_is_known_without_its_slash_too(wire: Wire, client: openai.OpenAI) -> None:
    wire.gives(json_answer(response()))
    client.post("responses", body={"model": "gpt-test", "input": "Hello!"}, cast_to=object)
    assert charged() == ONCE


def test_a_stream_that_broke_is_charged_when_the_rest_is_fetched(wire: Wire, client: openai.OpenAI) -> None:
    begun = events()[:3]
    wire.gives(event_stream(begun, is_named=True, is_cut=True), event_stream(events(), is_named=True))
    with pytest.raises(openai.APIConnectionError):
        list(client.responses.create(model="gpt-test", input="Hello!", background=True, stream=True))
    assert charged() == []
    list(client.responses.retrieve(RESPONSE_ID, stream=True, starting_after=2))
    assert charged() == ONCE
