"""The demo's last calls, made right now by decorated functions: an answer, a stream, a failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

from costtrack import attribute, track_api_call
from costtrack.management.demo.failures import ProviderError, RateLimitError
from costtrack.management.demo.responses import anthropic_message, anthropic_usage
from costtrack.management.demo.streams import openai_stream

SONNET, MINI = "claude-sonnet-4-5-20250929", "gpt-4.1-mini-2025-04-14"


@track_api_call("summarize_papers", provider="anthropic")
def summarize(chance: Random, *, model: str) -> Any:
    """The response tells what was used."""
    return anthropic_message(chance, model=model, usage=anthropic_usage(fresh=1_200, output=800, cache_read=24_000))


@track_api_call("answer_shopper", provider="openai")
def answer(chance: Random, *, model: str, conversation_id: str) -> Iterator[Any]:
    """The last chunk of the stream tells what was used."""
    return openai_stream(chance, model=model, prompt=4_000, completion=250, cached=1_536)


@track_api_call("answer_shopper", provider="openai")
def answer_too_often(*, model: str, conversation_id: str) -> Any:
    """A failure is recorded, and reaches the caller."""
    raise RateLimitError("Rate limit reached for gpt-4.1-mini: 500 requests per minute.")


def call_live(seed: int) -> None:
    """Call each of them."""
    chance = Random(f"{seed}/live")
    with attribute(organization="demo-biotech", project="literature", agent="summarizer"):
        summarize(chance, model=SONNET)
    with attribute(organization="demo-retail", project="support", agent="shop-assistant"):
        for _chunk in answer(chance, model=MINI, conversation_id="chat-live"):
            pass
        with suppress(ProviderError):
            answer_too_often(model=MINI, conversation_id="chat-live")
