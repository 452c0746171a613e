"""Ledger rows as budgets see them."""

from __future__ import annotations

from uuid import UUID

from costtrack.budgets.spending import CountedUsage
from costtrack.domain.budget_rules import SCOPE, TEXT_SCOPE, Facts, Quantities
from costtrack.domain.events import Attribution, UsageEvent
from costtrack.metering.ledger.rows import StagedUsage
from costtrack.models import ResourceUsage
from costtrack.pricing.price import Priced

_ATTRIBUTION_FACTS = tuple(name for name in TEXT_SCOPE if name in Attribution.__dataclass_fields__)


def facts_of(event: UsageEvent, *, project_id: int | None, agent_id: int | None, priced: Priced) -> Facts:
    """What budgets can be about, of a usage or of a call that is still to be made."""
    said = event.attribution
    facts: dict[str, object] = {name: getattr(said, name) for name in _ATTRIBUTION_FACTS}
    facts["project_id"] = project_id
    facts["agent_id"] = agent_id
    facts["provider"] = priced.provider
    facts["model"] = priced.model
    facts["resource_type"] = event.resource_type
    return facts


def counted_usage(staged: StagedUsage) -> CountedUsage:
    """A usage that is about to be booked."""
    event, owner = staged.event, staged.owner
    return CountedUsage(
        organization_id=owner.organization_id,
        occurred_at=event.occurred_at,
        facts=facts_of(event, project_id=owner.project_id, agent_id=owner.agent_id, priced=staged.priced),
        quantities=quantities_of(event, staged.priced),
        hold_id=hold_id_of(event),
    )


def quantities_of(event: UsageEvent, priced: Priced) -> Quantities:
    """How much it takes of each metric."""
    return Quantities(cost_usd=priced.cost_usd, tokens=event.tokens.total_tokens, calls=1, amount=event.amount)


def counted_correction(row: ResourceUsage) -> CountedUsage:
    """A void or an adjustment; its period is its original's, for it has its time."""
    return CountedUsage(
        organization_id=row.organization_id,
        occurred_at=row.occurred_at,
        facts={name: getattr(row, name) for name in SCOPE},
        quantities=Quantities(
            cost_usd=row.cost_usd, tokens=row.input_tokens + row.output_tokens, calls=row.calls, amount=row.amount
        ),
    )


def hold_id_of(event: UsageEvent) -> UUID | None:
    """The reservation that the event settles."""
    return UUID(event.hold_id) if event.hold_id else None
