"""BudgetRule: what a budget says, as a plain value, and which usage it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Context, Decimal
from enum import StrEnum

from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.model_versions import is_model
from costtrack.domain.money import round_cost

TEXT_SCOPE = (
    "sprint",
    "workflow",
    "run",
    "thread_id",
    "entity_type",
    "entity_id",
    "endpoint",
    "customer",
    "provider",
    "model",
    "resource_type",
)
"""The texts of usage that a budget can be about, beside its owners."""
OWNERS = ("project_id", "agent_id")
SCOPE = (*OWNERS, *TEXT_SCOPE)
"""Everything that narrows a budget down within its organization."""
SEPARATOR = "\x1f"
"""Between the two texts of an entity's subject: a control character, which cleaned texts never hold."""

_RAISING = Context(prec=60)

Facts = Mapping[str, object]
"""What is known of a usage: the names of SCOPE; an owner that it has not is None, a text ""."""


class BudgetMetric(StrEnum):
    """What a budget counts."""

    COST_USD = "cost_usd"
    TOKENS = "tokens"
    """Input plus output."""
    CALLS = "calls"
    AMOUNT = "amount"
    """Units of its resource type."""


WHOLE_METRICS = (BudgetMetric.TOKENS, BudgetMetric.CALLS)
"""Of these there is no half, nor a limit of one and a half."""


class Enforcement(StrEnum):
    """What a budget does at its limit."""

    HARD = "hard"
    """A call that could pass the limit is refused."""
    SOFT = "soft"
    """Nothing is refused; alerts tell."""
    SHADOW = "shadow"
    """Logs what hard would have refused."""


class Per(StrEnum):
    """Whether a budget has one counter for its whole scope, or one for each of something in it."""

    WHOLE = ""
    THREAD = "thread"
    AGENT = "agent"
    PROJECT = "project"
    ENTITY = "entity"
    CUSTOMER = "customer"


class Unpriced(StrEnum):
    """Whether a budget of dollars admits a call whose worst case has no known price."""

    DENY = "deny"
    ADMIT = "admit"
    """With nothing held; the hold is flagged."""


class Expiry(StrEnum):
    """What becomes of a hold that nobody settled in time."""

    RELEASE = "release"
    CHARGE = "charge"
    """It stays taken until its call is recorded after all, or its period ends."""


class Unavailable(StrEnum):
    """Whether calls are admitted while no backend can answer."""

    DENY = "deny"
    ALLOW = "allow"


