"""Rates over REST: everybody's and the organizations' own are read; own ones are made, ended, deleted if unused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.access.principals import Right
from costtrack.access.rows import rows_of
from costtrack.api.base import CostView
from costtrack.api.fields import fields_checked, read_fields
from costtrack.api.history import note_in_history
from costtrack.api.ids import id_in
from costtrack.api.lists import ListView
from costtrack.api.rate_columns import COLUMNS, RateFilters
from costtrack.api.rate_input import END, NEW
from costtrack.conf import settings
from costtrack.exceptions import InvalidUsage, RateConflict
from costtrack.models import Organization, Rate
from costtrack.pricing.own_rates import create_own_rate, delete_own_rate, end_own_rate
from costtrack.pricing.validity import in_force, with_end
from costtrack.reporting.columns import column_shape
from costtrack.reporting.parameters import parse_moment
from costtrack.reporting.zones import reporting_zone

AN_ORGANIZATION = "the slug of an organization whose rates you manage"
A_BEGINNING = "the instant that the rate begins at, in ISO 8601 with its offset"
READ_ONLY = "You may read this rate, not change it: that is for the admins of its organization."
EVERYBODYS = "This rate is everybody's: `manage.py load_rates` or a superuser in the admin changes it. Make an own one."


class Stands(APIException):
    """409: another rate, or usage, stands in the way."""

    status_code = status.HTTP_409_CONFLICT


def readable_rates(organizations: Sequence[Organization]) -> QuerySet[Any]:
    """The global rates and those organizations' own, each with `ends_at`, loaded for the columns."""
    rows = with_end(rows_of(Rate.objects.using(settings.database), organizations))
    return rows.select_related("organization").prefetch_related("tiers")


class RatesView(ListView):
    """The rates that the caller may read, and new ones."""

    right_to_write = Right.MANAGE_RATES
    parameters = (*ListView.parameters, "as_of")
    filters = RateFilters
    columns = COLUMNS

    def rows(self) -> QuerySet[Any]:
        """The global ones, and the organizations' own; those in force, if an instant is named."""
        rows = readable_rates(self.organizations)
        text = self.parameter("as_of")
        return rows if text is None else rows.filter(in_force(parse_moment("as_of", text, zone=self.zone)))

    def get(self, request: Request) -> HttpResponseBase:
        """The global rates and the organizations' own ones, the newest first.

        With `as_of` those in force then; of a day, at its first instant.
        """
        return super().get(request)

    def post(self, request: Request) -> Response:
        """Make the organization's own price. Processes know it within RATE_CACHE_SECONDS.

        It prices what is recorded from then on, of usage since `effective_from`; what is recorded keeps its cost.
        """
        values = read_fields(request, NEW, what="rate")
        with fields_checked(), _conflicts_told(), transaction.atomic(using=settings.database):
            said = values.pop("organization", "")
            organization = self.organization_named(said)
            if organization is None:
                raise InvalidUsage("organization", said or None, AN_ORGANIZATION)
            if "effective_from" not in values:
                raise InvalidUsage("effective_from", None, A_BEGINNING)
            rate = create_own_rate(organization, **values)
            note_in_history(request.user, rate, action="added")
        address = request.build_absolute_uri(f"{request.path.rstrip('/')}/{rate.pk}")
        return Response(_shape(_read(rate), self), status=status.HTTP_201_CREATED, headers={"Location": address})


class OneRateView(CostView):
    """A view of one rate; 404 for one that is not there, or that the caller may not read."""

    right_to_write = Right.MANAGE_RATES

    @cached_property
    def rate(self) -> Rate:
        """The one of the path. Raises PermissionDenied where the caller writes, and may only read it."""
        text = str(self.kwargs["rate_id"])
        readable = self.principal.organizations(Right.READ) if self.organization is None else [self.organization]
        key = id_in(text)
        found = None if key is None else readable_rates(readable).filter(pk=key).first()
        if found is None:
            raise _unknown(text)
        rate: Rate = found
        if self.is_write:
            if rate.organization is None:
                raise PermissionDenied(EVERYBODYS)
            if self.principal.organization(rate.organization.slug, right=self.right) is None:
                raise PermissionDenied(READ_ONLY)
        return rate


class RateView(OneRateView):
    """One rate."""

    def get(self, request: Request, rate_id: str) -> Response:
        """What it costs, since when and until when."""
        return Response(_shape(self.rate, self))

    def delete(self, request: Request, rate_id: str) -> Response:
        """Delete an own rate that has priced nothing; the one before it holds on. A used one can only be ended."""
        rate = self.rate
        with _conflicts_told(gone=rate_id), transaction.atomic(using=settings.database):
            delete_own_rate(rate)
            note_in_history(request.user, rate, action="deleted")
        return Response(status=status.HTTP_204_NO_CONTENT)


class RateEndView(OneRateView):
    """An own rate's end."""

    def post(self, request: Request, rate_id: str) -> Response:
        """Let an own rate end, by default now; a rate without prices, made for that, follows it.

        From then on the model is unpriced for the organization, whatever the global rates say; a service tier is priced
        by the organization's standard rate.
        """
        rate = self.rate
        values = {} if request.META.get("CONTENT_LENGTH") in (None, "", "0") else read_fields(request, END, what="end")
        ends_at = values.get("ends_at", timezone.now())
        with fields_checked(), _conflicts_told(gone=rate_id), transaction.atomic(using=settings.database):
            note_in_history(request.user, end_own_rate(rate, ends_at=ends_at), action="added")
            note_in_history(request.user, rate, action="changed", fields=("ends_at",))
        return Response(_shape(_read(rate), self))


@contextmanager
def _conflicts_told(*, gone: str = "") -> Iterator[None]:
    """What stands in the way of the work inside is a 409; the rate `gone` meanwhile, a 404."""
    try:
        yield
    except RateConflict as error:
        raise Stands(str(error)) from error
    except Rate.DoesNotExist as error:
        raise _unknown(gone) from error


def _read(rate: Rate) -> Rate:
    assert rate.organization is not None
    row: Rate = readable_rates([rate.organization]).get(pk=rate.pk)
    return row


def _shape(rate: Rate, view: CostView) -> dict[str, Any]:
    """In the zone of its organization; of a global one in that of the answer."""
    zone = view.zone if rate.organization is None else reporting_zone(rate.organization)
    return column_shape(COLUMNS, rate, zone=zone)


def _unknown(text: str) -> NotFound:
    return NotFound(f"rate: got {text[:50]!r}, expected the id of a rate.")
