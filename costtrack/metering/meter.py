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
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution
from costtrack.metering.call import Call
from costtrack.metering.cleaning import clean_key, clean_latency
from costtrack.metering.database_thread import run_quietly, run_quietly_async
from costtrack.metering.event_fields import clean_amount, clean_resource_type, clean_time
from costtrack.metering.events import EventFields
from costtrack.metering.finish import Recording, finish


class Meter(AbstractContextManager[Call], AbstractAsyncContextManager[Call]):
    """Meters one block at a time; `with` in sync code, `async with` in coroutines."""

    def __init__(self, fields: EventFields, given: GivenAttribution) -> None:
        """What is known before the call."""
        self._fields = fields
        self._given = given
        self._call: Call | None = None

    def __enter__(self) -> Call:
        """Begin the call."""
        self._call = call = Call(self._fields, self._given)
        call.announce()
        call.inside.__enter__()
        return call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record the call; the block's exception, if any, goes on unchanged."""
        run_quietly(self._finished(error))

    async def __aenter__(self) -> Call:
        """Begin the call."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record the call without holding up the loop; it is recorded even if this task is cancelled meanwhile."""
        await run_quietly_async(self._finished(error))

    def _finished(self, error: BaseException | None) -> Recording | None:
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
    **attribution: Unpack[CallerFields],
) -> Meter:
    """Meter the call made inside: `with meter("summarize", model="gpt-4o") as call: call.observe(client.chat...)`.

    `endpoint` is the feature's name; the other keyword arguments are those of `attribute`. The row says how long it
    took and whether it failed; an exception is recorded and raised on. A response that a metered call inside the
    block charges already is not charged again. Wrong arguments raise InvalidUsage or
    TypeError here, before the call; after it nothing raises: what cannot be recorded is logged and counted.
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
    return Meter(fields, given)


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
