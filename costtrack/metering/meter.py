"""`meter(...)`: the context manager around one call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Unpack

from costtrack.conf import settings
from costtrack.domain.events import ResourceType
from costtrack.exceptions import InvalidUsage
from costtrack.metering.admitting import admit, admit_async
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution
from costtrack.metering.call import Call
from costtrack.metering.cleaning import clean_key, clean_latency
from costtrack.metering.database_thread import Work, run_quietly, run_quietly_async
from costtrack.metering.event_fields import clean_amount, clean_resource_type, clean_time
from costtrack.metering.expected import Expected, expected_of
from costtrack.metering.finish import finish
from costtrack.metering.given_fields import EventFields


class Meter(AbstractContextManager[Call], AbstractAsyncContextManager[Call]):
    """Meters one block at a time; `with` in sync code, `async with` in coroutines."""

    def __init__(self, fields: EventFields, given: GivenAttribution, expected: Expected) -> None:
        """What is known before the call."""
        self._fields = fields
        self._given = given
        self._expected = expected
        self._call: Call | None = None

    def __enter__(self) -> Call:
        """Begin the call, if the budgets admit it; else CallRefused is raised and nothing recorded."""
        call = Call(self._fields, self._given)
        admit(call, self._expected)
        return self._begun(call)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record the call; the block's exception, if any, goes on unchanged."""
        run_quietly(self._finished(error))

    async def __aenter__(self) -> Call:
        """The same without holding up the loop."""
        call = Call(self._fields, self._given)
        await admit_async(call, self._expected)
        return self._begun(call)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record the call without holding up the loop; it is recorded even if this task is cancelled meanwhile."""
        await run_quietly_async(self._finished(error))

    def _begun(self, call: Call) -> Call:
        self._call = call
        if self._expected.inputs:
            call.set_input(*self._expected.inputs)
        call.announce()
        call.inside.__enter__()
        return call

    def _finished(self, error: BaseException | None) -> Work | None:
        call, self._call = self._call, None
        if call is None:
            return None
        call.inside.__exit__(None, None, None)
        return finish(call, error)


def meter(
    endpoint: object = "",
    *,
    provider: str = "",
    model: str = "",
    resource_type: str = ResourceType.LLM_TOKENS,
    amount: object = None,
    idempotency_key: object = "",
    service_tier: str = "",
    gateway: str = "",
    occurred_at: datetime | None = None,
    latency_ms: object = None,
    metadata: Mapping[str, Any] | None = None,
    input_tokens: int | None = None,
    max_output_tokens: int | None = None,
    input: object = None,
    writes_cache: bool = False,
    **attribution: Unpack[CallerFields],
) -> Meter:
    """Meter the call made inside: `with meter("summarize", model="gpt-4o") as call: call.observe(client.chat...)`.

    `endpoint` is the feature's name; the other keyword arguments are those of `attribute`. The row says how long it
    took and whether it failed; an exception is recorded and raised on. A response that a metered call inside the
    block charges already is not charged again.

    Hard budgets hold the worst case of the call before the block runs, or refuse it: then BudgetExceeded (a
    CallRefused) is raised and nothing recorded. They need to know the most that it can use: `max_output_tokens`, and
    `input_tokens`, or as `input` what the model is given to read (see also `Call.set_input`), whose tokens are counted.
    `writes_cache` says that this may be written to a cache, at a higher price. Figures of what was used are told to
    the call. Wrong arguments raise InvalidUsage or TypeError here, before the call; after it nothing raises: what
    cannot be recorded is logged and counted.
    """
    given = given_attribution({"endpoint": endpoint, **attribution}, caller="meter()")
    fields = checked_before_call(
        {
            "provider": provider,
            "model": model,
            "resource_type": resource_type,
            "amount": amount,
            "idempotency_key": idempotency_key,
            "service_tier": service_tier,
            "gateway": gateway,
            "occurred_at": occurred_at,
            "latency_ms": latency_ms,
            "metadata": metadata,
        }
    )
    expected = expected_of(
        input_tokens=input_tokens, max_output_tokens=max_output_tokens, input=input, writes_cache=writes_cache
    )
    return Meter(fields, given, expected)


def checked_before_call(fields: EventFields) -> EventFields:
    """The fields that were given, without the empty ones; raises InvalidUsage for one that is not acceptable."""
    clean_resource_type(fields.get("resource_type"))
    clean_key(fields.get("idempotency_key"))
    clean_latency(fields.get("latency_ms"))
    if fields.get("amount") is not None:
        clean_amount(fields.get("amount"))
    if fields.get("occurred_at") is not None:
        now = datetime.now(UTC)
        clean_time(fields.get("occurred_at"), now=now, max_future_seconds=settings.max_future_seconds)
    metadata = fields.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InvalidUsage("metadata", type(metadata).__name__, "a mapping")
    return {name: value for name, value in fields.items() if value is not None and value != ""}  # type: ignore[return-value]
