"""How the cost of a ledger row came about: tokens x price of each class, as a small table."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from django.db import DEFAULT_DB_ALIAS
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costtrack.admin.figures import amount, count, price
from costtrack.domain.events import CostSource, Outcome, ResourceType, UsageKind
from costtrack.domain.tokens import TOKEN_FIELDS, TokenUsage
from costtrack.models import ResourceUsage
from costtrack.pricing.cost import cost_of_amount, cost_of_tokens
from costtrack.pricing.priced_rate import PricedRate
from costtrack.pricing.stored_rates import stored_rates

Row = tuple[object, object, object, object]


def arithmetic_table(usage: ResourceUsage) -> SafeString | str:
    """The lines that add up to the row's cost, or in words why there are none."""
    if usage.kind != UsageKind.USAGE:
        return _("A correction: it adds this cost to that of the row which it corrects.")
    if usage.cost_source == CostSource.REPORTED:
        return _("The provider reported this cost.")
    if usage.cost_source == CostSource.UNPRICED:
        return _("No price was known. Once one is, an adjustment brings the cost.")
    tokens = TokenUsage(**{name: getattr(usage, name) for name in TOKEN_FIELDS})
    is_llm = usage.resource_type == ResourceType.LLM_TOKENS
    if usage.usage_missing:
        return _("What was used is not known; at its rate any use is free.")
    if usage.outcome == Outcome.ERROR and not tokens.total_tokens and not usage.amount:
        return _("0 tokens were used.") if is_llm else _("Nothing was used.")
    if usage.rate_id is None:
        return _("No rate was needed.")
    rate = next(stored_rates(using=usage._state.db or DEFAULT_DB_ALIAS, id=usage.rate_id))
    return _token_table(tokens, rate) if is_llm else _amount_table(usage, rate)


def _token_table(tokens: TokenUsage, rate: PricedRate) -> SafeString | str:
    by_class = cost_of_tokens(tokens, rate)
    if by_class is None:
        return _("The rate has no price for this.")
    rows: list[Row] = [
        (line.token_class.replace("_", " "), count(line.tokens), price(line.usd_per_million), price(line.cost_usd))
        for line in by_class.lines
    ]
    rows += _per_call(rate)
    if not rows:
        return _("0 tokens were used.")
    return _table((_("tokens"), _("USD per 1M")), rows, by_class.total_usd)


def _amount_table(usage: ResourceUsage, rate: PricedRate) -> SafeString | str:
    total = cost_of_amount(usage.amount, rate)
    if total is None:
        return _("The rate has no price for this.")
    rows: list[Row] = []
    if rate.unit_price_usd is not None:
        only_units = total - (rate.request_usd or 0)
        rows.append((usage.resource_type, amount(usage.amount), price(rate.unit_price_usd), price(only_units)))
    return _table((_("units"), _("USD per unit")), [*rows, *_per_call(rate)], total)


def _per_call(rate: PricedRate) -> list[Row]:
    return [(_("call"), count(1), price(rate.request_usd), price(rate.request_usd))] if rate.request_usd else []


def _table(titles: tuple[str, str], rows: Iterable[Row], total: Decimal) -> SafeString:
    return format_html(
        '<table class="costtrack-arithmetic"><thead><tr><th></th><th>{}</th><th>{}</th><th>USD</th></tr></thead>'
        '<tbody>{}</tbody><tfoot><tr><td colspan="3">{}</td><td>{}</td></tr></tfoot></table>',
        *titles,
        format_html_join("", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>', rows),
        _("total"),
        price(total),
    )
