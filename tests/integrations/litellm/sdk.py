"""LiteLLM's SDK, as the tests ask it; importing this imports LiteLLM."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import litellm
from asgiref.sync import async_to_sync
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from costtrack.metering.database_thread import wait_for_later
from costtrack.models import ResourceUsage
from tests.integrations.wire.server import Wire

ASKED = [{"role": "user", "content": "Say hello to me, please, in few words"}]
"""37 characters: 10 tokens, at 4 characters each."""
FULL = Decimal("0.0045")
"""1000 x 3 + 100 x 15 = 4,500 per million."""
STREAMED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
CALLBACKS = ("success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback",
             "input_callback", "callbacks")  # fmt: skip
IGNORED = (
    "ignore:Items? .* using the `ReadOnly` qualifier:UserWarning",  # LiteLLM's own types
    "ignore:Accessing the 'model_.*' attribute on the instance is deprecated",  # and streams
    "ignore:Pydantic serializer warnings",
)


class Watcher(litellm.integrations.custom_logger.CustomLogger):
    """Comes after ours, and says how many calls LiteLLM has told its callbacks of."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, Any]] = []
        self._succeeded: list[dict[str, Any]] = []

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        if not any(one is kwargs for one in self._succeeded):  # of some streams it tells both kinds of callbacks
            self._succeeded.append(kwargs)
            self.told.append(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.told.append(kwargs)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.log_failure_event(kwargs, response_obj, start_time, end_time)


def rows(watcher: Watcher, *, told: int = 1) -> list[ResourceUsage]:
    """The ledger, once LiteLLM has told so much, and nothing more comes."""
    until = time.monotonic() + 5
    while len(watcher.told) < told and time.monotonic() < until:
        time.sleep(0.01)
    assert len(watcher.told) == told, [one.get("call_type") for one in watcher.told]
    time.sleep(0.05)
    wait_for_later()
    return list(ResourceUsage.objects.order_by("id"))


def ask(wire: Wire, model: str = "openai/test-model", **more: Any) -> Any:
    return litellm.completion(model=model, messages=ASKED, api_base=f"{wire.url}/v1", api_key="k", **more)


async def ask_async(wire: Wire, model: str = "openai/test-model", **more: Any) -> Any:
    return await litellm.acompletion(model=model, messages=ASKED, api_base=f"{wire.url}/v1", api_key="k", **more)


def in_a_loop(work: Callable[[], Awaitable[None]]) -> None:
    """Have it done in a loop, and what LiteLLM does afterwards; its clients end with the loop."""

    async def all_of_it() -> None:
        GLOBAL_LOGGING_WORKER.start()  # it takes over what another loop has left
        await work()
        await asyncio.sleep(0.2)
        until = time.monotonic() + 5
        while GLOBAL_LOGGING_WORKER._running_tasks and time.monotonic() < until:  # to stop it would cancel them
            await asyncio.sleep(0.01)
        await GLOBAL_LOGGING_WORKER.clear_queue()
        await GLOBAL_LOGGING_WORKER.stop()
        await close_clients()

    async_to_sync(all_of_it)()


async def close_clients() -> None:
    """LiteLLM keeps its HTTP clients, and closes none of them."""
    kept = litellm.in_memory_llm_clients_cache
    for client in list(kept.cache_dict.values()):
        closing = client.close() if hasattr(client, "close") else None
        if inspect.isawaitable(closing):
            await closing
    kept.flush_cache()
    await asyncio.sleep(0.05)
