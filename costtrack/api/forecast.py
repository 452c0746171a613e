"""`GET forecast`: where the day, the week or the month that is under way will end."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.conditional import ConditionalView
from costtrack.api.summary import SummaryFilters
from costtrack.api.views import UNPRICED_HEADER
from costtrack.reporting.forecast import ForecastPeriod, PeriodForecast, forecast_of, forecast_period
from costtrack.reporting.forecast_shapes import forecast_shape


class ForecastView(ConditionalView):
    """What is spent, and expected. Parameters: period (default month), organization, and the filters of `summary`."""

    parameters = ("period",)
    filters = SummaryFilters

    @property
    def known_parameters(self) -> tuple[str, ...]:
        """Those of the filters, too."""
        return (*super().known_parameters, *self.filters.names())

    def get(self, request: Request) -> Response:
        """The forecast."""
        found = self.forecast()
        return Response(forecast_shape(found), headers={UNPRICED_HEADER: str(found.unpriced_calls)})

    def forecast(self) -> PeriodForecast:
        """What is asked for."""
        return forecast_of(
            self.period,
            at=timezone.now(),
            zone=self.zone,
            organizations=self.summed_organizations,
            owner=self.owner,
            told_by=[name for name in self.filters.names() if self.parameter(name)],
            narrow=self.narrow,
        )

    @property
    def period(self) -> ForecastPeriod:
        """To whose end."""
        text = self.parameter("period")
        return ForecastPeriod.MONTH if text is None else forecast_period(text)

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those that the filters leave."""
        asked = self.filters(self.request.query_params, queryset=rows)
        return asked.matching(organizations=self.organizations, owner=self.owner)
