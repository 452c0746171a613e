"""How the pages write money, counts, shares and instants."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from costtrack.domain.money import format_usd
from costtrack.domain.periods import ZoneHistory
from costtrack.domain.quantity_words import quantity_words

COST_PLACES_SHOWN = 6
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_LARGE = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))
PERCENT = "\u00a0%"
"""It never stands on a line of its own."""
NONE = "–"  # noqa: RUF001 - the dash that stands for no figure


def call_cost(value: Decimal | None) -> str:
    """The cost of a call at six places: most cost less than a cent. None is `unpriced`."""
    return format_usd(value, COST_PLACES_SHOWN)


def short_count(number: int) -> str:
    """`999`, `12.3K`, `4.56M`: three digits, half-even."""
    size = abs(number)
    for least, letter in _LARGE:
        if size >= least:
            value = _CONTEXT.divide(Decimal(number), Decimal(least))
            places = 2 if size < 10 * least else 1 if size < 100 * least else 0
            return f"{value.quantize(Decimal(1).scaleb(-places), context=_CONTEXT)}{letter}"
    return str(number)


def share_text(part: Decimal | int, whole: Decimal | int, *, places: int = 1) -> str:
    """The part in percent of the whole: `12.5 %`; a dash of nothing."""
    if not whole:
        return NONE
    ratio = _CONTEXT.divide(Decimal(part) * 100, Decimal(whole))
    return f"{ratio.quantize(Decimal(1).scaleb(-places), context=_CONTEXT):,}{PERCENT}"


def change_text(now: Decimal | None, before: Decimal | None) -> str:
    """By how much something rose or fell: `+12 %`, `-3 %`, `new`, and a dash where there is no telling."""
    if now is None or before is None or (not before and not now):
        return NONE
    if before <= 0:
        return "new"
    ratio = _CONTEXT.divide((now - before) * 100, before).quantize(Decimal(1), context=_CONTEXT)
    return f"{ratio:+,}{PERCENT}" if ratio else f"±0{PERCENT}"


def direction(now: Decimal | None, before: Decimal | None) -> str:
    """`up`, `down` or `same`: for the arrow beside a change."""
    if now is None or before is None or now == before:
        return "same"
    return "up" if now > before else "down"


def quantity(value: Decimal | None, metric: str) -> str:
    """A quantity of a budget, with its unit; None: unlimited."""
    if value is None:
        return "unlimited"
    return quantity_words(value, metric)


def instant_words(instant: datetime | None, *, zone: ZoneHistory) -> str:
    """`26 Nov 2026, 14:05` in that zone; a dash where there is none."""
    if instant is None:
        return NONE
    local = instant.astimezone(zone.zone_at(instant))
    return f"{local.day} {local:%b %Y, %H:%M}"


def zone_name(zone: ZoneHistory, *, at: datetime) -> str:
    """The zone's name: `Europe/Berlin`."""
    return str(zone.zone_at(at))
