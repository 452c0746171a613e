"""OpenAI's SDK: `instrument(client)` meters chat, responses, completions and embeddings of one client.

Clients of Azure and of the many servers that speak OpenAI's API are metered as well; which provider that is, is told
from the client's address, or said. Needs the package `openai`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar, Unpack

from costtrack.exceptions import InvalidUsage
from costtrack.extraction.fields import read, read_text
from costtrack.extraction.identity import provider_namespace
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
from costtrack.integrations.watched_body import decoded
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution
from costtrack.metering.given_fields import EventFields
from costtrack.metering.recorded import RecordedUsage

_sdk = needed("openai", install="pip install openai")

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI
    from openai.types import Batch

AnyClient = TypeVar("AnyClient", bound="OpenAI | AsyncOpenAI")

PATHS = frozenset(("/chat/completions", "/responses", "/responses/compact", "/completions", "/embeddings"))
PROVIDERS = {
    "api.openai.com": "openai",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshotai",
    "api.perplexity.ai": "perplexity",
    "api.together.xyz": "together",
    "api.x.ai": "x-ai",
    "generativelanguage.googleapis.com": "google",
}
"""By the host of a client's address, and of what stands before it: `eu.api.openai.com`."""
GATEWAYS = {"openrouter.ai": "openrouter"}


def instrument(
    client: AnyClient, *, provider: str = "", gateway: str = "", **attribution: Unpack[CallerFields]
) -> AnyClient:
    """The same client; from now on each of its calls is metered, and refused before it is sent if a budget says so.

    `provider` is who answers at the client's address, by default told from that; where it is not known, a response's id
    is trusted by nobody and makes no idempotency key. The other keyword arguments are those of `attribute`, which
    win over what is in force where a call is made. Copies by `with_options` are metered too.

    Budgets hold `max_completion_tokens` (`max_output_tokens`, `max_tokens`) of output, and of input what the request
    holds as text: not what the provider adds from an earlier response or a conversation that it keeps.
    To instrument twice meters once, as is said last. Raises InvalidUsage for what is no client of this SDK.
    """
    _checked(client)
    given = given_attribution(dict(attribution), caller="instrument()")

    def metering_of(client: AnyClient) -> Metering:
        fields = _spoken_to(client, provider, gateway)
        has_unique_ids = provider_namespace(str(fields.get("provider", "")))
        return Metering(
            fields=fields,
            given=given,
            paths=PATHS,
            always_writes_cache=True,
            max_output_tokens={"/embeddings": 0},
            fetched_from="/responses/" if has_unique_ids else "",
        )

    return instrument_client(client, metering_of)


def uninstrument(client: AnyClient) -> AnyClient:
    """The same client, not metered any more."""
    return uninstrument_client(_checked(client))


def record_batch(
    client: OpenAI, batch_id: str, *, provider: str = "", **attribution: Unpack[CallerFields]
) -> tuple[RecordedUsage, ...]:
    """Record what a batch used, at the batch tier, from its output and error files; gives a row for each request.

    To do it again charges nothing. It is booked when the batch ended, and never refused: it has happened. Raises
    InvalidUsage while the batch is under way.
    """
    batch = client.batches.retrieve(batch_id)
    finished = _finished(
        batch, _spoken_to(client, provider, ""), given_attribution(dict(attribution), caller="record_batch()")
    )
    ids = [file_id for file_id in (batch.output_file_id, batch.error_file_id) if file_id]
    files = [client.files.content(file_id).content for file_id in ids]
    return record_batch_results(finished, _results(files))


async def record_batch_async(
    client: AsyncOpenAI, batch_id: str, *, provider: str = "", **attribution: Unpack[CallerFields]
) -> tuple[RecordedUsage, ...]:
    """The same with an AsyncOpenAI."""
    batch = await client.batches.retrieve(batch_id)
    finished = _finished(
        batch, _spoken_to(client, provider, ""), given_attribution(dict(attribution), caller="record_batch_async()")
    )
    ids = [file_id for file_id in (batch.output_file_id, batch.error_file_id) if file_id]
    files = [(await client.files.content(file_id)).content for file_id in ids]
    return await record_batch_results_async(finished, _results(files))


def _finished(batch: Batch, fields: EventFields, given: GivenAttribution) -> FinishedBatch:
    ended_at = batch.completed_at or batch.expired_at or batch.cancelled_at or batch.failed_at
    if ended_at is None:
        expected = "one that is completed, expired, cancelled or failed; record it then"
        raise InvalidUsage("batch_id", f"{batch.id} ({batch.status})", expected)
    provider = str(fields.get("provider", ""))
    return FinishedBatch(provider=provider, batch_id=batch.id, ended_at=instant_of(ended_at), given=given)


def _results(files: Iterable[bytes]) -> Iterator[BatchResult]:
    # Of bytes: a text would be parted at each U+2028 of an answer, too.
    for line in (line for content in files for line in content.splitlines() if line.strip()):
        result = decoded(line)
        response = read(result, "response")
        is_success = read(response, "status_code") == 200
        body = read(response, "body")
        yield BatchResult(
            custom_id=read_text(result, "custom_id") or read_text(result, "id"),
            answer=body if is_success else None,
            error="" if is_success else error_text(read(result, "error") or body),
        )


def _checked(client: AnyClient) -> AnyClient:
    if not isinstance(client, (_sdk.OpenAI, _sdk.AsyncOpenAI)):
        raise InvalidUsage("client", client, "an OpenAI, AsyncOpenAI or AzureOpenAI client of the package openai")
    return client


def _spoken_to(client: OpenAI | AsyncOpenAI, provider: str, gateway: str) -> EventFields:
    """Provider and gateway: as they are said, else by the client's address; what is not known is left out."""
    host = client.base_url.host
    if isinstance(client, (_sdk.AzureOpenAI, _sdk.AsyncAzureOpenAI)) or host.endswith(".openai.azure.com"):
        provider = provider or "azure"
    if host.startswith("bedrock-") and host.endswith((".amazonaws.com", ".api.aws")):  # not whoever has a machine there
        provider = provider or "aws"
    for hosts, name in ((PROVIDERS, "provider"), (GATEWAYS, "gateway")):
        found = [value for known, value in hosts.items() if f".{host}".endswith(f".{known}")]
        if found and not provider and not gateway:
            return {"provider": found[0]} if name == "provider" else {"gateway": found[0]}
    fields: EventFields = {}
    if provider:
        fields["provider"] = provider
    if gateway:
        fields["gateway"] = gateway
    return fields
