"""The real ollama client against a server that speaks Ollama's wire format."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ollama
import pytest
from asgiref.sync import async_to_sync

from costtrack.exceptions import BudgetExceeded, InvalidUsage
from costtrack.integrations.ollama import instrument, uninstrument
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import Answer, json_answer, json_lines
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget

pytestmark = pytest.mark.django_db(transaction=True)

ASKED = [{"role": "user", "content": "Say hello to me, please, in few words"}]
TIMES = {"total_duration": 5, "load_duration": 1, "prompt_eval_duration": 2, "eval_duration": 2}
LAST = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 298, **TIMES}


def piece(text: str, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"model": "llama3.2", "created_at": "2026-11-20T12:00:00Z", "message": message, "done": False, **more}


def stream() -> Answer:
    return json_lines([piece("Hel"), piece("lo"), piece("", **LAST)])


@pytest.fixture
def client(wire: Wire) -> Iterator[ollama.Client]:
    client = ollama.Client(host=wire.url)
    yield instrument(client)
    client._client.close()


def make_free() -> None:
    """As load_rates has it of all models of Ollama."""
    make_rate("*", "ollama", per_million=("0", "0"))


def rows() -> list[ResourceUsage]:
    return list(ResourceUsage.objects.order_by("id"))


def test_a_local_model_is_free_and_its_tokens_count(wire: Wire, client: ollama.Client) -> None:
    make_free()
    wire.gives(json_answer(piece("Hello", **LAST)))
    assert client.chat("llama3.2", ASKED).message.content == "Hello"
    [row] = rows()
    assert (row.cost_usd, row.cost_source) == (Decimal(0), "free")
    assert (row.input_tokens, row.output_tokens, row.provider, row.model) == (26, 298, "ollama", "llama3.2")
    assert row.metadata == {"finish_reason": "stop"}


def test_equal_answers_are_calls_of_their_own(wire: Wire, client: ollama.Client) -> None:
    wire.gives(json_answer(piece("Hello", id="chat-1", **LAST)), json_answer(piece("Hello", id="chat-1", **LAST)))
    for _ in range(2):
        client.chat("llama3.2", ASKED)
    assert len(rows()) == 2


def test_a_stream_is_booked_by_its_last_line(wire: Wire, client: ollama.Client) -> None:
    make_free()
    wire.gives(stream())
    assert [part.message.content for part in client.chat("llama3.2", ASKED, stream=True)] == ["Hel", "lo", ""]
    [row] = rows()
    assert (row.input_tokens, row.output_tokens, row.cost_source, row.is_estimated) == (26, 298, "free", False)


def test_a_stream_that_is_left_is_estimated_by_what_came(wire: Wire, client: ollama.Client) -> None:
    make_free()
    wire.gives(stream())
    parts = client.chat("llama3.2", ASKED, stream=True)
    next(parts)
    parts.close()
    [row] = rows()
    # 37 characters were asked, 3 came, at 4 a token
    assert (row.input_tokens, row.output_tokens, row.is_estimated) == (10, 1, True)


def test_generate_and_embed_are_metered(wire: Wire, client: ollama.Client) -> None:
    make_free()
    told = {"model": "llama3.2", "created_at": "2026-11-20T12:00:00Z", "response": "Hello"}
    wire.gives(
        json_answer({**told, **LAST}),
        json_answer({"model": "nomic", "embeddings": [[0.1]], "prompt_eval_count": 7}),
    )
    client.generate("llama3.2", "Say hello")
    client.embed("nomic", "some text")
    found = [(row.input_tokens, row.output_tokens, row.cost_source) for row in rows()]
    assert found == [(26, 298, "free"), (7, 0, "free")]


def test_the_async_client_is_metered(wire: Wire) -> None:
    make_free()
    wire.gives(json_answer(piece("Hello", **LAST)), stream())

    async def both() -> None:
        client = instrument(ollama.AsyncClient(host=wire.url))
        await client.chat("llama3.2", ASKED)
        async for _ in await client.chat("llama3.2", ASKED, stream=True):
            pass
        await client._client.aclose()

    async_to_sync(both)()
    assert [(row.input_tokens, row.output_tokens) for row in rows()] == [(26, 298), (26, 298)]


def test_a_failed_call_is_booked_as_failed(wire: Wire, client: ollama.Client) -> None:
    make_free()
    wire.gives(json_answer({"error": "model not found"}, 404))
    with pytest.raises(ollama.ResponseError):
        client.chat("llama3.2", ASKED)
    [row] = rows()
    assert (row.outcome, row.input_tokens, row.error_type) == ("error", 0, "ollama._types.ResponseError")


def test_a_budget_of_tokens_refuses_before_the_call(wire: Wire, client: ollama.Client) -> None:
    make_free()
    # 10 tokens in and 100 out at most
    make_budget(make_organization("default"), "109", metric="tokens")
    with pytest.raises(BudgetExceeded) as refusal:
        client.chat("llama3.2", ASKED, options={"num_predict": 100})
    assert refusal.value.needed == Decimal(110)
    with pytest.raises(BudgetExceeded):
        list(client.chat("llama3.2", ASKED, options={"num_predict": 100}, stream=True))
    assert (wire.requests, rows()) == ([], [])


def test_to_instrument_twice_meters_once_and_it_can_be_taken_back(wire: Wire, client: ollama.Client) -> None:
    instrument(client)
    wire.gives(json_answer(piece("Hello", **LAST)), json_answer(piece("Hello", **LAST)))
    client.chat("llama3.2", ASKED)
    assert len(rows()) == 1
    uninstrument(client)
    client.chat("llama3.2", ASKED)
    assert len(rows()) == 1


def test_what_is_no_client_is_refused() -> None:
    with pytest.raises(InvalidUsage, match=r"ollama\.Client"):
        instrument(object())
