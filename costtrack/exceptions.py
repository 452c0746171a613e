"""Every error that costtrack raises. Each says what was seen, what is expected, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID


class CostTrackError(Exception):
    """The base of all costtrack errors: catch this one to catch them all."""


class InvalidUsage(CostTrackError, ValueError):
    """A usage figure or a field of an event is not acceptable. `field` names it.

    Raised before anything is stored, so the caller can mend the value and record again.
    """

    def __init__(self, field: str, seen: object, expected: str) -> None:
        self.field = field
        self.seen = seen
        self.expected = expected
        shown = repr(seen)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(f"{field}: got {shown}, expected {expected}.")


class InvalidPlan(InvalidUsage):
    """Fields of a plan are not acceptable, and nothing of it was recorded. `problems` are all of them, in order.

    `field`, `seen` and `expected` are those of the first.
    """

    SHOWN = 20

    def __init__(self, problems: Sequence[InvalidUsage]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.field, first.seen, first.expected)
        shown = [str(one) for one in self.problems[: self.SHOWN]]
        more = len(self.problems) - len(shown)
        self.args = (" ".join([*shown, f"And {more:,} more."] if more else shown),)


class UnknownOrganization(CostTrackError, LookupError):
    """Usage names an organization that does not exist; events never create one."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        super().__init__(
            f"Organization {slug!r} does not exist. Create it in the admin, or correct the slug: "
            "usage never creates an organization, because a mistyped one would escape every budget."
        )


class BudgetNotFound(CostTrackError, LookupError):
    """A budget was to be changed that does not exist any more."""

    def __init__(self, budget_id: int | None, name: str = "") -> None:
        self.budget_id = budget_id
        shown = f"{budget_id} ({name!r})" if name else f"{budget_id}"
        super().__init__(
            f"Budget {shown} does not exist any more: somebody has deleted it. Make another one with create_budget()."
        )


class UntoldBudgetChange(CostTrackError):
    """A budget was to be written past its one writer: no process would notice in time, and no history would tell."""

    def __init__(self, method: str) -> None:
        self.method = method
        super().__init__(
            f"{method} is refused for budgets: no process would notice in time, and no history would say who it was. "
            "Use create_budget(), change_budget() or delete_budget() of costtrack.budgets.changes."
        )


class RateNotFound(CostTrackError, LookupError):
    """No rate is known for a model at that time, and a price was asked for outright."""

    def __init__(self, model: str, provider: str = "", *, sold_by: Sequence[str] = ()) -> None:
        self.model = model
        self.provider = provider
        where = f" of provider {provider!r}" if provider else ""
        if sold_by:
            what_next = f"There is one of provider {', '.join(sold_by)}: say provider={sold_by[0]!r}."
        else:
            what_next = "Load rates with `manage.py load_rates`, or add one in the admin under Rates."
        super().__init__(f"No rate for model {model!r}{where}. {what_next}")


class RateConflict(CostTrackError):
    """A rate can not be made, ended or deleted because of what stands: another rate, or usage that it has priced."""


class RateFileError(CostTrackError, ValueError):
    """A rate file has bad rows; nothing of it was loaded. `problems` is [(line, reason)]."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        self.problems = problems
        listed = "\n".join(f"  line {line}: {reason}" for line, reason in problems)
        super().__init__(f"Nothing was loaded: {len(problems)} bad row(s).\n{listed}")


class InvoiceFileError(CostTrackError, ValueError):
    """A provider's invoice has bad lines; nothing of it was compared. `problems` is [(line, reason)]."""

    SHOWN = 20

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  line {line}: {reason}" for line, reason in self.problems[: self.SHOWN])
        more = len(self.problems) - self.SHOWN
        left = f"\n  And {more:,} more." if more > 0 else ""
        super().__init__(f"Nothing was compared: {len(self.problems)} bad line(s).\n{listed}{left}")


class IdempotencyConflict(CostTrackError):
    """An idempotency key came again with other usage. The first record stands."""

    def __init__(self, idempotency_key: str) -> None:
        self.idempotency_key = idempotency_key
        super().__init__(
            f"Idempotency key {idempotency_key!r} was used before for different usage. The first record stands; "
            "give the new usage a key of its own, or correct the first with adjust_usage()."
        )


class FlushInTransaction(CostTrackError):
    """`flush` was called inside a transaction on SQLite, where nobody else can write until that ends."""

    def __init__(self) -> None:
        super().__init__(
            "flush() inside an open transaction on SQLite would wait for itself: the database has one writer, and that "
            "is this transaction. Call it after the `atomic` block; in a test, use django_db(transaction=True)."
        )


class InvalidCorrection(CostTrackError, ValueError):
    """A void or an adjustment is not allowed, e.g. it takes back more than was recorded."""


