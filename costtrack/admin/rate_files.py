"""Rates in and out of files: a CSV of those that are listed, and a file that is looked through before it is loaded."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.access.rows import right_to_change, rows_granted
from costtrack.admin.rate_use import UseUntoldAdmin
from costtrack.admin.scoping import person_of
from costtrack.exceptions import RateFileError
from costtrack.models import Organization, Rate
from costtrack.pricing.loading import FORMATS, LoadReport
from costtrack.pricing.loading.files import load_rate_text
from costtrack.reporting.rate_csv import rates_csv

MAX_BYTES = 5 << 20
PROBLEMS_SHOWN = 20
TEMPLATE = "costtrack/admin/rate_import.html"


class RateFileForm(forms.Form):
    """A file, or its text once it has been looked through."""

    organization = forms.ModelChoiceField(
        Organization.objects.none(), required=False, label=gettext_lazy("For"), empty_label=gettext_lazy("everyone")
    )
    file = forms.FileField(
        required=False, label=gettext_lazy("File"), help_text=gettext_lazy("CSV, YAML, or LiteLLM's JSON.")
    )
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
    name = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, organizations: QuerySet[Organization], is_superuser: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organization"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = organizations
        if not is_superuser:
            field.required, field.empty_label = True, None

    def clean(self) -> dict[str, Any]:
        """The text of the file that is sent, else the one that was looked through."""
        values: dict[str, Any] = super().clean() or {}
        sent = values.get("file")
        if sent is not None:
            if sent.size > MAX_BYTES:
                raise forms.ValidationError(_("The file is larger than 5 MB."))
            try:
                values["text"] = sent.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise forms.ValidationError(_("The file is not UTF-8.")) from None
            values["name"] = sent.name[-100:]
        if not values.get("text"):
            raise forms.ValidationError(_("Choose a file."))
        values["format"] = FORMATS.get(PurePath(values["name"]).suffix.lower(), "")
        if not values["format"]:
            raise forms.ValidationError(_("The file's name ends in none of .csv, .yaml, .yml and .json."))
        return values


class RateFilesAdmin(UseUntoldAdmin):
    """The screen of rates with the two."""

    change_list_template = "costtrack/admin/rate_change_list.html"

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the import."""
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="costtrack_rate_import"), *super().get_urls()]

    @admin.action(description=gettext_lazy("Export as CSV"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Rate]) -> StreamingHttpResponse:
        """The chosen rates, as `load_rates` and the import read them."""
        lines = rates_csv(queryset.prefetch_related("tiers").iterator(chunk_size=500))
        disposition = f'attachment; filename="rates-{timezone.localdate():%Y-%m-%d}.csv"'
        return StreamingHttpResponse(
            lines, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
        )

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Look a file through; say what it would do, or what is wrong with each line; load it when told so."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        person = person_of(request)
        form = RateFileForm(
            request.POST or None,
            request.FILES or None,
            organizations=rows_granted(Organization.objects.all(), person, right_to_change(Rate)),
            is_superuser=person.is_superuser,
        )
        report: LoadReport | None = None
        problems: list[tuple[int, str]] = []
        if request.method == "POST" and form.is_valid():
            try:
                report = self._load(form.cleaned_data, is_dry_run="load" not in request.POST)
            except RateFileError as error:
                problems = list(error.problems)
            if report is not None and not report.is_dry_run:
                text = _("Loaded: %(new)s new, %(changed)s changed, %(same)s unchanged.")
                counts = {"new": report.created, "changed": report.changed, "same": report.unchanged}
                self.message_user(request, text % counts, messages.SUCCESS)
                return redirect(reverse("admin:costtrack_rate_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Import rates"),
            "form": form,
            "checked": form.cleaned_data if report else None,
            "report": report,
            "problems": problems[:PROBLEMS_SHOWN],
            "problems_left": max(0, len(problems) - PROBLEMS_SHOWN),
        }
        return TemplateResponse(request, TEMPLATE, context)

    def _load(self, values: dict[str, Any], *, is_dry_run: bool) -> LoadReport:
        organization: Organization | None = values["organization"]
        return load_rate_text(
            values["text"],
            file_format=values["format"],
            source=values["name"],
            now=timezone.now(),
            organization_id=organization.pk if organization else None,
            using=router.db_for_write(Rate),
            is_dry_run=is_dry_run,
        )
