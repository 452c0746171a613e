"""A call that is about to be made, as budgets are asked about it: whose it is, and what it may use at most."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connections

from costtrack.budgets.asking import Ask
from costtrack.budgets.book import OrganizationBudgets
from costtrack.budgets.holds import HELD_AMOUNT
from costtrack.budgets.known import budgets_of
from costtrack.budgets.leases import waiting_little
from costtrack.conf import settings
from costtrack.domain.budget_rules import OWNERS, SUBJECT_FACTS, TEXT_SCOPE, BudgetRule, is_meant
from costtrack.domain.events import Attribution, ResourceType
from costtrack.domain.money import decimal_text
from costtrack.exceptions import InvalidUsage
from costtrack.metering.attribution import MAX_LENGTHS, NO_TAGS, GivenAttribution, Lazy
from costtrack.metering.cleaning import clean_text
from costtrack.metering.event_fields import clean_resource_type
from costtrack.metering.expected import Expected
from costtrack.metering.given_fields import TEXT_LENGTHS, EventFields
from costtrack.metering.ledger.counted import facts_of
from costtrack.metering.ledger.owners import find_owners, project_slug
from costtrack.metering.worst_case import WorstCase, worst_case
from costtrack.pricing.canonical import canonical_model
from costtrack.pricing.ratebook import current_ratebook

logger = logging.getLogger("costtrack")

ASKED_NAMES = tuple(name for name in ("organization", "project", "agent", *TEXT_SCOPE) if name in MAX_LENGTHS)
"""The attribution that budgets can be about. The rest is not looked up before the call: the user may cost a query."""
MAX_OWNERS = 20_000
"""How many project and agent ids a process remembers."""

_owners: dict[tuple[str, int, int, str, str], tuple[int | None, int | None]] = {}
"""By database, organization, its budgets' epoch, project and agent. Slugs never change."""


