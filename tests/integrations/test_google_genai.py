"""The real google-genai client against a server that speaks the Gemini API's wire format; costs worked by hand."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from costtrack.exceptions import BudgetExceeded, InvalidUsage
from costtrack.integrations.google_genai import instrument, uninstrument
from costtrack.metering.context import attribute
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.integrations.wire.answers import Answer, event_stream, json_answer
from tests.integrations.wire.server import Wire
from tests.metering.budgeted import make_budget, spent_and_held

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),  # the SDK's own
]

RESPONSE_ID = "kXQFaZbCdEfGhIjKlMnOpQ"
USAGE = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 400,
    "candidatesTokenCount": 100,
    "thoughtsTokenCount": 50,
    "totalTokenCount": 1150,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 800}, {"modality": "AUDIO", "tokenCount": 200}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 400}],
}
ASKED = "Say hello to me, please, in few words"
"""37 characters: 10 tokens, at 4 characters each."""


def body(
    *parts: dict[str, Any], usage: dict[str, Any] | None = USAGE, response_id: str = RESPONSE_ID
) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts or ({"text": "Hello"},))}
    told = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}
    named = {"modelVersion": "gemini-test-001", "responseId": response_id}
    return {**told, **named, **({} if usage is None else {"usageMetadata": usage})}


@pytest.fixture
def client(wire: Wire) -> Iterator[genai.Client]:
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=wire.url))
    yield instrument(client)
    client.close()


def ask_async(client: genai.Client, work: Any) -> Any:
    async def closing() -> Any:
        async with client.aio:
            return await work()

    return async_to_sync(closing)()


def make_gemini_rate() -> None:
    make_rate(
        "gemini-test",
        "google",
        per_million=("1", "8"),
        cache_read_usd_per_million=Decimal("0.25"),
        input_audio_usd_per_million=Decimal("3"),
    )


COST = Decimal("0.0023")
"""400 text x 1 + 400 cached x 0.25 + 200 audio x 3 + 150 out, thoughts included, x 8 = 400 + 100 + 600 + 1200."""


def rows() -> list[ResourceUsage]:
    return list(ResourceUsage.objects.order_by("id"))


def test_an_answer_is_booked_with_its_cached_audio_and_thought_tokens(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    wire.gives(json_answer(body()))
    with attribute(project="search"):
        answer = client.models.generate_content(model="gemini-test", contents=ASKED)
    assert answer.text == "Hello"
    [row] = rows()
    assert (row.input_tokens, row.cache_read_tokens, row.input_audio_tokens) == (1000, 400, 200)
    assert (row.output_tokens, row.reasoning_tokens) == (150, 50)
    assert (row.cost_usd, row.cost_source) == (COST, "estimated")
    assert (row.provider, row.model, row.idempotency_key) == ("google", "gemini-test-001", f"google:{RESPONSE_ID}")
    assert row.project is not None
    assert row.metadata == {"finish_reason": "STOP"}


def stream(*, is_cut: bool = False) -> Answer:
    early = {"promptTokenCount": 1000, "totalTokenCount": 1000}
    pieces = [body({"text": "Hel"}, usage=early), body({"text": "lo"})]
    del pieces[0]["candidates"][0]["finishReason"]
    return event_stream(pieces[:1] if is_cut else pieces, is_done_told=False, is_cut=is_cut)


def test_a_stream_is_booked_by_its_last_counts(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    wire.gives(stream())
    pieces = [piece.text for piece in client.models.generate_content_stream(model="gemini-test", contents=ASKED)]
    assert pieces == ["Hel", "lo"]
    [row] = rows()
    assert (row.cost_usd, row.output_tokens, row.is_estimated) == (COST, 150, False)


def test_a_stream_that_is_left_is_estimated_by_what_came(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    wire.gives(stream())
    pieces = client.models.generate_content_stream(model="gemini-test", contents=ASKED)
    next(pieces)
    pieces.close()
    [row] = rows()
    # 1000 in, as told; "Hel" is 1 token: 1000 x 1 + 1 x 8 = 1008 per million
    assert (row.input_tokens, row.output_tokens, row.is_estimated) == (1000, 1, True)
    assert row.cost_usd == Decimal("0.001008")


def test_async_answers_and_streams_are_booked(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    wire.gives(json_answer(body()), event_stream([body(response_id="another-response-id-x")], is_done_told=False))

    async def both() -> None:
        await client.aio.models.generate_content(model="gemini-test", contents=ASKED)
        async for _ in await client.aio.models.generate_content_stream(model="gemini-test", contents=ASKED):
            pass

    ask_async(client, both)
    assert [row.cost_usd for row in rows()] == [COST, COST]


def test_each_round_of_automatic_function_calling_is_a_row(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    asked_for = {"functionCall": {"name": "weather", "args": {"city": "Bern"}}}
    wire.gives(json_answer(body(asked_for)), json_answer(body(response_id="another-response-id-x")))

    def weather(city: str) -> str:
        """The weather of a city."""
        return f"rain in {city}"

    client.models.generate_content(model="gemini-test", contents=ASKED, config={"tools": [weather]})
    assert [row.cost_usd for row in rows()] == [COST, COST]


def test_a_chat_is_metered(wire: Wire, client: genai.Client) -> None:
    wire.gives(json_answer(body()))
    client.chats.create(model="gemini-test").send_message(ASKED)
    assert len(rows()) == 1


def test_a_failed_call_is_booked_as_failed(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    wire.gives(json_answer({"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}, 400))
    with pytest.raises(errors.ClientError):
        client.models.generate_content(model="gemini-test", contents=ASKED)
    [row] = rows()
    assert (row.outcome, row.cost_usd, row.error_type) == ("error", Decimal(0), "google.genai.errors.ClientError")


def test_an_answer_without_usage_is_unpriced(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    wire.gives(json_answer(body(usage=None)))
    client.models.generate_content(model="gemini-test", contents=ASKED)
    [row] = rows()
    assert (row.cost_usd, row.usage_missing) == (None, True)


def test_a_call_is_refused_before_it_is_sent(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    # 10 in x 3 at most (all of it audio) is not assumed: 10 x 1 + 2 answers x 500 x 8 = 8010 per million
    budget = make_budget(make_organization("default"), "0.008")
    config = types.GenerateContentConfig(max_output_tokens=500, candidate_count=2)
    asked: dict[str, Any] = {"model": "gemini-test", "contents": ASKED, "config": config}
    with pytest.raises(BudgetExceeded) as refusal:
        client.models.generate_content(**asked)
    assert refusal.value.needed == Decimal("0.00801")
    with pytest.raises(BudgetExceeded):
        next(client.models.generate_content_stream(**asked))
    with pytest.raises(BudgetExceeded):
        ask_async(client, lambda: client.aio.models.generate_content(**asked))
    assert (wire.requests, rows(), spent_and_held(budget)) == ([], [], (Decimal(0), Decimal(0)))


def test_what_was_held_is_settled(wire: Wire, client: genai.Client) -> None:
    make_gemini_rate()
    budget = make_budget(make_organization("default"), "0.02")
    wire.gives(json_answer(body()), stream())
    config = types.GenerateContentConfig(max_output_tokens=500)
    client.models.generate_content(model="gemini-test", contents=ASKED, config=config)
    list(client.models.generate_content_stream(model="gemini-test", contents=ASKED, config=config))
    # both answers have one id, and are one charge
    assert spent_and_held(budget) == (COST, Decimal(0))


def test_to_instrument_twice_meters_once_and_it_can_be_taken_back(wire: Wire, client: genai.Client) -> None:
    instrument(client, project="twice")
    wire.gives(json_answer(body()), json_answer(body(response_id="another-response-id-x")))
    client.models.generate_content(model="gemini-test", contents=ASKED)
    [row] = rows()
    assert row.project is not None
    assert row.project.slug == "twice"
    uninstrument(client)
    client.models.generate_content(model="gemini-test", contents=ASKED)
    assert len(rows()) == 1


def test_what_is_no_client_is_refused() -> None:
    with pytest.raises(InvalidUsage, match=r"google\.genai\.Client"):
        instrument(object())


@pytest.fixture
def vertex(wire: Wire) -> Iterator[genai.Client]:
    credentials = Credentials("token")
    client = genai.Client(
        vertexai=True, project="p", location="us-central1", credentials=credentials,
        http_options=types.HttpOptions(base_url=wire.url),
    )  # fmt: skip
    yield instrument(client)
    client.close()


def test_embeddings_of_older_models_on_vertex_are_booked_by_what_each_tells(wire: Wire, vertex: genai.Client) -> None:
    make_rate("text-embedding-test", "google", per_million=("0.1", "0"))
    told = [{"embeddings": {"values": [0.1], "statistics": {"token_count": count}}} for count in (700, 300)]
    wire.gives(json_answer({"predictions": told}))
    vertex.models.embed_content(model="text-embedding-test", contents=["one", "two"])
    assert wire.requests[0].path.endswith("/text-embedding-test:predict")
    [row] = rows()
    # 700 + 300 tokens x 0.1 = 100 per million
    assert (row.model, row.input_tokens, row.cost_usd) == ("text-embedding-test", 1000, Decimal("0.0001"))


def test_an_embedding_on_vertex_is_refused_before_it_is_sent(wire: Wire, vertex: genai.Client) -> None:
    make_rate("text-embedding-test", "google", per_million=("100000", "0"))
    make_budget(make_organization("default"), "0.01")
    with pytest.raises(BudgetExceeded):
        vertex.models.embed_content(model="text-embedding-test", contents=["one"])
    assert wire.requests == []


@pytest.mark.filterwarnings("ignore:The generate_images method is deprecated")
def test_what_else_vertex_predicts_is_left_alone(wire: Wire, vertex: genai.Client) -> None:
    wire.gives(json_answer({"predictions": [{"bytesBase64Encoded": "aGk=", "mimeType": "image/png"}]}))
    assert vertex.models.generate_images(model="imagen-test", prompt="a house").generated_images
    assert rows() == []
