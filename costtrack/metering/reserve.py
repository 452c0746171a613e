"""`reserve(...)`: the worst case of a job is held before it runs, and settled by what it used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack
from uuid import UUID

from costtrack.domain.events import ResourceType
from costtrack.exceptions import InvalidUsage
from costtrack.metering.attribution import CallerFields, given_attribution
from costtrack.metering.expected import expected_of
from costtrack.metering.meter import checked_before_call
from costtrack.metering.reservation import Reservation, duration


def reserve(
    endpoint: object = "",
    *,
    resource_type: str = ResourceType.LLM_TOKENS,
    amount: object = None,
    model: str = "",
    provider: str = "",
    input_tokens: int | None = None,
    max_output_tokens: int | None = None,
    input: object = None,
    writes_cache: bool = False,
    max_cost_usd: object = None,
    service_tier: str = "",
    gateway: str = "",
    ttl_seconds: float | None = None,
    hold_id: UUID | str | None = None,
    metadata: Mapping[str, Any] | None = None,
    **attribution: Unpack[CallerFields],
) -> Reservation:
    """Hold what a job may use: `with reserve(resource_type="gpu_seconds", amount=3600) as hold: ... hold.settle(...)`.

    The block runs only if every hard budget that is about the job has room for its worst case: `amount` units of its
    resource type, or of an LLM call the tokens, as `meter` takes them; `max_cost_usd` is the most that it costs, if you
    know that better than the rates. Else CallRefused is raised. `hold.settle(amount=2710)` records what was used. Left
    by an exception before that, the hold is released; left without one, too, and a warning is logged: nothing is
    recorded that nobody told. A job that fails after it used something settles that itself.

    The hold lasts `ttl_seconds` (default COSTTRACK["HOLD_TTL_SECONDS"]); `hold.renew()` prolongs it. With a `hold_id`
    of your own (a UUID) the same job, asking again, finds its hold again, and takes nothing twice; if that has ended,
    HoldEnded is raised, and HoldTooSmall if the job may need more now. Where no budget is about the job, `hold.id` is
    None and all else works as well. Raises InvalidUsage or TypeError for wrong arguments.
    """
    given = given_attribution({"endpoint": endpoint, **attribution}, caller="reserve()")
    fields = checked_before_call(
        {
            "provider": provider,
            "model": model,
            "resource_type": resource_type,
            "amount": amount,
            "service_tier": service_tier,
            "gateway": gateway,
            "metadata": metadata,
        }
    )
    expected = expected_of(
        input_tokens=input_tokens,
        max_output_tokens=max_output_tokens,
        input=input,
        writes_cache=writes_cache,
        max_cost_usd=max_cost_usd,
    )
    return Reservation(fields, given, expected, hold_id=_hold_id(hold_id), ttl=duration("ttl_seconds", ttl_seconds))


def _hold_id(value: object) -> UUID | None:
    if value is None or isinstance(value, UUID):
        return value
    try:
        return UUID(value)  # type: ignore[arg-type]
    except (ValueError, AttributeError, TypeError):
        raise InvalidUsage("hold_id", value, "a UUID, or its text") from None
