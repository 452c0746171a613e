"""Model ids as people write them, taken apart: who is asked for the price, under which names. Pure text work.

`canonical_model` never looks at a rate. It says which (provider, model) pairs may price a call, in order; the rate
book takes the first that it knows. What is not certain is left out: no match is unpriced, a wrong match is a bill.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from costtrack.domain.events import ServiceTier
from costtrack.pricing.providers import (
    MAKERS,
    OPENROUTER,
    OPENROUTER_VENDORS,
    PASSES_PRICES_OF,
    canonical_provider,
    known_gateway,
    known_provider,
    rate_provider,
)

Candidate = tuple[str, str]
"""(provider, model id) that may have the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """A model id taken apart."""

    provider: str
    """Who makes or hosts the model; "" where the id does not say."""
    gateway: str
    """Through whom it was called, "" if directly."""
    model: str
    """The id in lower case without provider and gateway; dates, versions and Bedrock's region stay."""
    candidates: tuple[Candidate, ...]
    """Who may price it, in the order to ask."""


_TIER_OF = {
    **dict.fromkeys(
        ("", "auto", "default", "none", "on_demand", "standard", "standard_only"), ServiceTier.STANDARD.value
    ),
    **dict.fromkeys(("batches", "batch_api"), ServiceTier.BATCH.value),
    "on_demand_flex": ServiceTier.FLEX.value,
    "on_demand_priority": ServiceTier.PRIORITY.value,
}


def canonical_tier(service_tier: str) -> str:
    """The service tier in lower case; `auto`, `default`, `on_demand` and the like are `standard`, `batches` `batch`."""
    folded = service_tier.strip().lower()
    return _TIER_OF.get(folded.replace("-", "_"), folded)


@lru_cache(maxsize=8192)
def canonical_model(model: str, provider: str = "", gateway: str = "") -> ModelRef:
    """`model` taken apart, given what the caller says of its provider and gateway ("" = nothing).

    Without a provider the id's own prefix says it (`bedrock/`, `openai/`, `models/` ...); without that either, the
    first-party makers are asked, in the order of MAKERS. A vendor prefix that nobody knows has no candidates.
    """
    text = model.strip().lower()
    via = known_gateway(gateway) or gateway.strip().lower()
    host = canonical_provider(provider)
    if known_provider(via) in PASSES_PRICES_OF:
        host, via = canonical_provider(via), ""
    if by_provider := known_gateway(host):
        host, via = "", via or by_provider
    while (head := text.partition("/")[0]) != text and (by_prefix := known_gateway(head.removeprefix("@"))):
        text, via = text[len(head) + 1 :], by_prefix  # of two gateways the one next to the maker sets the price
    if via:
        return _behind_gateway(text, provider=host, gateway=via)
    return _direct(text, provider=host)


def rate_names(provider: str, model: str) -> Candidate:
    """Provider and model of a rate as they are stored, however people write them; the id may name the provider."""
    provider, model = rate_provider(provider), model.strip().lower()
    ref = canonical_model(model)
    return (provider, model) if provider or not (ref.provider and ref.candidates) else ref.candidates[0]


def _behind_gateway(text: str, *, provider: str, gateway: str) -> ModelRef:
    """The gateway's own list first, then the maker named by the id, unless a `:suffix` makes it another offer.

    An id with a vendor of its own behind the provider (`groq/openai/gpt-oss-120b`) stays whole: read again with the
    provider and without its prefix, as repricing does, it would be the vendor's.
    """
    text = text.lstrip("@")
    inner = _direct(text, provider=_maker_behind(text, provider=provider, gateway=gateway))
    own = [text]
    if gateway == OPENROUTER and inner.provider and "/" not in inner.model:
        vendors = (OPENROUTER_VENDORS.get(inner.provider, inner.provider), inner.provider)
        own = [*(f"{vendor}/{inner.model}" for vendor in vendors), text, inner.model]
    is_passed_on = not _is_other_offer(inner)
    if gateway == OPENROUTER:
        is_passed_on = is_passed_on and inner.provider in MAKERS
    return ModelRef(
        provider=inner.provider,
        gateway=gateway,
        model=text if "/" in inner.model else inner.model,
        candidates=tuple(
            dict.fromkeys([(gateway, name) for name in own] + list(inner.candidates if is_passed_on else ()))
        ),
    )


_OFFER_SUFFIX = re.compile(r":[a-z][a-z0-9-]*$")


def _is_other_offer(inner: ModelRef) -> bool:
    """`:free`, `:nitro`, `:extended` ... end it: another offer of the model, at another price.

    Ollama's tags, Bedrock's revisions and the names of fine-tuned models are none.
    """
    if inner.provider in ("aws", "ollama") or inner.model.startswith("ft:"):
        return False
    return bool(_OFFER_SUFFIX.search(inner.model))


def _maker_behind(text: str, *, provider: str, gateway: str) -> str:
    """The provider to read `text` with: the vendor in the id of a gateway says more than the caller."""
    head = text.partition("/")[0]
    if "/" in text and (known_provider(head) or gateway == OPENROUTER):
        return ""
    return provider


