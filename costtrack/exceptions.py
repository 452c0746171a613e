"""Every error that costtrack raises. Each says what was seen, what is expected, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence


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


class UnknownOrganization(CostTrackError, LookupError):
    """Usage names an organization that does not exist; events never create one."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        super().__init__(
            f"Organization {slug!r} does not exist. Create it in the admin, or correct the slug: "
            "usage never creates an organization, because a mistyped one would escape every budget."
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


class RateFileError(CostTrackError, ValueError):
    """A rate file has bad rows; nothing of it was loaded. `problems` is [(line, reason)]."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        self.problems = problems
        listed = "\n".join(f"  line {line}: {reason}" for line, reason in problems)
        super().__init__(f"Nothing was loaded: {len(problems)} bad row(s).\n{listed}")


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
