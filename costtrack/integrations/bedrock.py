"""Amazon Bedrock: `instrument(client)` meters a boto3 `bedrock-runtime` client through botocore's own events.

Converse, ConverseStream, InvokeModel and InvokeModelWithResponseStream. Needs the package `boto3`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from costtrack.exceptions import InvalidUsage
from costtrack.extraction.fields import as_text
from costtrack.integrations.bedrock_request import expected_of_params, fields_of_params
from costtrack.integrations.charging import tell_spans
from costtrack.integrations.needed import needed
from costtrack.integrations.watched_body import decoded
from costtrack.metering.attribution import CallerFields, GivenAttribution, given_attribution
from costtrack.metering.call import Call
from costtrack.metering.ending import StreamEnd
from costtrack.metering.nested import within_the_block
from costtrack.metering.tracked import TrackedCall

if TYPE_CHECKING:
    from costtrack.metering.database_thread import Work

_client = needed("botocore.client", install="pip install boto3")
_exceptions = needed("botocore.exceptions", install="pip install boto3")
_response = needed("botocore.response", install="pip install boto3")

Client = TypeVar("Client")

SERVICE = "bedrock-runtime"
OPERATIONS = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")
_ID = "costtrack"
_PARAMS, _SENT = "costtrack_params", "costtrack_sent"


def instrument(
    client: Client, *, models: Mapping[str, str] | None = None, **attribution: Unpack[CallerFields]
) -> Client:
    """The same client; from now on each of its calls is metered, and refused before it is sent if a budget says so.

    The id that a call names is what prices it: `us.`, `eu.` and `global.` inference profiles have their own prices, and
    so their ids, or their ARNs, stay as they are. `models` says which model stands behind an id that does not tell,
    such as the ARN of an application inference profile; without it such a call is unpriced.
    The other keyword arguments are those of `attribute`, which win over what is in force where a call is made.

    Budgets hold `maxTokens` of output (for InvokeModel what the maker's format calls it), and the request's text as
    input. The body of InvokeModel is read before the call returns, and can be read by the caller as ever. To instrument
    twice meters once, as is said last. Raises InvalidUsage for what is no bedrock-runtime client.
    """
    uninstrument(client)
    meter = _Meter(given_attribution(dict(attribution), caller="instrument()"), dict(models or {}))
    for name, handler, is_last in meter.handlers():
        events: Any = client.meta.events  # type: ignore[attr-defined]
        for operation in OPERATIONS:
            register = events.register_last if is_last else events.register
            register(f"{name}.{SERVICE}.{operation}", handler, unique_id=f"{_ID}-{name}-{operation}")
    return client


def uninstrument(client: Client) -> Client:
    """The same client, not metered any more. Streams that are still open are metered to their end."""
    if not isinstance(client, _client.BaseClient) or client.meta.service_model.service_name != SERVICE:
        raise InvalidUsage("client", client, f"a boto3 client of {SERVICE!r}")
    for name in ("before-parameter-build", "before-call", "after-call", "after-call-error"):
        for operation in OPERATIONS:
            client.meta.events.unregister(f"{name}.{SERVICE}.{operation}", unique_id=f"{_ID}-{name}-{operation}")
    return client


@dataclass(eq=False)
class _Sent:
    """A call that is on its way."""

    call: Call
    tracked: TrackedCall
    is_handed_on: bool = False
    """Its stream tells its end."""

    def ended(self, error: BaseException | None) -> Work | None:
        return None if self.is_handed_on else self.tracked.end(error)


class _Meter:
    """The handlers of botocore's events of one client."""

    def __init__(self, given: GivenAttribution, models: Mapping[str, str]) -> None:
        self._given = given
        self._models = models

    def handlers(self) -> tuple[tuple[str, Callable[..., None], bool], ...]:
        """Event, handler, and whether it comes after all others: what is admitted is sent."""
        return (
            ("before-parameter-build", self.keep_params, True),
            ("before-call", self.admit, True),
            ("after-call", self.finish, False),
            ("after-call-error", self.fail, False),
        )

    def keep_params(self, *, params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_PARAMS] = params

    def admit(self, *, model: Any, context: dict[str, Any], **_: Any) -> None:
        params = context.pop(_PARAMS, {})
        fields = fields_of_params(params, self._models)
        call = Call(fields, within_the_block(self._given))
        tracked = TrackedCall(call, expected_of_params(params, operation=model.name))
        tracked.running()
        tell_spans(str(fields.get("model", "")), as_text(params.get("modelId")))
        sent = _Sent(call, tracked)
        # If neither of the events below comes, because the thread is interrupted, the end of the context tells.
        context[_SENT] = sent, StreamEnd(partial(_Sent.ended, sent))

    def fail(self, *, exception: BaseException, context: dict[str, Any], **_: Any) -> None:
        sent = context.pop(_SENT, None)
        if sent is not None:
            sent[1].tell(exception)

    def finish(
        self, *, http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        found = context.pop(_SENT, None)
        if found is None:
            return
        sent, end = found
        if http_response.status_code >= 300:
            end.tell(_exceptions.ClientError(parsed, model.name))
        elif model.name == "InvokeModel":
            try:
                data = parsed["body"].read()
            except BaseException as error:
                end.tell(error)
                raise
            parsed["body"] = _response.StreamingBody(BytesIO(data), len(data))
            sent.call.observe({"ResponseMetadata": parsed.get("ResponseMetadata"), "body": decoded(data)})
            end.tell(None)
        else:
            taken, is_over = sent.tracked.take(parsed)
            if is_over:
                end.tell(None)
            else:
                sent.is_handed_on = True
                parsed.update(taken)
