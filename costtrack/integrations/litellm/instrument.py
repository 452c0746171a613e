"""`instrument()`: LiteLLM's SDK, metered, and refused by hard budgets before anything is sent.

LiteLLM lets no callback of its SDK refuse a call: it logs what they raise, and goes on. So its functions are wrapped.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from costtrack.exceptions import CallRefused
from costtrack.integrations.litellm.admitted import admitted_of
from costtrack.integrations.litellm.logger import CostTrackLogger
from costtrack.integrations.litellm.sdk_request import CALL_ID, SdkRequest, request_around
from costtrack.integrations.needed import needed
from costtrack.metering.database_thread import run_quietly, run_quietly_async
from costtrack.metering.ending import do_later

litellm: Any = needed("litellm", install="pip install 'costtrack[litellm]'")

FUNCTIONS = (
    "completion",
    "acompletion",
    "text_completion",
    "atext_completion",
    "embedding",
    "aembedding",
    "responses",
    "aresponses",
)
CALLBACKS = (
    "callbacks",
    "input_callback",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
)
"""LiteLLM copies what is in the first list into the others."""


class _Installed:
    """What `instrument()` has changed."""

    def __init__(self) -> None:
        self.is_on = True
        self.logger = CostTrackLogger()
        self.originals: dict[str, Any] = {}
        self.wrappers: dict[str, Any] = {}

    def is_heard(self) -> None:
        """See to it that LiteLLM tells of its calls, whatever a program has made of its callbacks meanwhile."""
        if not any(isinstance(one, CostTrackLogger) for one in litellm.callbacks):
            litellm.callbacks.append(self.logger)


_installed: _Installed | None = None


def instrument() -> None:
    """Meter `litellm.completion`, `acompletion`, `embedding`, `responses` and their like from now on. Again: once.

    A call that would overspend a hard budget raises BudgetExceeded (a CallRefused) before anything is sent; what is
    held for it is settled by what it used, and given back if it fails. Call it before `from litellm import completion`,
    and before a Router is made: what was imported earlier is the function as it was.
    """
    global _installed
    if _installed is None:
        _installed = installed = _Installed()
        for name in FUNCTIONS:
            original = getattr(litellm, name)
            installed.originals[name] = original
            installed.wrappers[name] = _wrapper(original, name, installed)
            setattr(litellm, name, installed.wrappers[name])
    _installed.is_heard()


def uninstrument() -> None:
    """LiteLLM as it was; a CostTrackLogger that a program has put among its callbacks stays."""
    global _installed
    installed, _installed = _installed, None
    if installed is None:
        return
    installed.is_on = False
    for name, original in installed.originals.items():
        if getattr(litellm, name) is installed.wrappers[name]:  # else somebody has wrapped ours, which does nothing now
            setattr(litellm, name, original)
    for name in CALLBACKS:
        listed = getattr(litellm, name)
        listed[:] = [one for one in listed if one is not installed.logger]


def _wrapper(original: Callable[..., Any], name: str, installed: _Installed) -> Callable[..., Any]:
    names = tuple(inspect.signature(original).parameters)

    @wraps(original)
    def metered(*args: Any, **kwargs: Any) -> Any:
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        if _is_passed_on(arguments, installed):
            return original(*args, **kwargs)
        request = SdkRequest(arguments)
        with _refusing():
            request.admit(name)
        with request:
            try:
                result = original(*args, **{**kwargs, CALL_ID: request.call_id})
            except BaseException as error:
                run_quietly(request.failed(error))
                raise
            work = request.returned(result)
        run_quietly(work)
        return result

    @wraps(original)
    async def metered_async(*args: Any, **kwargs: Any) -> Any:
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        if _is_passed_on(arguments, installed):
            return await original(*args, **kwargs)
        request = SdkRequest(arguments)
        with _refusing():
            await request.admit_async(name)
        with request:
            try:
                result = await original(*args, **{**kwargs, CALL_ID: request.call_id})
            except GeneratorExit as error:  # dropped with its loop: nothing may be awaited any more
                do_later(request.failed(error))
                raise
            except BaseException as error:
                await run_quietly_async(request.failed(error))
                raise
            work = request.returned(result)
        await run_quietly_async(work)
        return result

    return metered_async if inspect.iscoroutinefunction(original) else metered


def _is_passed_on(arguments: Mapping[str, Any], installed: _Installed) -> bool:
    """Whether the call is none of its own: LiteLLM's functions call one another, and its proxy has asked before."""
    if not installed.is_on or admitted_of(arguments) is not None:
        return True
    around = request_around(arguments)
    if around is not None:
        around.also_known_as(arguments.get(CALL_ID))
        return True
    installed.is_heard()
    return False


@contextmanager
def _refusing() -> Iterator[None]:
    """LiteLLM's Router tries again what has no `status_code`."""
    try:
        yield
    except CallRefused as refusal:
        vars(refusal)["status_code"] = refusal.status
        raise
