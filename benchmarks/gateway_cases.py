"""The calls of gateways, frameworks and local servers that `integrations.py` measures, on answers from memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from integration_cases import MESSAGES, Case

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
_numbers = count()


def gateway_cases() -> Iterator[Case]:
    """All of them."""
    yield from _ollama()
    yield from _google_genai()
    yield from _langchain()
    yield from _litellm()


def wait_for_litellm() -> None:
    """LiteLLM tells of its calls on threads of its own, and is behind: until it has told of all. It makes no more."""
    from litellm.litellm_core_utils.thread_pool_executor import executor

    executor.shutdown()


def _ollama() -> Iterator[Case]:
    import httpx
    import ollama

    from costtrack.integrations.ollama import instrument

    def answer(request: Any) -> Any:
        told = {"prompt_eval_count": 1200, "eval_count": 80, "total_duration": 10**9, "done": True}
        message = {"role": "assistant", "content": "A ledger is a book."}
        return httpx.Response(
            200,
            json={"model": "llama3.2", "created_at": "2026-11-20T12:00:00Z", "message": message, **told},
        )

    def client() -> Any:
        return ollama.Client(host="http://localhost:1", transport=httpx.MockTransport(answer))

    bare, metered = client(), instrument(client())
    yield Case(
        "ollama chat",
        lambda: bare.chat(model="llama3.2", messages=MESSAGES),
        lambda: metered.chat(model="llama3.2", messages=MESSAGES),
    )


def _google_genai() -> Iterator[Case]:
    import httpx
    from google import genai
    from google.genai import types

    from costtrack.integrations.google_genai import instrument

    def answer(request: Any) -> Any:
        parts = [{"text": "A ledger is a book."}]
        return httpx.Response(
            200,
            json={
                "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
                "usageMetadata": {"promptTokenCount": 1200, "candidatesTokenCount": 80, "totalTokenCount": 1280},
                "modelVersion": "gemini-2.5-flash",
                "responseId": f"answer-{next(_numbers):020}",
            },
        )

    def client() -> Any:
        options = types.HttpOptions(client_args={"transport": httpx.MockTransport(answer)})
        return genai.Client(api_key="k", http_options=options)

    bare, metered = client(), instrument(client())

    def ask(client: Any) -> object:
        return client.models.generate_content(model="gemini-2.5-flash", contents="What is a ledger?")

    yield Case("google generate_content", lambda: ask(bare), lambda: ask(metered))


def _langchain() -> Iterator[Case]:
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage

    from costtrack.integrations.langchain import CostTrackHandler

    def answers() -> Iterator[AIMessage]:
        while True:
            yield AIMessage(
                "A ledger is a book.",
                usage_metadata={"input_tokens": 1200, "output_tokens": 80, "total_tokens": 1280},
                response_metadata={"model_name": "gpt-4o", "model_provider": "openai"},
            )

    model, handler = GenericFakeChatModel(messages=answers()), CostTrackHandler()
    yield Case(
        "langchain invoke",
        lambda: model.invoke("What is a ledger?"),
        lambda: model.invoke("What is a ledger?", config={"callbacks": [handler]}),
    )


def _litellm() -> Iterator[Case]:
    import litellm

    from costtrack.integrations.litellm import CostTrackLogger, instrument

    litellm.suppress_debug_info = True
    logger = CostTrackLogger()
    bare = litellm.completion
    instrument()
    wrapped = litellm.completion

    def ask(complete: Callable[..., Any], callbacks: list[Any]) -> object:
        litellm.callbacks = callbacks
        for name in ("success_callback", "failure_callback", "_async_success_callback", "input_callback"):
            setattr(litellm, name, [])
        return complete(model="gpt-4o", messages=MESSAGES, mock_response="A ledger is a book.")

    yield Case("litellm completion", lambda: ask(bare, []), lambda: ask(bare, [logger]))
    yield Case("litellm instrumented", lambda: ask(bare, []), lambda: ask(wrapped, [logger]))
