"""Column shapes that several tables share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


def usd_field(**options: Any) -> models.DecimalField[Any, Any]:
    """US dollars, exact to 12 decimals."""
    return models.DecimalField(max_digits=24, decimal_places=12, **options)


def dimension_field(help_text: _StrOrPromise = "", *, max_length: int = 200) -> models.CharField[Any, Any]:
    """A text that usage is attributed to; "" where not given, never NULL, so that it groups and compares plainly."""
    return models.CharField(max_length=max_length, blank=True, default="", help_text=help_text)


def quantity_field(**options: Any) -> models.DecimalField[Any, Any]:
    """Dollars, tokens, calls or other units, by a budget's metric; exact to 12 decimals."""
    return models.DecimalField(max_digits=30, decimal_places=12, **options)