class AskedCall:
    """What one call asks for. Its attribution is worked out by `resolve`, in the caller's context."""

    def __init__(
        self,
        fields: EventFields,
        given: GivenAttribution,
        expected: Expected,
        *,
        at: datetime,
        hold_id: UUID | None = None,
        ttl: timedelta | None = None,
    ) -> None:
        """`at` is the instant that the call will be booked at. Without a `hold_id` it gets one of its own."""
        self.at = at.astimezone(UTC)
        self.hold_id = hold_id or uuid4()
        self._is_own_id = hold_id is not None
        self._fields = fields
        self._given = given
        self._expected = expected
        self._ttl = ttl or timedelta(seconds=settings.hold_ttl_seconds)
        self._attribution = Attribution()
        self._facts: Mapping[str, object] | None = None
        self._worst: WorstCase | None = None

    @property
    def has_lazy(self) -> bool:
        """Whether `resolve` runs the host's code, which may ask the database."""
        return self._facts is None and any(isinstance(self._given.texts.get(name), Lazy) for name in ASKED_NAMES)

    @property
    def organization(self) -> str:
        """The slug."""
        return self._attribution.organization or settings.default_organization

    def resolve(self) -> None:
        """Work out the attribution; a lazy field that fails is left out, as it is after the call."""
        if self._facts is not None:
            return
        texts: dict[str, Any] = {}
        for name in ASKED_NAMES:
            text = self._given.texts.get(name, "")
            if isinstance(text, Lazy):
                try:
                    text = clean_text(name, text.value(), MAX_LENGTHS[name])
                except Exception as error:  # the host's own code; which budgets hold is a question of the rest then
                    logger.warning("%s of a call is not known to its budgets: %s", name, type(error).__name__)
                    continue
            if text:
                texts[name] = text
        self._attribution = Attribution(**texts)
        ref = canonical_model(*(_clean(name, self._fields.get(name)) for name in ("model", "provider", "gateway")))
        self._facts = {
            **{name: getattr(self._attribution, name) for name in TEXT_SCOPE if name in ASKED_NAMES},
            "model": ref.model,
            "provider": ref.provider,
            "resource_type": clean_resource_type(self._fields.get("resource_type", ResourceType.LLM_TOKENS)),
        }

    def rules(self) -> list[BudgetRule]:
        """The budgets that may have to be asked; no query, but inline. Raises the database's errors there."""
        budgets = budgets_of(self.organization)
        return [] if budgets is None else self._rules_of(budgets)

    def ask(self, budgets: OrganizationBudgets) -> Ask:
        """The question to these budgets; costs a query where a project or agent is met first, or rates may be new."""
        project_id, agent_id = None, None
        if any(_is_about_owners(rule) for rule in self._rules_of(budgets)):
            project_id, agent_id = self._owner_ids(budgets)
        if self._worst is None:
            self._worst = worst_case(
                self._fields,
                self._expected,
                GivenAttribution({name: getattr(self._attribution, name) for name in ASKED_NAMES}, NO_TAGS),
                at=self.at,
                organization_id=budgets.organization_id,
                book=current_ratebook(using=settings.database),
            )
        event, priced, quantities, unknown_because = self._worst
        facts = facts_of(event, project_id=project_id, agent_id=agent_id, priced=priced)
        shown = {**facts, "project": self._attribution.project, "agent": self._attribution.agent}
        if event.resource_type != ResourceType.LLM_TOKENS and quantities.amount is not None:
            shown[HELD_AMOUNT] = decimal_text(quantities.amount)
        return Ask(
            hold_id=self.hold_id,
            facts=facts,
            worst=quantities,
            at=self.at,
            ttl=self._ttl,
            about={name: str(value) for name, value in shown.items() if value and name not in OWNERS},
            unknown_because=unknown_because,
            may_be_known=self._is_own_id,
        )

    def _rules_of(self, budgets: OrganizationBudgets) -> list[BudgetRule]:
        return [rule for rule in budgets.holding if self._may_match(rule)]

    def _may_match(self, rule: BudgetRule) -> bool:
        """Whether a budget may be about this call, as far as that is known without a query."""
        facts = self._facts or {}
        for name, value in rule.scope:
            if name in OWNERS:
                slug, known = self._slugs(rule)[name]
                if not slug or known not in ("", slug):
                    return False
            elif name in ("model", "provider") and not facts[name]:
                continue  # the rate may tell, or the answer
            elif not is_meant(name, value, facts[name]):
                return False
        return all(self._slugs(rule)[name][0] if name in OWNERS else facts[name] for name in SUBJECT_FACTS[rule.per])

    def _slugs(self, rule: BudgetRule) -> dict[str, tuple[str, str]]:
        """Of each owner: the call's own, and the budget's, "" if that is not known."""
        return {
            "project_id": (project_slug(self._attribution), rule.project_slug),
            "agent_id": (self._attribution.agent, rule.agent_slug),
        }

    def _owner_ids(self, budgets: OrganizationBudgets) -> tuple[int | None, int | None]:
        """The call's project and agent, which appear on first use: one made just now is held by its parents, too."""
        project, agent = project_slug(self._attribution), self._attribution.agent
        key = (settings.database, budgets.organization_id, budgets.epoch, project, agent)
        found = _owners.get(key)
        if found is None:
            with waiting_little(settings.database):
                owners = find_owners([self._attribution], using=settings.database)
            project_id = owners.projects.get((budgets.organization_id, project)) if project else None
            agent_id = owners.agents.get((project_id, agent)) if agent and project_id is not None else None
            found = project_id, agent_id
            is_whole = bool(project_id) == bool(project) and bool(agent_id) == bool(agent)
            if is_whole and not connections[settings.database].in_atomic_block:  # else it may be rolled back
                if len(_owners) >= MAX_OWNERS:
                    _owners.clear()
                _owners[key] = found
        return found


def _is_about_owners(rule: BudgetRule) -> bool:
    return any(name in OWNERS for name, _ in rule.scope) or any(name in OWNERS for name in SUBJECT_FACTS[rule.per])


def _clean(name: str, value: object) -> str:
    try:
        return clean_text(name, value, TEXT_LENGTHS[name])
    except InvalidUsage:  # it is left out of the event, too
        return ""


def forget_owners(timeout_seconds: float = 0.0) -> None:
    """Forget the ids of projects and agents; takes no time."""
    _owners.clear()
