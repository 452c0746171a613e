"""A provider's invoice beside what was metered: a file is sent, and the differences are shown; nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from costtrack.conf import settings
from costtrack.dashboard.addresses import Choice, address
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import MAX_DAYS, day_text
from costtrack.dashboard.words import NONE, PERCENT
from costtrack.domain.periods import DayRange
from costtrack.domain.reconciliation import Reconciled
from costtrack.exceptions import InvoiceFileError
from costtrack.models import Organization
from costtrack.reporting.invoice_file import MAX_BYTES, Invoice, read_invoice
from costtrack.reporting.parameters import InvalidParameter, parse_day
from costtrack.reporting.read_limit import limited_reading
from costtrack.reporting.reconciliation import ReconciledInvoice, invoicing_provider, providers_of, reconcile_invoice
from costtrack.reporting.wording import one_line, usd_text

LOOKS_BACK = timedelta(days=90)
"""The providers of so many days are offered."""
LINES_SHOWN = 200
PROBLEMS_SHOWN = 20
ONE_DAY = timedelta(days=1)
A_FILE = "a CSV file with the columns date, model and cost_usd"
NO_ORGANIZATION = "organization: name the one that was billed."
Line = dict[str, Any]


class ReconcilePage(Page):
    """The invoice of one organization: the form, and what came of it."""

    http_method_names = ["get", "head", "options", "post"]
    name = "reconcile"
    heading = "Invoices"
    template_name = "costtrack/dashboard/reconcile.html"
    result: ReconciledInvoice | None = None
    problems: Sequence[tuple[int, str]] = ()
    """What is wrong with lines of the file."""
    fault = ""
    """What is wrong else."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Compare the file that is sent, and show it on the same page; a 400 where it can not be."""
        if self.organization is None:
            raise Http404(NO_ORGANIZATION)
        try:
            self.result = self._compared(self.organization)
        except InvoiceFileError as error:
            self.problems = error.problems
        except InvalidParameter as error:
            self.fault = str(error)
        return self.shown(status=200 if self.result else 400)

    def content(self) -> dict[str, Any]:
        """The form; below it the differences, if a file was sent."""
        organization = self.organization
        if organization is None:
            return {"is_asked": False, "organizations_to_choose": [_choice(one) for one in self.granted]}
        days = DayRange(self.today - LOOKS_BACK, self.today + ONE_DAY)
        return {
            "is_asked": True,
            "sent": {name: self.request.POST.get(name, "") for name in ("provider", "first", "last")},
            "providers": [one_line(one) for one in providers_of(days, organization=organization)],
            "most_megabytes": MAX_BYTES >> 20,
            "fault": self.fault,
            "problems": [(line, one_line(reason)) for line, reason in self.problems[:PROBLEMS_SHOWN]],
            "problems_left": max(0, len(self.problems) - PROBLEMS_SHOWN),
            "result": None if self.result is None else _shown(self.result),
        }

    def _compared(self, organization: Organization) -> ReconciledInvoice:
        provider = invoicing_provider(self.request.POST.get("provider", ""))
        file = self.request.FILES.get("invoice")
        if file is None:
            raise InvalidParameter("invoice", "no file", A_FILE)
        invoice = read_invoice(file.read(MAX_BYTES + 1), provider=provider)
        with limited_reading(settings.database):
            return reconcile_invoice(invoice, organization=organization, days=self._days(invoice))

    def _days(self, invoice: Invoice) -> DayRange:
        """Those that are told, both included; else those that the invoice names."""
        told = {name: text for name in ("first", "last") if (text := self.request.POST.get(name, "").strip())}
        start = parse_day("first", told["first"]) if "first" in told else invoice.days.start
        end = parse_day("last", told["last"]) + ONE_DAY if "last" in told else invoice.days.end
        if not start < end <= start + timedelta(days=MAX_DAYS):
            expected = f"a last day on or after the first, and at most {MAX_DAYS:,} days in all"
            raise InvalidParameter("last", (end - ONE_DAY).isoformat(), expected)
        return DayRange(start, end)


def _choice(organization: Organization) -> Choice:
    href = address("reconcile", organization=organization.slug)
    return Choice(label=one_line(str(organization)), href=href, is_current=False)


def _shown(one: ReconciledInvoice) -> Line:
    total, lines = one.found.total, one.found.lines
    largest = _largest(lines)
    largest.sort(key=lambda line: (line.day or one.days.start, line.model))
    return {
        "provider": one_line(one.provider),
        "first": day_text(one.days.start),
        "last": day_text(one.days.end - ONE_DAY),
        "total": _line(total),
        "models": [_line(line) for line in _largest(one.found.models)],
        "models_left": max(0, len(one.found.models) - LINES_SHOWN),
        "lines": [_line(line) for line in largest],
        "lines_left": max(0, len(lines) - LINES_SHOWN),
        "unpriced": total.unpriced_calls,
        "rates_href": address("rates", organization=one.organization.slug),
        "others": ", ".join(map(one_line, one.other_providers)),
        "is_unmetered": total.metered_usd is None and not total.calls,
    }


def _largest(lines: Sequence[Reconciled]) -> list[Reconciled]:
    """As they are; of many, for an invoice may name tens of thousands of models, those with the largest differences."""
    if len(lines) <= LINES_SHOWN:
        return list(lines)
    return sorted(lines, key=lambda line: -abs(line.difference_usd))[:LINES_SHOWN]


def _line(line: Reconciled) -> Line:
    difference, percent = line.difference_usd, line.difference_percent
    is_metered = bool(line.calls) or line.metered_usd is not None
    return {
        "day": "" if line.day is None else day_text(line.day),
        "model": one_line(line.model),
        "invoiced": NONE if line.invoiced_usd is None else usd_text(line.invoiced_usd),
        "metered": NONE if line.metered_usd is None and not line.is_unpriced else usd_text(line.metered_usd),
        "difference": f"{'+' if difference > 0 else ''}{usd_text(difference)}",
        "percent": NONE if percent is None else f"{percent:+,}{PERCENT}",
        "calls": f"{line.calls:,}",
        "unpriced": line.unpriced_calls,
        "only": "only metered" if line.invoiced_usd is None else "" if is_metered else "only invoiced",
    }
