"""The calls that `integrations.py` measures: each client twice, bare and metered, on answers from memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

USAGE = {"prompt_tokens": 1200, "completion_tokens": 80, "total_tokens": 1280}
MESSAGES: Any = [{"role": "system", "content": "Be brief. " * 40}, {"role": "user", "content": "What is a ledger?"}]
STREAMED_TEXTS = 20
_numbers = count()


@dataclass(frozen=True)
class Case:
    """One kind of call."""

    name: str
    bare: Callable[[], object]
    metered: Callable[[], object]


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _openai()
    yield from _openai_async()
    yield from _anthropic()
    yield from _bedrock()
    yield from _tools()


def _openai() -> Iterator[Case]:
    import httpx2
    import openai

    from costtrack.integrations.openai import instrument

    def client() -> openai.OpenAI:
        transport = httpx2.MockTransport(lambda request: _openai_answer(httpx2, request))
        return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0)

    bare, metered = client(), instrument(client())
    asks: dict[str, Callable[[openai.OpenAI], object]] = {
        "openai chat": lambda client: client.chat.completions.create(model="gpt-4o", messages=MESSAGES),
        "openai responses": lambda client: client.responses.create(model="gpt-4o", input="What is a ledger?"),
        "openai embeddings": lambda client: client.embeddings.create(model="text-embedding-3-small", input="A ledger"),
        "openai raw": lambda client: client.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=MESSAGES
        ).parse(),
        f"openai stream of {STREAMED_TEXTS}": lambda client: list(
            client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
        ),
    }
    for name, ask in asks.items():
        yield Case(name, lambda ask=ask: ask(bare), lambda ask=ask: ask(metered))  # type: ignore[misc]


def _openai_answer(httpx2: Any, request: Any) -> Any:
    number = next(_numbers)
    path = request.url.path
    if path.endswith("/embeddings"):
        told = {"prompt_tokens": 8, "total_tokens": 8}
        data = [{"object": "embedding", "index": 0, "embedding": "AACAPw=="}]
        return httpx2.Response(
            200, json={"object": "list", "data": data, "model": "text-embedding-3-small", "usage": told}
        )
    if path.endswith("/responses"):
        return httpx2.Response(200, json=_response(number))
    head = {
        "id": f"chatcmpl-{number:029}",
        "created": 1741569952,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
    }
    if json.loads(request.content).get("stream"):
        texts = [{"index": 0, "delta": {"content": "A ledger "}, "finish_reason": None}] * STREAMED_TEXTS
        texts.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        chunks = [{**head, "object": "chat.completion.chunk", "choices": [text], "usage": None} for text in texts]
        chunks.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
        body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
    message = {"role": "assistant", "content": "A book of accounts."}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return httpx2.Response(200, json={**head, "object": "chat.completion", "choices": [choice], "usage": USAGE})


def _response(number: int) -> dict[str, Any]:
    text = {"type": "output_text", "text": "A book of accounts.", "annotations": []}
    return {
        "id": f"resp_{number:048}",
        "object": "response",
        "created_at": 1741476542,
        "status": "completed",
        "model": "gpt-4o-2024-08-06",
        "output": [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}],
        "usage": {
            "input_tokens": 1200,
            "input_tokens_details": {"cached_tokens": 1024},
            "output_tokens": 80,
            "output_tokens_details": {"reasoning_tokens": 64},
            "total_tokens": 1280,
        },
        "service_tier": "default",
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }


def _openai_async() -> Iterator[Case]:
    import httpx2
    import openai

    from costtrack.integrations.openai import instrument

    def client() -> openai.AsyncOpenAI:
        transport = httpx2.MockTransport(lambda request: _openai_answer(httpx2, request))
        return openai.AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=transport), max_retries=0)

    loop = asyncio.new_event_loop()

    def ask(client: openai.AsyncOpenAI) -> object:
        return loop.run_until_complete(client.chat.completions.create(model="gpt-4o", messages=MESSAGES))

    bare, metered = client(), instrument(client())
    yield Case("openai chat, async", lambda: ask(bare), lambda: ask(metered))


def _anthropic() -> Iterator[Case]:
    import anthropic
    import httpx2

    from costtrack.integrations.anthropic import instrument

    def answer(request: Any) -> Any:
        head = {"id": f"msg_{next(_numbers):026}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
        usage = {"input_tokens": 200, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 0}
        if json.loads(request.content).get("stream"):
            begun = {**head, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
            block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A ledger "}}
            events: list[dict[str, Any]] = [
                {"type": "message_start", "message": begun},
                block,
                *[delta] * STREAMED_TEXTS,
            ]
            events += [
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 80}},
                {"type": "message_stop"},
            ]
            body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
            return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
        text = {"type": "text", "text": "A book of accounts."}
        whole = {**head, "content": [text], "stop_reason": "end_turn", "usage": {**usage, "output_tokens": 80}}
        return httpx2.Response(200, json=whole)

    def client() -> anthropic.Anthropic:
        transport = httpx2.MockTransport(answer)
        return anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0)

    bare, metered = client(), instrument(client())
    asked: Any = {"model": "claude-sonnet-4-5", "max_tokens": 500, "messages": MESSAGES[1:], "system": "Be brief."}
    yield Case("anthropic messages", lambda: bare.messages.create(**asked), lambda: metered.messages.create(**asked))
    yield Case(
        f"anthropic stream of {STREAMED_TEXTS}",
        lambda: list(bare.messages.create(**asked, stream=True)),
        lambda: list(metered.messages.create(**asked, stream=True)),
    )


def _bedrock() -> Iterator[Case]:
    import boto3
    from botocore.awsrequest import AWSResponse

    from costtrack.integrations.bedrock import instrument

    class Raw:
        def __init__(self, body: bytes) -> None:
            self._left = [body]

        def stream(self, **_: object) -> Iterator[bytes]:
            while self._left:
                yield self._left.pop()

        def read(self, amt: int | None = None) -> bytes:
            return self._left.pop() if self._left else b""

    def answer(request: Any, **_: object) -> Any:
        headers = {"content-type": "application/json", "x-amzn-requestid": f"{next(_numbers):032}"}
        usage: dict[str, Any] = {"inputTokens": 1200, "outputTokens": 80, "totalTokens": 1280}
        message = {"role": "assistant", "content": [{"text": "A book of accounts."}]}
        body = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 9}}
        return AWSResponse(request.url, 200, headers, Raw(json.dumps(body).encode()))

    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")

    def client() -> Any:
        made = session.client("bedrock-runtime")
        made.meta.events.register("before-send", answer)
        return made

    bare, metered = client(), instrument(client())
    asked: Any = {"modelId": "us.amazon.nova-lite-v1:0", "inferenceConfig": {"maxTokens": 500}}
    asked["messages"] = [{"role": "user", "content": [{"text": "What is a ledger?"}]}]
    body = json.dumps({key: value for key, value in asked.items() if key != "modelId"})
    yield Case("bedrock converse", lambda: bare.converse(**asked), lambda: metered.converse(**asked))

    def invoke(client: Any) -> object:
        return client.invoke_model(modelId=asked["modelId"], body=body)["body"].read()

    yield Case("bedrock invoke_model", lambda: invoke(bare), lambda: invoke(metered))


def _tools() -> Iterator[Case]:
    import httpx
    import requests

    from costtrack.integrations.tools import instrument, track_tool

    def tool() -> int:
        return 1

    yield Case("@track_tool", tool, track_tool("pubmed")(tool))

    def client() -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json={})))

    hosts = {"eutils.ncbi.nlm.nih.gov": "pubmed"}
    url = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/esearch.fcgi"
    bare, metered = client(), instrument(client(), hosts=hosts)
    yield Case("httpx, a named host", lambda: bare.get(url), lambda: metered.get(url))

    class InMemory(requests.adapters.BaseAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
            response = requests.Response()
            response.status_code, response._content, response.request = 200, b"{}", request
            response.url = request.url
            return response

        def close(self) -> None:
            return

    def session() -> requests.Session:
        made = requests.Session()
        made.trust_env = False
        made.mount("https://", InMemory())
        return made

    plain, billed = session(), instrument(session(), hosts=hosts)
    yield Case("requests, a named host", lambda: plain.get(url), lambda: billed.get(url))
