"""A provider's invoice beside what was metered: the difference by day and model, exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from costtrack.domain.model_versions import models_of_version
from costtrack.domain.money import EXACT

ZERO = Decimal(0)
PERCENT_PLACES = 2
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)

DayModel = tuple[date, str]


class Metered(NamedTuple):
    """What was metered of one model on one day."""

    cost_usd: Decimal
    calls: int
    unpriced_calls: int
    """Calls of which `cost_usd` knows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The two figures of a model on a day, of a model, or of all."""

    day: date | None
    """None: of all days."""
    model: str
    """"" for all models."""
    invoiced_usd: Decimal | None
    """None: the invoice says nothing of it."""
    metered_usd: Decimal | None
    """None: nothing was metered, or nothing that has a price."""
    calls: int
    unpriced_calls: int

    @property
    def is_unpriced(self) -> bool:
        """Something was metered, and nothing of it has a price."""
        return self.metered_usd is None and self.unpriced_calls > 0

    @property
    def difference_usd(self) -> Decimal:
        """Invoiced less metered: positive where the provider billed more than was metered."""
        return EXACT.subtract(self.invoiced_usd or ZERO, self.metered_usd or ZERO)

    @property
    def difference_percent(self) -> Decimal | None:
        """The difference in percent of what is invoiced, to 2 places, half-even; None where that is nothing."""
        if not self.invoiced_usd:
            return None
        ratio = _ROUNDING.divide(EXACT.multiply(self.difference_usd, Decimal(100)), abs(self.invoiced_usd))
        return ratio.quantize(Decimal(1).scaleb(-PERCENT_PLACES), context=_ROUNDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """An invoice compared. Every figure of either side is in exactly one of `lines`."""

    lines: Sequence[Reconciled]
    """By day, and within a day by model."""
    models: Sequence[Reconciled]
    """Of each model, the largest difference first."""
    total: Reconciled


def reconcile(invoiced: Mapping[DayModel, Decimal], metered: Mapping[DayModel, Metered]) -> Reconciliation:
    """The invoice's amounts beside the metered ones, a line for each day and model that either has.

    A model that only one side names is taken for the other side's of which it is a version, or that is a version of it,
    if there is exactly one: an invoice may say `gpt-4o` for `gpt-4o-2024-08-06`.
    """
    names = invoice_names({model for _, model in invoiced}, {model for _, model in metered})
    used: defaultdict[DayModel, list[Metered]] = defaultdict(list)
    for (day, model), figures in metered.items():
        used[day, names.get(model, model)].append(figures)
    lines = [_line(day, model, invoiced.get((day, model)), used[day, model]) for day, model in {**invoiced, **used}]
    lines.sort(key=lambda line: (line.day or date.min, line.model))
    of_each: defaultdict[str, list[Reconciled]] = defaultdict(list)
    for line in lines:
        of_each[line.model].append(line)
    models = [_sum(model, some) for model, some in of_each.items()]
    models.sort(key=lambda line: (-abs(line.difference_usd), line.model))
    return Reconciliation(lines=lines, models=models, total=_sum("", lines))


def invoice_names(invoiced: Collection[str], metered: Collection[str]) -> Mapping[str, str]:
    """What the invoice calls the models that it does not name as they were metered."""
    known, versions = set(invoiced), defaultdict(list)
    for name in invoiced:
        for model in models_of_version(name):
            versions[model].append(name)
    found = {}
    for model in set(metered) - known:
        meant = [*known.intersection(models_of_version(model)), *versions[model]]
        if len(meant) == 1:
            found[model] = meant[0]
    return found


def _line(day: date, model: str, invoiced_usd: Decimal | None, used: Sequence[Metered]) -> Reconciled:
    calls = sum(one.calls for one in used)
    unpriced_calls = sum(one.unpriced_calls for one in used)
    cost = _added(one.cost_usd for one in used)
    is_unknown = not used or (not cost and 0 < calls <= unpriced_calls)
    return Reconciled(
        day=day,
        model=model,
        invoiced_usd=invoiced_usd,
        metered_usd=None if is_unknown else cost,
        calls=calls,
        unpriced_calls=unpriced_calls,
    )


def _sum(model: str, lines: Sequence[Reconciled]) -> Reconciled:
    return Reconciled(
        day=None,
        model=model,
        invoiced_usd=_added_known(line.invoiced_usd for line in lines),
        metered_usd=_added_known(line.metered_usd for line in lines),
        calls=sum(line.calls for line in lines),
        unpriced_calls=sum(line.unpriced_calls for line in lines),
    )


def _added(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _added_known(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """None where none is known."""
    known = [amount for amount in amounts if amount is not None]
    return _added(known) if known else None
