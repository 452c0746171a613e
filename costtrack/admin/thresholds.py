"""The thresholds of a budget, beside it: checked when they are saved, so that no alert fails for how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest

from costtrack.admin.bases import ParentsRows, TabularInline
from costtrack.alerts.messages import check_message_template
from costtrack.domain.message_templates import BadTemplate
from costtrack.models import AlertChannel, Budget, BudgetThreshold

if TYPE_CHECKING:
    BudgetThresholdForm = forms.ModelForm[BudgetThreshold]
else:
    BudgetThresholdForm = forms.ModelForm


class ThresholdForm(BudgetThresholdForm):
    """Checks the template of the message."""

    def clean_message_template(self) -> str:
        """Only fields that are known, each with a plain format."""
        template = str(self.cleaned_data["message_template"])
        try:
            check_message_template(template)
        except BadTemplate as error:
            raise forms.ValidationError(str(error)) from None
        return template


class ThresholdRows(ParentsRows):
    """The rows of one budget; to choose from are the channels of its organization."""

    def add_fields(self, form: Any, index: int | None) -> None:
        """Django's, with those channels."""
        super().add_fields(form, index)
        budget = self.instance
        channels: QuerySet[AlertChannel] = form.fields["channels"].queryset
        form.fields["channels"].queryset = channels.filter(organization=budget.organization_id)


class ThresholdInline(TabularInline[BudgetThreshold, Budget]):
    """The levels that people want to be told of; they refuse nothing, so no process has to know of a change."""

    model = BudgetThreshold
    form = ThresholdForm
    formset = ThresholdRows
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[BudgetThreshold]:
        """With their channels, in one query more."""
        return super().get_queryset(request).prefetch_related("channels")
