"""Anthropic's SDK: `instrument(client)` meters the messages of one client, streams and beta ones too.

The SDK's clients of Bedrock, Vertex AI and others are metered under the provider that bills them. Needs the package
`anthropic`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from costtrack.exceptions import InvalidUsage
from costtrack.extraction.fields import read, read_text
from costtrack.integrations.batches import (
    BatchResult,
    FinishedBatch,
    error_text,
    instant_of,
    record_batch_results,
    record_batch_results_async,
)
from costtrack.integrations.needed import needed
from costtrack.integrations.stainless import Metering, instrument_client, uninstrument_client
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution
from costtrack.metering.given_fields import EventFields
from costtrack.metering.recorded import RecordedUsage

_sdk = needed("anthropic", install="pip install anthropic")

_KINDS = tuple(
    kind
    for name, kind in vars(_sdk).items()
    if "Anthropic" in name and isinstance(kind, type) and hasattr(kind, "request")
)

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic
    from anthropic.types.messages import MessageBatch

AnyClient = TypeVar("AnyClient")
"""Anthropic, AsyncAnthropic, AnthropicBedrock, AnthropicVertex and their like: they have no base of their own."""

PATHS = frozenset(("/v1/messages",))
HOSTS = {"Bedrock": "aws", "AWS": "aws", "Vertex": "google", "GoogleCloud": "google", "Foundry": "azure"}
"""What the class of a client has in its name, and who bills its calls."""


def instrument(
    client: AnyClient, *, provider: str = "", gateway: str = "", **attribution: Unpack[CallerFields]
) -> AnyClient:
    """The same client; from now on each of its calls is metered, and refused before it is sent if a budget says so.

    `provider` is who bills the calls, by default told from the client's class: Anthropic, AWS, Google or Azure. The
    other keyword arguments are those of `attribute`, which win over what is in force where a call is made. Copies by
    `with_options` are metered too; in a loop of tool calls, written by hand or `tool_runner`, each call is its own row.

    Budgets hold `max_tokens` of output, and the request's text as input, at the price of a cache write where a part of
    it is marked for the cache. To instrument twice meters once, as is said last. Raises InvalidUsage for what is no
    client of this SDK.
    """
    _checked(client)
    given = given_attribution(dict(attribution), caller="instrument()")

    def metering_of(client: AnyClient) -> Metering:
        fields: EventFields = {"provider": provider or _biller_of(client)}
        if gateway:
            fields["gateway"] = gateway
        return Metering(fields=fields, given=given, paths=PATHS)

    return instrument_client(client, metering_of)


def uninstrument(client: AnyClient) -> AnyClient:
    """The same client, not metered any more."""
    return uninstrument_client(_checked(client))


def record_batch(client: Anthropic, batch_id: str, **attribution: Unpack[CallerFields]) -> tuple[RecordedUsage, ...]:
    """Record what a message batch used, at the batch tier; gives a row for each request.

    To do it again charges nothing. It is booked when the batch ended, and never refused: it has happened. A request
    that failed, expired or was cancelled is recorded as failed. Raises InvalidUsage while the batch is under way.
    """
    given = given_attribution(dict(attribution), caller="record_batch()")
    finished = _finished(client.messages.batches.retrieve(batch_id), given)
    return record_batch_results(finished, _results(client.messages.batches.results(batch_id)))


async def record_batch_async(
    client: AsyncAnthropic, batch_id: str, **attribution: Unpack[CallerFields]
) -> tuple[RecordedUsage, ...]:
    """The same with an AsyncAnthropic."""
    given = given_attribution(dict(attribution), caller="record_batch_async()")
    finished = _finished(await client.messages.batches.retrieve(batch_id), given)
    results = [result async for result in await client.messages.batches.results(batch_id)]
    return await record_batch_results_async(finished, _results(results))


def _finished(batch: MessageBatch, given: GivenAttribution) -> FinishedBatch:
    if batch.ended_at is None:
        raise InvalidUsage("batch_id", f"{batch.id} ({batch.processing_status})", "one that has ended; record it then")
    return FinishedBatch(provider="anthropic", batch_id=batch.id, ended_at=instant_of(batch.ended_at), given=given)


def _results(results: Iterable[object]) -> Iterator[BatchResult]:
    for one in results:
        result = read(one, "result")
        kind = read_text(result, "type")
        is_success = kind == "succeeded"
        yield BatchResult(
            custom_id=read_text(one, "custom_id"),
            answer=read(result, "message") if is_success else None,
            error="" if is_success else error_text(_plain(read(result, "error"))) or kind,
        )


def _plain(error: Any) -> object:
    return error.to_dict() if hasattr(error, "to_dict") else error


def _checked(client: AnyClient) -> AnyClient:
    if not isinstance(client, _KINDS):
        raise InvalidUsage("client", client, "a client of the package anthropic, such as Anthropic or AsyncAnthropic")
    return client


def _biller_of(client: object) -> str:
    name = type(client).__name__
    return next((biller for host, biller in HOSTS.items() if host in name), "anthropic")
