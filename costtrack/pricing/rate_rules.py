"""What holds for rates that people write, in the admin, over REST or in Python: in words, for the field to blame."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from costtrack.domain.events import ResourceType
from costtrack.models.rates import PRICE_FIELDS

OTHER_PRICES = ("request_usd", "unit_price_usd")
BELOW_USD = 10**9
"""Nobody asks for more, and SQLite, which keeps 15 digits, could not read a larger one again: no call were priced."""
UNIT_PRICE_OF_TOKENS = _("llm_tokens have prices per 1,000,000 tokens. A unit price is for another resource type.")


def validate_price(price: Decimal) -> None:
    """Refuse a price that is negative, or larger than any."""
    if price < 0:
        raise ValidationError(_("A price is 0 or more."))
    if price >= BELOW_USD:
        raise ValidationError(_("A price is below %(below)s USD."), params={"below": f"{BELOW_USD:,}"})


def clean_aliases(aliases: object) -> list[str]:
    """A list of texts in lower case, without repetitions; nothing entered is an empty list. Raises ValidationError."""
    if aliases in (None, ""):
        return []
    if not isinstance(aliases, list) or not all(isinstance(alias, str) and alias.strip() for alias in aliases):
        raise ValidationError(_('Enter a list of model ids, like ["gpt-4o-latest", "chatgpt-4o"].'))
    if any("\x00" in alias for alias in aliases):
        raise ValidationError(_("A model id has no NUL."))
    return list(dict.fromkeys(alias.strip().lower() for alias in aliases))


def prices_no_tokens(values: Mapping[str, Any]) -> bool:
    """Whether a unit price is all that tokens have: it prices none of them. `values` are a rate's by their names."""
    has_token_prices = any(values.get(name) is not None for name in PRICE_FIELDS)
    is_llm = values.get("resource_type") == ResourceType.LLM_TOKENS
    return is_llm and values.get("unit_price_usd") is not None and not has_token_prices
