"""CostTrackLogger: the callback for LiteLLM's SDK and proxy. LiteLLM names its methods, and their arguments."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from costtrack.budgets.problem import problem_of
from costtrack.exceptions import CallRefused
from costtrack.integrations.litellm.admitted import admit_request, admitted_of
from costtrack.integrations.litellm.calls import STASH, Attempt
from costtrack.integrations.litellm.record import is_charged, params_of
from costtrack.integrations.litellm.sdk_request import request_of
from costtrack.integrations.needed import needed
from costtrack.metering.database_thread import Work, run_later, run_quietly_async

_custom_logger: Any = needed("litellm.integrations.custom_logger", install="pip install 'costtrack[litellm]'")
CustomLogger: Any = _custom_logger.CustomLogger

logger = logging.getLogger("costtrack")
NO_CALL = "litellm_no_upstream_llm_call"
"""Where LiteLLM marks that it only tells of a refusal (`LITELLM_LOGGING_NO_UPSTREAM_LLM_CALL` of 1.108)."""
FOUND_ON_THE_CLASS = ("async_pre_call_hook", "async_post_call_failure_hook")
"""Hooks that LiteLLM looks for on an instance's own class only: what a subclass inherits it never calls."""


class CostTrackLogger(CustomLogger):  # type: ignore[misc] # LiteLLM may not be installed where types are checked
    """Records every call that LiteLLM makes, once, whichever of its callbacks come; on the proxy budgets refuse before.

    In the SDK `instrument()` puts it among LiteLLM's callbacks, and refuses before. On the proxy
    `costtrack.integrations.litellm.proxy.logger` in config.yaml. Who is charged says COSTTRACK["LITELLM_ATTRIBUTION"].
    Nothing here raises but a refusal.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let subclasses have the hooks that refuse, whatever they override."""
        super().__init_subclass__(**kwargs)
        for name in FOUND_ON_THE_CLASS:
            if name not in vars(cls):
                setattr(cls, name, getattr(cls, name))

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: dict[str, Any]) -> None:
        """A call goes to the provider: it is attributed as in force here, where LiteLLM was called."""
        _guarded(partial(_begin, kwargs))

    def log_success_event(self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Record a call of the sync SDK, on LiteLLM's thread."""
        _now_or_later(_guarded(lambda: _succeeded(kwargs, response_obj, start_time, end_time)))

    def log_failure_event(self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Record a failed one. What failed before it went to a provider, such as a refusal, is none."""
        if STASH in kwargs:
            _now_or_later(_guarded(lambda: _attempt(kwargs).failed(kwargs, start_time, end_time)))

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record a call of the async SDK, and of the proxy."""
        await run_quietly_async(_guarded(lambda: _succeeded(kwargs, response_obj, start_time, end_time)))

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """The same of one that failed."""
        if STASH in kwargs:
            await run_quietly_async(_guarded(lambda: _attempt(kwargs).failed(kwargs, start_time, end_time)))

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> None:
        """On the proxy, before the call: hold its worst case, or answer 402 (503 if no budget could be asked)."""
        try:
            await admit_request(data, str(call_type))
        except CallRefused as refusal:
            from fastapi import HTTPException

            raise HTTPException(status_code=refusal.status, detail=problem_of(refusal)) from refusal
        except Exception:  # the boundary: what a client sent must not make the proxy refuse it
            logger.exception("A request to LiteLLM's proxy could not be looked at, and is not held in any budget.")

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: Any = None,
    ) -> None:
        """On the proxy: the request has failed for good, and what was held for it is given back."""
        admitted = admitted_of(request_data)
        if admitted is not None:
            await run_quietly_async(admitted.failed())


def _begin(kwargs: dict[str, Any]) -> None:
    if kwargs.get(NO_CALL) or not is_charged(kwargs):  # the proxy tells what it has refused itself as if it were a call
        return
    known = kwargs.get(STASH)
    if known is None or known.is_over:  # else the SDK tries again under the same record
        kwargs[STASH] = attempt = _attempt_of(kwargs)
        attempt.begin(kwargs)


def _succeeded(kwargs: dict[str, Any], response: Any, start: Any, end: Any) -> Work | None:
    return _attempt(kwargs).succeeded(kwargs, response, start, end) if is_charged(kwargs) else None


def _attempt(kwargs: dict[str, Any]) -> Attempt:
    """The call that these callbacks are about; one that was answered from a cache never began."""
    if STASH not in kwargs:
        kwargs[STASH] = _attempt_of(kwargs)
    attempt: Attempt = kwargs[STASH]
    return attempt


def _attempt_of(kwargs: dict[str, Any]) -> Attempt:
    request = request_of(kwargs)
    admitted = admitted_of(params_of(kwargs)) or (request.admitted if request is not None else None)
    return Attempt(kwargs, admitted=admitted, request=request)


def _guarded(step: Callable[[], Work | None]) -> Work | None:
    try:
        return step()
    except Exception:  # the boundary: metering never breaks a call; LiteLLM would only hide it in its own log
        logger.exception("A call of LiteLLM could not be metered.")
        return None


def _now_or_later(work: Work | None) -> None:
    """LiteLLM's threads live long, and would keep a connection of their own each: the database is asked on ours."""
    if work is None:
        return
    if work.needs_no_database:
        work()
    else:
        run_later(work)
