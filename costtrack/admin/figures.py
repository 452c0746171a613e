"""How the screens show money, counts and JSON: aligned to the right, escaped, without inline style."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from costtrack.domain.money import decimal_text, format_usd

COST_PLACES_SHOWN = 6
"""A short call costs less than a cent: two places would show most rows as $0.00."""


def usd(value: Decimal | None) -> SafeString:
    """Dollars at six places; None is `unpriced`."""
    return _figure(format_usd(value, COST_PLACES_SHOWN))


def price(value: Decimal | None) -> SafeString:
    """A price in dollars, every decimal of it; None is a dash."""
    return _figure("-" if value is None else f"${decimal_text(value)}")


def count(value: int | None) -> SafeString:
    """A whole number with thousands separators; None is a dash."""
    return _figure("-" if value is None else f"{value:,}")


def amount(value: Decimal) -> SafeString:
    """Units of a resource, thousands separated, without trailing zeros."""
    whole, dot, decimals = decimal_text(value).partition(".")
    sign = "-" if whole.startswith("-") else ""
    return _figure(f"{sign}{abs(int(whole)):,}{dot}{decimals}")


def json_block(value: Mapping[str, Any]) -> SafeString | str:
    """JSON, indented and escaped; "" where there is none."""
    if not value:
        return ""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, cls=DjangoJSONEncoder)
    return format_html('<pre class="costtrack-json">{}</pre>', text)


def figure_table(rows: Iterable[tuple[object, object]]) -> SafeString:
    """A small table: a title and a figure on each row."""
    cells = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', rows)
    return format_html('<table class="costtrack-arithmetic"><tbody>{}</tbody></table>', cells)


def table(titles: Sequence[object], rows: Iterable[Sequence[object]]) -> SafeString:
    """A table with a title above each column."""
    return format_html(
        '<table class="costtrack-arithmetic"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", "<th>{}</th>", ((title,) for title in titles)),
        format_html_join(
            "", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((one,) for one in row)),) for row in rows)
        ),
    )


def count_column(field: str, title: Any) -> Callable[[Any], SafeString]:
    """A column of a list: the whole numbers of `field`."""
    return _column(field, title, count)


def usd_column(field: str, title: Any) -> Callable[[Any], SafeString]:
    """A column of a list: the dollars of `field`."""
    return _column(field, title, usd)


def price_column(field: str, title: Any) -> Callable[[Any], SafeString]:
    """A column of a list that can be sorted: the prices of `field`."""
    return admin.display(ordering=field)(_column(field, title, price))


def _column(field: str, title: Any, shown: Callable[[Any], SafeString]) -> Callable[[Any], SafeString]:
    def column(obj: Any) -> SafeString:
        return shown(getattr(obj, field))

    column.__name__ = field
    return admin.display(description=title)(column)


def _figure(text: str) -> SafeString:
    return format_html('<span class="costtrack-figure">{}</span>', text)
