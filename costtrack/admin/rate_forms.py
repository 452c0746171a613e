"""The forms of rates and tiers: what the database would refuse is said beside its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from costtrack.domain.events import ServiceTier
from costtrack.models import Rate, RateTier
from costtrack.pricing.canonical import rate_names
from costtrack.pricing.rate_rules import UNIT_PRICE_OF_TOKENS, clean_aliases, prices_no_tokens, validate_price

if TYPE_CHECKING:
    RateModelForm = forms.ModelForm[Rate]
    TierModelForm = forms.ModelForm[RateTier]
else:
    RateModelForm = TierModelForm = forms.ModelForm


def check_prices(form: forms.BaseForm) -> None:
    """Let every price field of `form` name its own error, instead of the constraint's name above the form."""
    for name, field in form.fields.items():
        if name.endswith(("_usd", "_usd_per_million")):
            field.validators.append(validate_price)
            field.widget.attrs["min"] = "0"


class RateForm(RateModelForm):
    """One rate."""

    service_tier = forms.ChoiceField(
        choices=[(tier.value, tier.value) for tier in ServiceTier], initial=ServiceTier.STANDARD.value
    )

    class Meta:
        model = Rate
        exclude = ()
        help_texts = {
            "aliases": _('Other spellings of the model id that this rate is for, as a JSON list: ["a", "b"]'),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_prices(self)

    def clean(self) -> dict[str, Any]:
        """Django's, with provider and model as rates from files have them: no two spellings make two rates.

        A unit price alone prices no tokens.
        """
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if {"provider", "model"} <= cleaned.keys():
            cleaned["provider"], cleaned["model"] = rate_names(cleaned["provider"], cleaned["model"])
        if prices_no_tokens(cleaned):
            self.add_error("unit_price_usd", UNIT_PRICE_OF_TOKENS)
        return cleaned

    def clean_aliases(self) -> list[str]:
        """A list of texts in lower case; nothing entered is an empty list."""
        return clean_aliases(self.cleaned_data["aliases"])


class TierForm(TierModelForm):
    """One long-context tier."""

    class Meta:
        model = RateTier
        exclude = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_prices(self)
