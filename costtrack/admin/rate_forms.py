"""The forms of rates and tiers: what the database would refuse is said beside its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import MinValueValidator
from django.utils.translation import gettext_lazy as _

from costtrack.domain.events import ResourceType, ServiceTier
from costtrack.models import Rate, RateTier
from costtrack.models.rates import PRICE_FIELDS
from costtrack.pricing.canonical import rate_names

if TYPE_CHECKING:
    RateModelForm = forms.ModelForm[Rate]
    TierModelForm = forms.ModelForm[RateTier]
else:
    RateModelForm = TierModelForm = forms.ModelForm


def refuse_negative_prices(form: forms.BaseForm) -> None:
    """Let every price field of `form` name its own error, instead of the constraint's name above the form."""
    for name, field in form.fields.items():
        if name.endswith(("_usd", "_usd_per_million")):
            field.validators.append(MinValueValidator(0, _("A price is 0 or more.")))
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
        refuse_negative_prices(self)

    def clean(self) -> dict[str, Any]:
        """Django's, with provider and model as rates from files have them: no two spellings make two rates.

        A unit price alone prices no tokens.
        """
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if {"provider", "model"} <= cleaned.keys():
            cleaned["provider"], cleaned["model"] = rate_names(cleaned["provider"], cleaned["model"])
        has_token_prices = any(cleaned.get(name) is not None for name in PRICE_FIELDS)
        is_llm = cleaned.get("resource_type") == ResourceType.LLM_TOKENS
        if is_llm and cleaned.get("unit_price_usd") is not None and not has_token_prices:
            text = _("llm_tokens have prices per 1,000,000 tokens. A unit price is for another resource type.")
            self.add_error("unit_price_usd", text)
        return cleaned

    def clean_aliases(self) -> list[str]:
        """A list of texts in lower case; nothing entered is an empty list."""
        aliases = self.cleaned_data["aliases"]
        if aliases in (None, ""):
            return []
        if not isinstance(aliases, list) or not all(isinstance(alias, str) and alias.strip() for alias in aliases):
            raise forms.ValidationError(_('Enter a list of model ids, like ["gpt-4o-latest", "chatgpt-4o"].'))
        if any("\x00" in alias for alias in aliases):
            raise forms.ValidationError(_("A model id has no NUL."))
        return list(dict.fromkeys(alias.strip().lower() for alias in aliases))


class TierForm(TierModelForm):
    """One long-context tier."""

    class Meta:
        model = RateTier
        exclude = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        refuse_negative_prices(self)
