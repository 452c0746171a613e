"""Requests that LiteLLM's proxy may pass on: their worst case is held until one of its attempts is booked."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from typing import Any
from uuid import uuid4

from costtrack.conf import settings
from costtrack.domain.tokens import MAX_TOKENS
from costtrack.extraction.fields import items, read, read_text
from costtrack.integrations.litellm.attribution import attribution_of, metadata_of
from costtrack.integrations.needed import needed
from costtrack.integrations.request_body import expected_of_body, fields_of, marks_cache
from costtrack.metering.admitting import admit, admit_async, list_is_fresh, nobody_holds
from costtrack.metering.call import Call
from costtrack.metering.database_thread import Work, run_async
from costtrack.metering.expected import Expected, token_count_or_none
from costtrack.metering.finish import nothing_to_record
from costtrack.metering.nested import within_the_block

litellm: Any = needed("litellm", install="pip install 'costtrack[litellm]'")

GATEWAY = "litellm"
TOKEN = "costtrack_request"
"""In a request's metadata, which LiteLLM hands on to each of its attempts: which of `_open` it is."""
MAX_OPEN = 20_000
ANSWERLESS = frozenset(("embeddings", "aembedding", "embedding", "moderation", "amoderation", "rerank", "arerank"))
"""Types of calls that no text answers."""

_open: dict[str, Admitted] = {}


class Admitted:
    """One request that the budgets have admitted."""

    def __init__(self, call: Call, token: str = "") -> None:
        """`call` has the hold, and is never booked itself: an attempt is. `token`: of a request to the proxy."""
        self.attribution = call.attribution
        self._call = call
        self._token = token

    def is_settled_by(self, attempt: Call) -> None:
        """Let the attempt's row end the hold. It is booked at the instant of admission, in the hold's period."""
        call = self._call
        if call.hold_id is not None:
            attempt.hold_id, attempt.hold_leases = call.hold_id, call.hold_leases
            attempt.occurred_at = call.occurred_at
            call.hold_id = None
        _open.pop(self._token, None)

    def failed(self) -> Work | None:
        """No attempt has succeeded: the work of giving back what is held, if anything is."""
        _open.pop(self._token, None)
        work = nothing_to_record(self._call)
        self._call.hold_id = None
        return work


async def admit_request(data: dict[str, Any], call_type: str) -> None:
    """Hold the worst case of a request to the proxy; raises CallRefused. `data` is as LiteLLM's hooks get it."""
    metadata = next(iter(metadata_of(data)), None)
    if isinstance(metadata, dict):
        metadata.pop(TOKEN, None)  # a client must not settle the hold of another one
    await list_is_fresh()
    if nobody_holds():
        return
    model, provider = await _dearest(read_text(data, "model"))
    fields = fields_of(data)
    fields |= {"model": model, "provider": provider, "gateway": GATEWAY}
    call = Call(fields, attribution_of(data))
    await admit_async(call, _expected(data, call_type, model=model, provider=provider))
    if isinstance(metadata, dict):
        token = metadata[TOKEN] = uuid4().hex
        if len(_open) >= MAX_OPEN:
            _open.pop(next(iter(_open)))  # its hold expires
        _open[token] = Admitted(call, token)
    elif (work := nothing_to_record(call)) is not None:
        work()


def admit_call(arguments: Mapping[str, Any], function: str) -> Admitted | None:
    """Hold the worst case of a call of the SDK's; raises CallRefused. `arguments` are those of LiteLLM's function."""
    if nobody_holds():
        return None
    call, expected = _asked(arguments, function)
    admit(call, expected)
    return Admitted(call)


async def admit_call_async(arguments: Mapping[str, Any], function: str) -> Admitted | None:
    """The same in a coroutine."""
    await list_is_fresh()
    if nobody_holds():
        return None
    call, expected = _asked(arguments, function)
    await admit_async(call, expected)
    return Admitted(call)


def admitted_of(source: Mapping[str, Any]) -> Admitted | None:
    """The request that a call's `litellm_params`, or a request's data, belong to."""
    for metadata in metadata_of(source):
        admitted = _open.get(read_text(metadata, TOKEN))
        if admitted is not None:
            return admitted
    return None


def _asked(arguments: Mapping[str, Any], function: str) -> tuple[Call, Expected]:
    model, provider = _split(read_text(arguments, "model"), read_text(arguments, "custom_llm_provider"))
    fields = fields_of(arguments)
    fields |= {"model": model, "provider": provider, "gateway": GATEWAY}
    call = Call(fields, within_the_block(attribution_of(arguments)))
    return call, _expected(arguments, function, model=model, provider=provider)


def _expected(data: Mapping[str, Any], call_type: str, *, model: str, provider: str) -> Expected:
    expected = expected_of_body(data, writes_cache=marks_cache(data))
    if call_type in ANSWERLESS:
        return expected._replace(max_output_tokens=0)
    if expected.max_output_tokens is None and settings.max_output_tokens is None:
        most = token_count_or_none(read(_info(model, provider), "max_output_tokens"))
        answers = data.get("n")
        if most is not None and type(answers) is int and answers > 1:
            most = min(most * answers, MAX_TOKENS)
        return expected._replace(max_output_tokens=most)
    return expected


def _info(model: str, provider: str) -> object:
    """What LiteLLM's map of models says of it."""
    try:
        return litellm.get_model_info(model=model, custom_llm_provider=provider or None)
    except Exception:  # a model that it does not know
        return None


async def _dearest(asked: str) -> tuple[str, str]:
    """Model and provider of the deployment, behind the name that the client asked for, that may cost most."""
    deployments = _deployments(asked) or [(asked, "")]
    if len(deployments) == 1:
        return deployments[0]
    return await run_async(lambda: max(deployments, key=_price)) or deployments[0]


def _price(deployment: tuple[str, str]) -> Decimal:
    """USD per million tokens in and out together. One that nobody knows counts most: nothing holds its worst case."""
    from costtrack.pricing.api import get_model_pricing  # which needs Django's apps

    model, provider = deployment
    pricing = get_model_pricing(model, provider=provider, gateway=GATEWAY)
    if pricing is None:
        return Decimal("Infinity")
    prices = pricing.prices
    return (prices.input_usd_per_million or Decimal(0)) + (prices.output_usd_per_million or Decimal(0))


def _deployments(asked: str) -> list[tuple[str, str]]:
    """(model, provider) of each deployment that the proxy has under that name."""
    try:
        proxy: Any = import_module("litellm.proxy.proxy_server")  # loaded long since, where a hook of the proxy runs
        found = list(items(proxy.llm_router.get_model_list(model_name=asked)))
    except Exception:  # a proxy without a router, a name that it does not know
        found = []
    named = [read_text(read(one, "litellm_params"), "model") for one in found]
    return [_split(model) for model in dict.fromkeys(named or [asked]) if model and "*" not in model]


def _split(model: str, provider: str = "") -> tuple[str, str]:
    try:
        name, provider, _, _ = litellm.get_llm_provider(model, custom_llm_provider=provider or None)
    except Exception:  # no provider that it knows
        return model, provider
    return str(name), str(provider or "")
