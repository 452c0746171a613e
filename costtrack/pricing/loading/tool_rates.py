"""Rates of tools that a call of the tool does not find: `record_api_call` names a provider and no model."""

from __future__ import annotations

from collections.abc import Sequence

from costtrack.domain.events import ResourceType
from costtrack.pricing.loading.drafts import DraftRate
from costtrack.pricing.shelves import ANY_MODEL


def tools_with_a_model(drafts: Sequence[DraftRate]) -> list[str]:
    """One line for each rate per API call of a certain model, unless its provider has one for any model as well."""
    calls = [draft.rate for draft in drafts if draft.rate.resource_type == ResourceType.API_CALL]
    found = {rate.provider for rate in calls if rate.model == ANY_MODEL}
    lines: dict[str, None] = {}
    for rate in calls:
        if rate.model != ANY_MODEL and rate.provider not in found and not rate.is_withdrawn:
            tool = rate.provider or rate.model
            name = f"{rate.provider}/{rate.model}" if rate.provider else rate.model
            lines[
                f'{name} (api_call) is not found by record_api_call("{tool}"), which gives no model: '
                f'name the model "*" and the provider {tool}'
            ] = None
    return list(lines)