SUBJECT_FACTS: dict[Per, tuple[str, ...]] = {
    Per.WHOLE: (),
    Per.THREAD: ("thread_id",),
    Per.AGENT: ("agent_id",),
    Per.PROJECT: ("project_id",),
    Per.ENTITY: ("entity_type", "entity_id"),
    Per.CUSTOMER: ("customer",),
}
"""The facts that tell one subject of a budget from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """What a usage takes of each metric; for a call that is still to be made, at most."""

    cost_usd: Decimal | None
    """None: no price is known."""
    tokens: int | None = 0
    """None: there is no telling."""
    calls: int = 1
    amount: Decimal | None = Decimal(0)
    """None: there is no telling."""

    def of(self, metric: BudgetMetric) -> Decimal | None:
        """How much of that metric; None = not known."""
        value: Decimal | int | None = getattr(self, metric)
        return value if value is None or isinstance(value, Decimal) else Decimal(value)


def is_meant(name: str, wanted: object, fact: object) -> bool:
    """Whether a usage with that fact is within a scope that wants another, of the same name.

    A model is meant by its id with a date or version, too: providers answer `gpt-4o` as `gpt-4o-2024-08-06`.
    """
    return fact == wanted or (name == "model" and is_model(str(fact), str(wanted)))


def raised_limit(limit: Decimal, percent: Decimal, *, metric: BudgetMetric) -> Decimal:
    """The limit, so many percent higher: at 12 decimals, of tokens and calls the next whole number from there."""
    raised = _RAISING.divide(_RAISING.multiply(limit, 100 + percent), Decimal(100))
    return raised.to_integral_value(ROUND_CEILING) if metric in WHOLE_METRICS else round_cost(raised)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRule:
    """One active budget."""

    id: int
    organization_id: int
    name: str
    scope: tuple[tuple[str, object], ...]
    """Names of SCOPE with the value that usage must have; none = the whole organization."""
    metric: BudgetMetric
    limit: Decimal | None
    """None: unlimited. As of the organization's epoch: a reservation that names it is refused if it has changed."""
    period: BudgetPeriod
    enforcement: Enforcement
    per: Per = Per.WHOLE
    on_unpriced: Unpriced = Unpriced.DENY
    on_expiry: Expiry = Expiry.RELEASE
    on_unavailable: Unavailable = Unavailable.DENY
    project_slug: str = ""
    """Of the project in its scope, if known: tells without a query that a call of another one is not meant."""
    agent_slug: str = ""
    """Likewise."""
    lock_rank: int = field(init=False)
    """The place in the one order in which counters are locked: the narrowest scope first, the organization last."""
    refuses_unknown: bool = field(init=False)
    """Whether a call is refused of which nobody knows what it takes of this budget."""

    def __post_init__(self) -> None:
        """Work out once what every call asks for."""
        object.__setattr__(self, "lock_rank", -(len(self.scope) + (self.per is not Per.WHOLE)))
        refuses = self.is_hard and self.limit is not None and self.on_unpriced is Unpriced.DENY
        object.__setattr__(self, "refuses_unknown", refuses)

    @property
    def holds(self) -> bool:
        """Whether calls reserve before they are made: hard ones, and those that rehearse it."""
        return self.enforcement is not Enforcement.SOFT

    @property
    def is_hard(self) -> bool:
        """Whether it may refuse."""
        return self.enforcement is Enforcement.HARD

    def is_undecided(self, facts: Facts) -> bool:
        """Whether an LLM call may be meant, and does not say so: its model, or who makes that, is not known yet."""
        if facts["resource_type"] != "llm_tokens" or self.subject(facts) is None:
            return False
        open_names = {name for name in ("model", "provider") if not facts[name]}
        rest = [(name, value) for name, value in self.scope if name not in open_names]
        return len(rest) < len(self.scope) and all(is_meant(name, value, facts[name]) for name, value in rest)

    def matches(self, facts: Facts) -> bool:
        """Whether usage of these facts counts. A budget per thread is not about usage without a thread."""
        return self.counted_as(facts) is not None

    def counted_as(self, facts: Facts) -> str | None:
        """The subject that usage of these facts counts for; None where it does not count."""
        for name, value in self.scope:
            if not is_meant(name, value, facts[name]):
                return None
        return self.subject(facts)

    def subject(self, facts: Facts) -> str | None:
        """Which of the budget's counters: "" for the whole scope; None where the usage has no such thing."""
        if self.per is Per.WHOLE:
            return ""
        values = [facts[name] for name in SUBJECT_FACTS[self.per]]
        return SEPARATOR.join(map(str, values)) if all(values) else None

    def subject_facts(self, subject: str) -> dict[str, object]:
        """The facts that usage of a subject has."""
        names = SUBJECT_FACTS[self.per]
        values: list[object] = list(subject.split(SEPARATOR)) if names else []
        return {name: int(str(value)) if name in OWNERS else value for name, value in zip(names, values, strict=True)}

    def shown_scope(self, subject: str, owners: Mapping[str, str]) -> dict[str, object]:
        """What it is about, and which subject of it, for people: `project` and `agent` by their slugs in `owners`."""
        facts = {**dict(self.scope), **self.subject_facts(subject)}
        known = {"project": self.project_slug, "agent": self.agent_slug, **owners}
        has_agent = "agent_id" in facts
        shown = [*(["project"] if has_agent or "project_id" in facts else []), *(["agent"] if has_agent else [])]
        texts = {name: value for name, value in facts.items() if name not in OWNERS}
        return {**{name: known[name] for name in shown if known[name]}, **texts}