class BooksDisagree(CostTrackError):
    """Summaries and ledger differ. `manage.py aggregate_costs --rebuild` restores them from the ledger."""


class CallRefused(CostTrackError):
    """A call was not admitted, and must not be made: the base of the three reasons for that.

    `status` is the HTTP status that says the same: 402, not 429, which makes clients try again.
    """

    status = 402

    def __init__(self, message: str, *, budget_id: int | None, budget: str, organization: str) -> None:
        self.budget_id = budget_id
        """None where it is not known which budgets there are."""
        self.budget = budget
        """Its name."""
        self.organization = organization
        """The slug."""
        super().__init__(message)


class BudgetExceeded(CallRefused):
    """The worst case of a call does not fit into a hard budget any more. Figures are in the budget's metric."""

    def __init__(
        self,
        *,
        budget_id: int,
        budget: str,
        organization: str,
        subject: str,
        scope: Mapping[str, object],
        metric: str,
        limit: Decimal | None,
        spent: Decimal,
        held: Decimal,
        needed: Decimal,
        resets_at: datetime | None,
    ) -> None:
        self.subject = subject
        """Which thread, agent ... of a budget that has one counter for each; "" for the whole scope."""
        self.scope = scope
        """What the budget is about, with its subject; `project` and `agent` by their slugs."""
        self.metric = metric
        self.limit = limit
        self.spent = spent
        self.held = held
        """By other calls that are being made."""
        self.needed = needed
        self.resets_at = resets_at
        """When its period ends; None: never."""
        unit = str(scope.get("resource_type") or metric) if metric == "amount" else metric
        shown = {name: "none" if value is None else f"{value.normalize():f}" for name, value in self.figures.items()}
        of_subject = f" for {subject!r}" if subject else ""
        until = (
            f"It begins anew at {resets_at.isoformat()}. Ask for less, raise the limit, or wait."
            if resets_at
            else "It never begins anew. Ask for less, or raise the limit."
        )
        super().__init__(
            f"Budget {budget!r}{of_subject} of organization {organization!r} has no room for this call: it needs up to "
            f"{shown['needed']} {unit}, of a limit of {shown['limit']}, {shown['spent']} are spent and "
            f"{shown['held']} held for other calls. {until}",
            budget_id=budget_id,
            budget=budget,
            organization=organization,
        )

    @property
    def figures(self) -> dict[str, Decimal | None]:
        """limit, spent, held and needed."""
        return {"limit": self.limit, "spent": self.spent, "held": self.held, "needed": self.needed}


class UnknownWorstCase(CallRefused):
    """A hard budget of dollars can not hold for a call of which nobody knows what it can cost at most."""

    def __init__(self, *, budget_id: int, budget: str, organization: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"Budget {budget!r} of organization {organization!r} can not tell what this call may cost: {reason}. "
            "Say what is missing, load or add the rate (`manage.py load_rates`, or the admin), or let the budget admit "
            "unpriced calls.",
            budget_id=budget_id,
            budget=budget,
            organization=organization,
        )


class BudgetUnavailable(CallRefused):
    """Nobody could say whether a hard budget has room: neither Redis nor the database answered in time."""

    status = 503

    def __init__(self, *, reason: str, budget_id: int | None = None, budget: str = "", organization: str = "") -> None:
        self.reason = reason
        if budget_id is None:
            message = (
                f"Which budgets there are could not be read ({reason}), so the call is refused. Try again, or set "
                'COSTTRACK["ON_UNKNOWN_BUDGETS"] to "allow".'
            )
        else:
            message = (
                f"Budget {budget!r} of organization {organization!r} could not be asked ({reason}), so the call is "
                "refused. Try again, or let this budget admit calls while it can not be asked."
            )
        super().__init__(
            message,
            budget_id=budget_id,
            budget=budget,
            organization=organization,
        )


class HoldEnded(CostTrackError):
    """A hold was asked for, renewed or settled that has ended before."""

    def __init__(self, hold_id: UUID, state: str) -> None:
        self.hold_id = hold_id
        self.state = state
        super().__init__(f"The hold {hold_id} has ended already: it is {state}. Reserve anew, without its id.")


class HoldTooSmall(CostTrackError):
    """A hold was asked for again, by its id, for a call that may need more than it holds. It stands as it is."""

    def __init__(self, hold_id: UUID, *, metric: str, held: Decimal, needed: Decimal) -> None:
        self.hold_id = hold_id
        self.metric = metric
        self.held = held
        self.needed = needed
        super().__init__(
            f"The hold {hold_id} holds {held.normalize():f} {metric}, and this call may need {needed.normalize():f}. "
            "Ask for no more than it holds, or reserve anew, without its id."
        )
