"""What every view of the API shares: who may read, the parameters, the organization and its zone, errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cached_property
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from costtrack.access.readers import may_read_costs, readable_organizations
from costtrack.api.problems import problem_response
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Organization
from costtrack.reporting.parameters import AN_ORGANIZATION, InvalidParameter, check_names, parse_day, parse_text
from costtrack.reporting.zones import reporting_zone


class MayReadCosts(BasePermission):
    """Lets those in who may read costs: staff."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether this person may read costs."""
        return may_read_costs(request.user)


class CostView(APIView):
    """A view of costs. Authentication and throttling are the host's; keys, formats and errors are ours."""

    permission_classes = (MayReadCosts,)
    renderer_classes: tuple[type[BaseRenderer], ...] = (JSONRenderer,)
    parameters: ClassVar[tuple[str, ...]] = ()
    """The query parameters that the view takes, besides `organization` and the one that chooses a format."""

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], HttpResponse | None]:
        """Problem documents, here only."""
        return problem_response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """REST framework's, and a 400 for a query parameter that the view does not take."""
        super().initial(request, *args, **kwargs)
        choose_format = api_settings.URL_FORMAT_OVERRIDE
        known = (*self.parameters, "organization", *([choose_format] if choose_format else []))
        check_names(request.query_params.dict(), known=known)

    def parameter(self, name: str) -> str | None:
        """The one value of a query parameter, None where it is not given."""
        given = self.request.query_params.getlist(name)
        if len(given) > 1:
            raise InvalidParameter(name, given, "one value")
        return given[0] if given else None

    @cached_property
    def organization(self) -> Organization | None:
        """The organization that is asked for, None where none is; an unknown one is a 404."""
        text = self.parameter("organization")
        if text is None:
            return None
        slug = parse_text("organization", text, expected=AN_ORGANIZATION)
        found = readable_organizations(self.request.user).filter(slug=slug).first()
        if found is None:
            raise NotFound(f"organization: got {slug!r}, expected the slug of an organization that exists.")
        return found

    @property
    def organizations(self) -> list[Organization] | None:
        """The organizations to sum over, None for all."""
        return None if self.organization is None else [self.organization]

    @cached_property
    def zone(self) -> ZoneHistory:
        """The zone that days are told in."""
        return reporting_zone(self.organization)

    @property
    def today(self) -> date:
        """Today's local date."""
        return self.zone.day_of(timezone.now())

    @property
    def target_date(self) -> date:
        """The day that is asked for, by default today."""
        text = self.parameter("target_date")
        return self.today if text is None else parse_day("target_date", text)
