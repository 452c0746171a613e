"""Which known models an id may mean: all rates by owner, resource type, provider and name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from costtrack.domain.events import ResourceType, ServiceTier
from costtrack.pricing.canonical import Candidate, ModelRef, canonical_tier, names_a_region
from costtrack.pricing.model_names import is_of_one_version, match_name, version_of
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.providers import rate_provider
from costtrack.pricing.series import RateSeries

ANY_MODEL = "*"
ANY_PROVIDER = ""


class KnownModel(NamedTuple):
    """A model of one owner and provider."""

    names: tuple[str, ...]
    """Its id, then its aliases."""
    tiers: dict[str, RateSeries]
    """Its rates by service tier."""

    @property
    def is_ended(self) -> bool:
        """It is withdrawn at last."""
        standard = self.tiers.get(ServiceTier.STANDARD)
        return standard is not None and standard.is_ended


_Names = dict[str, list[KnownModel]]
"""What a name means: the model of that id, then those that have it as an alias (as after a renaming)."""
_Shelf = tuple[int | None, str, str]
"""(organization or None, resource type, provider)."""


class Shelves:
    """The models of all rates. Immutable."""

    def __init__(self, rates: Iterable[PricedRate]) -> None:
        """Index `rates`."""
        self._names = _index(rates)
        self._owners = {owner for owner, _, _ in self._names}

    def models(self, owner: int | None, resource_type: str, ref: ModelRef) -> Iterator[tuple[KnownModel, bool]]:
        """The models of one owner that `ref` may mean, surest first; True for the last one of a name.

        A rate with a provider is more specific than one that holds whoever hosts the model. An organization's own
        rate holds as well for the other names under which the global rates know its model.
        """
        if owner not in self._owners:
            return
        asked = [*ref.candidates, *(self._other_names(resource_type, ref) if owner is not None else ())]
        anywhere = dict.fromkeys([ref.model, *(name for _, name in asked)])
        seen: set[int] = set()
        for provider, name in dict.fromkeys([*asked, *((ANY_PROVIDER, name) for name in anywhere)]):
            if names := self._names.get((owner, resource_type, provider)):
                found = match_name(name, names) or []
                for index, model in enumerate(found, start=1):
                    if id(model.tiers) not in seen:
                        seen.add(id(model.tiers))
                        yield model, index == len(found)
        for provider in dict.fromkeys([ref.provider, ref.gateway]):
            if provider or resource_type != ResourceType.LLM_TOKENS:
                for model in self._names.get((owner, resource_type, provider), {}).get(ANY_MODEL, []):
                    yield model, True

    def _other_names(self, resource_type: str, ref: ModelRef) -> Iterator[Candidate]:
        """The names that the global rates have for the model of each candidate, with the id's own date and version.

        Left out are names of one version, which say nothing of another one, and of one region of Bedrock, where the
        price may be its own.
        """
        for provider, name in ref.candidates:
            found = match_name(name, self._names.get((None, resource_type, provider), {})) or []
            model = next((model for model in found if not model.is_ended), None)
            if model is not None:
                version = version_of(name)
                for other in model.names:
                    if not is_of_one_version(other) and not names_a_region(other):
                        yield provider, other + version


def _index(rates: Iterable[PricedRate]) -> dict[_Shelf, _Names]:
    """Names to models: a model's own id, then aliases, then ids without their provider's prefix."""
    grouped: dict[tuple[_Shelf, str], dict[str, list[PricedRate]]] = {}
    for rate in rates:
        shelf = (rate.organization_id, rate.resource_type, rate_provider(rate.provider))
        of_model = grouped.setdefault((shelf, rate.model.strip().lower()), {})
        of_model.setdefault(canonical_tier(rate.service_tier), []).append(rate)
    shelves: dict[_Shelf, _Names] = {}
    by_alias: list[tuple[_Names, str, KnownModel]] = []
    by_rest: list[tuple[_Names, str, KnownModel]] = []
    for (shelf, name), tiers in grouped.items():
        names = shelves.setdefault(shelf, {})
        aliases = dict.fromkeys(
            alias.strip().lower() for own in tiers.values() for rate in own for alias in rate.aliases
        )
        aliases.pop(name, None)
        model = KnownModel((name, *aliases), {tier: RateSeries(own) for tier, own in tiers.items()})
        names[name] = [model]
        by_alias += [(names, alias, model) for alias in aliases]
        head, _, rest = name.partition("/")
        if rest and rate_provider(head) == shelf[2]:
            by_rest.append((names, rest, model))
    for names, alias, model in by_alias:
        names.setdefault(alias, []).append(model)
    for names, rest, model in by_rest:
        names.setdefault(rest, [model])
    return shelves
