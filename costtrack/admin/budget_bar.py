"""How far a budget is used, as a small picture: spent, held, and where it will be at the period's end."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

WIDTH = 160
"""Units of the picture, which the stylesheet gives its size. The limit is at 4/5 of it, so that more can be seen."""
LIMIT_AT = 128
NEAR = Decimal("0.8")
_CONTEXT = Context(prec=30, rounding=ROUND_HALF_EVEN)


def budget_bar(*, limit: Decimal, spent: Decimal, held: Decimal, forecast: Decimal | None) -> SafeString:
    """The picture, with its figures in words for who does not see it. A limit of 0 is full from the beginning."""
    actual = _place(spent, limit)
    reserved = max(0, _place(spent + held, limit) - actual)
    state = "is-over" if spent >= limit else "is-near" if spent + held >= limit * NEAR else ""
    mark = SafeString("")
    if forecast is not None:
        at = max(1, min(WIDTH - 1, _place(forecast, limit)))
        mark = format_html('<line class="costtrack-budget-forecast" x1="{0}" x2="{0}" y1="0" y2="12"></line>', at)
    return format_html(
        '<svg class="costtrack-budget" viewBox="0 0 {width} 12" preserveAspectRatio="none" role="img" '
        'aria-label="{text}">'
        "<title>{text}</title>"
        '<rect class="costtrack-budget-track" x="0" y="1" width="{limit_at}" height="10"></rect>'
        '<rect class="costtrack-budget-spent {state}" x="0" y="1" width="{actual}" height="10"></rect>'
        '<rect class="costtrack-budget-held" x="{actual}" y="1" width="{reserved}" height="10"></rect>{mark}</svg>',
        width=WIDTH,
        limit_at=LIMIT_AT,
        text=in_words(limit=limit, spent=spent, held=held, forecast=forecast),
        state=state,
        actual=actual,
        reserved=reserved,
        mark=mark,
    )


def in_words(*, limit: Decimal, spent: Decimal, held: Decimal, forecast: Decimal | None) -> str:
    """`45 % spent, 20 % held, 90 % by the end of the period`."""
    parts = [_("%(percent)s spent") % {"percent": _percent(spent, limit)}]
    if held:
        parts.append(_("%(percent)s held") % {"percent": _percent(held, limit)})
    if forecast is not None:
        parts.append(_("%(percent)s by the end of the period") % {"percent": _percent(forecast, limit)})
    return ", ".join(parts)


def _percent(value: Decimal, limit: Decimal) -> str:
    if not limit:
        return _("all") if value >= limit else "0 %"
    return f"{_CONTEXT.divide(value * 100, limit).quantize(Decimal(1), context=_CONTEXT):f} %"


def _place(value: Decimal, limit: Decimal) -> int:
    """Where on the picture a quantity ends."""
    if not limit:
        return LIMIT_AT
    return min(WIDTH, max(0, int(_CONTEXT.divide(value * LIMIT_AT, limit))))
