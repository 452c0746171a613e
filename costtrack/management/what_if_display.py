"""A what-if for a terminal."""

from __future__ import annotations

from decimal import Decimal

from costtrack.domain.money import format_usd
from costtrack.management.arguments import aligned
from costtrack.reporting.what_if.comparison import ComparedCalls, ReadFrom, WhatIf
from costtrack.reporting.what_if.other_prices import NoPrice
from costtrack.reporting.wording import counted, one_line

HEADINGS = ("provider", "model", "calls", "input", "output", "booked", "instead", "difference")
NUMBERS = frozenset(range(2, len(HEADINGS)))
UNKNOWN = "unknown"
PLACES = 6
REASONS = {
    NoPrice.NO_RATE: "no rate",
    NoPrice.NO_PRICE_OF_A_CLASS: "the rate has no price for some of their tokens",
    NoPrice.USAGE_MISSING: "what they used is not known",
}


def what_if_table(found: WhatIf) -> str:
    """A line per model, the total, what could not be priced, and how it was read."""
    if not found.total.calls:
        return "No usage matches. Check the days, --organization and the scope."
    rows = [HEADINGS, *(_row(line) for line in found.models), _row(found.total, name="total")]
    lines = [aligned(rows, numbers=NUMBERS)]
    if left_out := found.total.calls - found.total.compared_calls:
        lines.append(
            f"The differences are of the {counted(found.total.compared_calls, 'call')} with a cost on both sides; "
            f"{counted(left_out, 'call')} left out."
        )
    if found.not_priced:
        lines.append("Not priced, and so in no sum on the right:")
        lines += [
            f"  {one_line(one.provider)} {one_line(one.model)} ({one.service_tier}): {counted(one.calls, 'call')}, "
            f"booked {format_usd(one.booked_usd, PLACES)}: {REASONS[one.reason]}"
            for one in found.not_priced
        ]
    lines.append(_reading(found))
    return "\n".join(lines)


def _row(line: ComparedCalls, *, name: str = "") -> tuple[str, ...]:
    return (
        *((name, "") if name else (one_line(line.provider), one_line(line.model))),
        f"{line.calls:,}",
        f"{line.input_tokens:,}",
        f"{line.output_tokens:,}",
        format_usd(line.booked_usd, PLACES),
        _usd(line.what_if_usd),
        _usd(line.difference_usd),
    )


def _usd(value: Decimal | None) -> str:
    return UNKNOWN if value is None else format_usd(value, PLACES)


def _reading(found: WhatIf) -> str:
    at = "in force when each call was made" if found.priced_at is None else f"of {found.priced_at.isoformat()}"
    source = "daily summaries" if found.read_from is ReadFrom.SUMMARIES else f"ledger: {found.read_because}"
    return f"By the rates {at}. Read from the {source}. Nothing was changed."