_BEDROCK_ID = re.compile(
    r"(?P<region>(?:global|apac|us-gov|[a-z]{2})\.)?"
    r"(?P<vendor>ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia"
    r"|openai|qwen|stability|twelvelabs|writer|zai)\.(?P<name>[a-z].*)"
)


def names_a_region(model: str) -> bool:
    """Whether it is the id of one region of Bedrock: `us.anthropic.claude-sonnet-4-5`."""
    parts = _BEDROCK_ID.fullmatch(model)
    return parts is not None and parts["region"] is not None


_GOOGLE_PATH = re.compile(
    r"(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/(?P<publisher>[^/]+)/)?models/(?P<name>[^/]+)"
)


def _direct(text: str, *, provider: str) -> ModelRef:
    written, named = text, _split_provider(text)
    while (not provider or named[0] == provider) and named != (provider, text):
        provider, text = named
        named = _split_provider(text)
    if not provider:
        makers = () if "/" in text else MAKERS
        return ModelRef(provider="", gateway="", model=text, candidates=tuple((maker, text) for maker in makers))
    names = _NAMES_AT.get(provider, _plain)(text)
    candidates = [(provider, name) for name in (*names, written)] + _passed_on(provider, names)
    model = _inside_bedrock(text) if provider == "aws" else names[0]
    return ModelRef(provider=provider, gateway="", model=model, candidates=tuple(dict.fromkeys(candidates)))


def _split_provider(text: str) -> tuple[str, str]:
    """The provider that an id names by its form or prefix, and the rest; ("", text) where it names none."""
    if text.startswith("arn:") or _BEDROCK_ID.fullmatch(text):
        return "aws", text
    if _GOOGLE_PATH.fullmatch(text):
        return "google", text
    if text.startswith("ft:") or ".ft-" in text:
        return ("openai", text) if "/" not in text else ("", text)
    if text.startswith("accounts/fireworks/"):
        return "fireworks", text
    head, slash, rest = text.partition("/")
    if slash and rest:
        if head == "huggingface" and "/" in rest:
            host, _, rest = rest.partition("/")
            return f"huggingface_{host}", rest
        return (provider, rest) if (provider := known_provider(head)) else ("", text)
    head, colon, rest = text.partition(":")
    if colon and rest and (provider := known_provider(head)):
        return provider, rest
    return "", text


def _plain(text: str) -> list[str]:
    if text.startswith("ft:"):
        return [text, ":".join(text.split(":")[:2])]
    base, tuned, _ = text.partition(".ft-")
    return [text, f"ft:{base}"] if tuned else [text]


_BEDROCK_ROUTE = re.compile(r"(?:converse|converse_like|invoke|[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d)/")
_BEDROCK_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[^:]*:[^:]*:(?P<kind>[a-z-]+)/(?P<name>.+)")


def _inside_bedrock(text: str) -> str:
    """The model id within LiteLLM's routes and within an ARN of a foundation model or an inference profile."""
    while route := _BEDROCK_ROUTE.match(text):
        text = text[route.end() :]
    arn = _BEDROCK_ARN.fullmatch(text)
    if arn and arn["kind"] in ("foundation-model", "inference-profile"):
        return arn["name"]
    return text


def _bedrock(text: str) -> list[str]:
    """The regional id first; without a regional rate the model's own holds."""
    inner = _inside_bedrock(text)
    names = [text, inner]
    if parts := _BEDROCK_ID.fullmatch(inner):
        names += [f"{parts['vendor']}.{parts['name']}", parts["name"]]
    return list(dict.fromkeys(names))


def _vertex(text: str) -> list[str]:
    if path := _GOOGLE_PATH.fullmatch(text):
        publisher = path["publisher"] or "google"
        return [path["name"]] if publisher in ("google", "anthropic") else [f"{publisher}/{path['name']}"]
    return [text.removeprefix("google/").removeprefix("anthropic/")]


def _azure(text: str) -> list[str]:
    """Global deployments cost the list price; `eu/` and `us/` data zones do not, so their prefix stays."""
    return _plain(text.removeprefix("global-standard/").removeprefix("global/"))


def _fireworks(text: str) -> list[str]:
    return list(dict.fromkeys([text, text.removeprefix("accounts/fireworks/models/")]))


_NAMES_AT = {"aws": _bedrock, "google": _vertex, "azure": _azure, "fireworks": _fireworks}


def _passed_on(provider: str, names: list[str]) -> list[Candidate]:
    """The makers whose list price the provider bills, with the id as the maker spells it."""
    makers = PASSES_PRICES_OF.get(provider, ())
    if provider == "aws":
        inner = _inside_bedrock(names[0])
        parts = _BEDROCK_ID.fullmatch(inner)
        is_claude = parts["vendor"] == "anthropic" if parts else inner.startswith("claude-")
        return [("anthropic", parts["name"] if parts else inner)] if is_claude else []
    if provider == "google":
        return [("anthropic", names[0])] if names[0].startswith("claude-") else []
    return [(maker, name) for maker in makers for name in names if "/" not in name]
