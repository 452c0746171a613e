"""Which model is the next smaller one of its family: by its name, because price data says nothing of abilities.

A family is the same maker and the same id but for the words of size and for dates: gpt-5, gpt-5-mini and gpt-5-nano;
claude-opus-4-5, claude-sonnet-4-5 and claude-haiku-4-5. Another version is another family.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from costtrack.domain.events import ResourceType, ServiceTier
from costtrack.pricing.model_names import version_of
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.providers import rate_provider

SIZES = {
    **dict.fromkeys(("nano", "micro", "tiny"), 1),
    **dict.fromkeys(("mini", "small", "lite", "haiku"), 2),
    **dict.fromkeys(("medium", "flash", "sonnet"), 3),
    **dict.fromkeys(("large", "pro", "plus", "opus"), 4),
    **dict.fromkeys(("max", "ultra", "premier", "heavy"), 5),
}
"""What makers call their sizes; a model without such a word has the medium one. Of two words the smaller one counts."""
MEDIUM = 3
_WORD = re.compile(r"[^-./:@_ ]+")


@lru_cache(maxsize=10_000)
def family_of(model: str) -> tuple[tuple[str, ...], int]:
    """What the models of a family share, and the model's size among them."""
    version = version_of(model)
    words = _WORD.findall(model[: len(model) - len(version)] if version else model)
    sizes = [SIZES[word] for word in words if word in SIZES]
    return tuple(word for word in words if word not in SIZES), min(sizes, default=MEDIUM)


def next_smaller(
    rate: PricedRate, rates: Iterable[PricedRate], *, organization_id: int, at: datetime
) -> PricedRate | None:
    """The rate of the next smaller model of the family that has prices at `at`; of several the cheapest, then by id.

    The caller has to see whether it is cheaper.
    """
    family, size = family_of(rate.model)
    found = [
        (-other_size, other.prices.input_usd_per_million, other.model, other)
        for other in rates
        # Families first: few rates are of the same one, and they are looked up in no time.
        if (found_family := family_of(other.model))[0] == family
        and (other_size := found_family[1]) < size
        and _is_of_same_maker(other, rate, organization_id=organization_id)
        and other.effective_from <= at
        and other.prices.input_usd_per_million is not None
        and other.prices.output_usd_per_million is not None
    ]
    return min(found, key=lambda one: one[:3])[3] if found else None


def _is_of_same_maker(other: PricedRate, rate: PricedRate, *, organization_id: int) -> bool:
    return (
        rate_provider(other.provider) == rate_provider(rate.provider)
        and other.resource_type == ResourceType.LLM_TOKENS
        and other.service_tier == ServiceTier.STANDARD
        and other.organization_id in (None, organization_id)
    )
