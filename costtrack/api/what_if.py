"""`GET what-if` and `GET recommendations`: what usage would have cost otherwise, and what that suggests."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.spans import SpanView
from costtrack.api.summary import SummaryFilters
from costtrack.exceptions import RateNotFound
from costtrack.models import Agent, Project
from costtrack.reporting.parameters import InvalidParameter, parse_moment, parse_text
from costtrack.reporting.recommendations import largest_first, recommendations
from costtrack.reporting.recommendations.shapes import recommendations_shape
from costtrack.reporting.what_if.ask import other_prices, what_if_of
from costtrack.reporting.what_if.scope import ScopedUsage, scoped_usage
from costtrack.reporting.what_if.shapes import what_if_shape


class WhatIfView(SpanView):
    """What the calls of a period would have cost on another model, or by the rates of another instant.

    Days are local ones of each organization.
    """

    parameters = ("from", "to", "target_model", "target_provider", "target_gateway", "at")
    filters = SummaryFilters

    @property
    def known_parameters(self) -> tuple[str, ...]:
        """Those of the filters, too."""
        return (*super().known_parameters, *self.filters.names())

    def get(self, request: Request) -> Response:
        """By model what is booked, what it would have cost, and the difference; and what could not be priced."""
        at = self.parameter("at")
        for name in ("target_provider", "target_gateway"):
            if (given := self.parameter(name)) is not None and self.parameter("target_model") is None:
                raise InvalidParameter(name, given, "target_model with it")
        prices = other_prices(
            self._text("target_model"),
            self._text("target_provider"),
            self._text("target_gateway"),
            at=None if at is None else parse_moment("at", at, zone=self.zone),
        )
        try:
            found = what_if_of(self._usage(), days=self.days, prices=prices)
        except RateNotFound as error:
            raise InvalidParameter("target_model", error.model, "the id of a model that has a rate") from None
        return Response(what_if_shape(found, zone=self.zone))

    def _text(self, name: str) -> str:
        text = self.parameter(name)
        return "" if text is None else parse_text(name, text)

    def _usage(self) -> ScopedUsage:
        given = self.request.query_params
        named = [name for name in self.filters.names() if name in given]
        whole = scoped_usage(self.days, {}, organizations=self.organizations, owner=self.owner, narrowed_by=named)
        ledger, summaries = (
            self.filters(given, queryset=rows).matching(organizations=self.organizations, owner=self.owner)
            for rows in (whole.ledger, whole.summaries)
        )
        return ScopedUsage(ledger=ledger, summaries=summaries, organizations=self.organizations)


class RecommendationsView(SpanView):
    """What would cost less, from the usage of a period. Savings of different kinds must not be added up."""

    parameters = ("from", "to")

    def get(self, request: Request) -> Response:
        """The largest saving first."""
        owner, days = self.owner, self.days
        project = owner if isinstance(owner, Project) else None
        agent = owner if isinstance(owner, Agent) else None
        found = largest_first(
            one
            for organization in self.organizations
            for one in recommendations(organization, start=days.start, end=days.end, project=project, agent=agent)
        )
        return Response(recommendations_shape(found, days=days, zone=self.zone))
