"""What every view of the API shares: who asks, and for what; the parameters, the organization and its zone, errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import date
from functools import cached_property, wraps
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from costtrack.access.principals import Principal, Right
from costtrack.api.authentication import AgentKeyAuthentication, principal_of
from costtrack.api.negotiation import Negotiation
from costtrack.api.problems import problem_response
from costtrack.conf import settings
from costtrack.domain.periods import ZoneHistory
from costtrack.metering.request_ids import REQUEST_ID_HEADER, request_id_of
from costtrack.models import Agent, Organization, Project
from costtrack.reporting.parameters import AN_ORGANIZATION, InvalidParameter, check_names, parse_day, parse_text
from costtrack.reporting.read_limit import limited_reading
from costtrack.reporting.zones import reporting_zone


class HasRight(BasePermission):
    """Lets those in who are granted the view's right for any organization."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Which organizations that are is asked later."""
        assert isinstance(view, CostView)
        return view.principal.has(view.right)


class ProblemDocuments:
    """A base for REST framework views, before APIView: their errors are problem documents, refused calls included."""

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], HttpResponse | None]:
        """Of these views only; the host's other ones keep theirs."""
        return problem_response


class CostView(ProblemDocuments, APIView):
    """A view for those who are granted its right. People are authenticated as the host does; programs show a key."""

    right_to_read: ClassVar[Right] = Right.READ
    right_to_write: ClassVar[Right] = Right.INGEST
    """What a method other than GET, HEAD and OPTIONS needs."""
    permission_classes: tuple[type[BasePermission], ...] = (HasRight,)
    renderer_classes: tuple[type[BaseRenderer], ...] = (JSONRenderer,)
    parser_classes: tuple[type[BaseParser], ...] = (JSONParser,)
    content_negotiation_class = Negotiation
    versioning_class = None
    """The host's versions are of its own API."""
    parameters: ClassVar[tuple[str, ...]] = ()
    """The query parameters that reading takes, besides `organization` and the one that chooses a format."""
    takes_organization: ClassVar[bool] = True
    """Whether it takes `organization`."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Ours for keys, then the host's."""
        return [AgentKeyAuthentication(), *super().get_authenticators()]

    def get_authenticate_header(self, request: Request) -> str:
        """Our challenge, and the one that the host's views would have: that of its first way to authenticate."""
        challenges = (one.authenticate_header(request) for one in self.get_authenticators()[:2])
        return ", ".join(challenge for challenge in challenges if challenge)

    @property
    def right(self) -> Right:
        """What the request needs."""
        return self.right_to_write if self.is_write else self.right_to_read

    @property
    def is_write(self) -> bool:
        """Whether it writes. A method that the view does not have asks for no more than to be told so."""
        return self.request.method not in SAFE_METHODS and self.request.method in self.allowed_methods

    @cached_property
    def principal(self) -> Principal:
        """Who asks."""
        return principal_of(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """REST framework's, and a 400 for a query parameter that the view does not take."""
        super().initial(request, *args, **kwargs)
        check_names(request.query_params.dict(), known=self.known_parameters)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Django's; what GET and HEAD read is read as `reading` says."""
        read = getattr(self, "get", None)
        if read is not None:
            vars(self)["get"] = self._limited(read)
        super().setup(request, *args, **kwargs)

    def reading(self) -> AbstractContextManager[None]:
        """What GET runs in: a transaction of which no statement takes longer than it may."""
        return limited_reading(settings.database)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """REST framework's, and the request's id; so that is told where CostTrackMiddleware is not installed, too."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault(REQUEST_ID_HEADER, request_id_of(request._request))
        return final

    def _limited(self, read: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(read)
        def limited(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with self.reading():
                return read(request, *args, **kwargs)

        return limited

    @property
    def known_parameters(self) -> tuple[str, ...]:
        """The names of all query parameters that the request may have."""
        choose_format = api_settings.URL_FORMAT_OVERRIDE
        common = [*(["organization"] if self.takes_organization else []), *([choose_format] if choose_format else [])]
        return (*(() if self.is_write else self.parameters), *common)

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
        found = self.principal.organization(slug, right=self.right)
        if found is None:
            raise NotFound(f"organization: got {slug!r}, expected the slug of an organization that exists.")
        return found

    @cached_property
    def organizations(self) -> Sequence[Organization]:
        """Those to sum over: the one that is asked for, else all that are granted."""
        return self.principal.organizations(self.right) if self.organization is None else [self.organization]

    @property
    def summed_organizations(self) -> Sequence[Organization] | None:
        """The same for sums of the summaries; None: all that there are."""
        return self.principal.summed(self.organizations, is_narrowed=self.organization is not None)

    def organization_named(self, said: str) -> Organization | None:
        """The organization that a body names; if it names none, the one that is asked for, else the only one granted.

        None for one that is not granted, as for one that does not exist; and where it is not said which of several.
        """
        if said:
            return self.principal.organization(said, right=self.right)
        return self.organizations[0] if len(self.organizations) == 1 else None

    @property
    def owner(self) -> Project | Agent | None:
        """The project or agent that a key is narrowed to."""
        return self.principal.owner

    @cached_property
    def zone(self) -> ZoneHistory:
        """The zone that days are told in."""
        return reporting_zone(self.organization, among=None if self.organization else self.organizations)

    @property
    def today(self) -> date:
        """Today's local date."""
        return self.zone.day_of(timezone.now())

    @property
    def target_date(self) -> date:
        """The day that is asked for, by default today."""
        text = self.parameter("target_date")
        return self.today if text is None else parse_day("target_date", text)
