"""The arithmetic of a ledger row's cost as a small table."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costtrack.admin.figures import amount, count, price
from costtrack.domain.events import ResourceType
from costtrack.models import ResourceUsage
from costtrack.reporting.cost_arithmetic import NoArithmetic, cost_arithmetic

Row = tuple[object, object, object, object]


def arithmetic_table(usage: ResourceUsage) -> SafeString | str:
    """The lines that add up to the row's cost, or in words why there are none."""
    found = cost_arithmetic(usage)
    if isinstance(found, NoArithmetic):
        return str(found.label)
    rows: list[Row] = [
        (line.token_class.replace("_", " "), count(line.tokens), price(line.usd_per_million), price(line.cost_usd))
        for line in found.lines
    ]
    if (units := found.units) is not None:
        rows.append((units.resource_type, amount(units.amount), price(units.unit_price_usd), price(units.cost_usd)))
    if found.request_usd is not None:
        rows.append((_("call"), count(1), price(found.request_usd), price(found.request_usd)))
    is_llm = usage.resource_type == ResourceType.LLM_TOKENS
    titles = (_("tokens"), _("USD per 1M")) if is_llm else (_("units"), _("USD per unit"))
    return _table(titles, rows, found.total_usd)


def _table(titles: tuple[str, str], rows: Iterable[Row], total: Decimal) -> SafeString:
    return format_html(
        '<table class="costtrack-arithmetic"><thead><tr><th></th><th>{}</th><th>{}</th><th>USD</th></tr></thead>'
        '<tbody>{}</tbody><tfoot><tr><td colspan="3">{}</td><td>{}</td></tr></tfoot></table>',
        *titles,
        format_html_join("", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>', rows),
        _("total"),
        price(total),
    )
