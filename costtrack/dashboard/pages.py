"""What every page shares: who looks, of which organizations; the parameters, errors, and the part that is renewed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.views import redirect_to_login
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.safestring import SafeString
from django.views.generic import View

from costtrack.access.principals import Person, Right
from costtrack.access.rows import visible_rows
from costtrack.conf import settings
from costtrack.dashboard.addresses import Here, address, given_parameters
from costtrack.dashboard.events import has_events
from costtrack.dashboard.frame import navigation, organization_choices
from costtrack.dashboard.words import instant_words, zone_name
from costtrack.domain.periods import ZoneHistory
from costtrack.models import BudgetAlert, Organization
from costtrack.models.alerts import ALERT_STATES
from costtrack.reporting.parameters import AN_ORGANIZATION, InvalidParameter, check_names, parse_text
from costtrack.reporting.read_limit import ReadTooLong, limited_reading
from costtrack.reporting.zones import reporting_zone

LAYOUT = "costtrack/dashboard/layout.html"
PROBLEM = "costtrack/dashboard/problem.html"
PART_HEADER = "Costtrack-Part"
"""A request with it gets the content alone, with an ETag."""
POLL_SECONDS = 15
MANY_ORGANIZATIONS = 20
"""The projects and agents of more than so many together are ranked where somebody asks for it, not on every page."""
NO_MEMBERSHIP = (
    "You are signed in, but belong to no organization. Ask an administrator to add you: in the admin, under "
    "Memberships, with the role viewer, manager or admin."
)


class NotAllowed(Exception):
    """Who looks is known, and may not."""


class Page(View):
    """A page for people who are logged in. What nobody grants them is not there: a 404."""

    http_method_names = ["get", "head", "options"]
    name: ClassVar[str]
    """Of the route; the navigation marks it."""
    heading: ClassVar[str]
    """What it is called, if that does not depend on what it shows."""
    template_name: ClassVar[str]
    """What is inside the layout."""
    parameters: ClassVar[tuple[str, ...]] = ()
    """The query parameters that it takes, besides `organization`."""
    is_live: ClassVar[bool] = False
    """Whether an open page renews itself."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Let people in who are logged in and belong somewhere; errors are pages, too."""
        if not request.user.is_authenticated:
            return redirect_to_login(
                request.get_full_path() if request.method in ("GET", "HEAD") else address("overview")
            )
        try:
            if not self.person.has(Right.READ):
                raise NotAllowed(NO_MEMBERSHIP)
            return super().dispatch(request, *args, **kwargs)
        except InvalidParameter as error:
            return self._problem(400, "That can not be shown", str(error))
        except NotAllowed as error:
            return self._problem(403, "This is not yours to do", str(error))
        except Http404 as error:
            return self._problem(404, "There is no such page", str(error))
        except ReadTooLong as error:
            return self._problem(503, "That takes too long", str(error))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or what is inside the layout."""
        return self.shown(is_part=PART_HEADER in request.headers)

    def shown(self, *, status: int = 200, is_part: bool = False) -> HttpResponse:
        """The page, or what is inside the layout. Nothing in it takes the database longer than it may."""
        check_names(self.given, known=("organization", *self.parameters))
        with limited_reading(settings.database):
            content = self._rendered(self.template_name, {**self.shared(), **self.content()})
            if is_part:
                return self._part(content)
            response = HttpResponse(self._rendered(LAYOUT, {"content": content, **self.layout()}), status=status)
        response["Cache-Control"] = "private, no-store"
        patch_vary_headers(response, ("Cookie", PART_HEADER))
        return response

    @property
    def title(self) -> str:
        """What it is called."""
        return self.heading

    @property
    def parents(self) -> list[tuple[str, str]]:
        """The pages above, each with its address."""
        return []

    def content(self) -> dict[str, Any]:
        """What the template shows."""
        raise NotImplementedError  # each page says

    def shared(self) -> dict[str, Any]:
        """What the templates of all pages may show."""
        return {"page": self, "here": self.here, "organization": self.organization, "zone": self.zone_label}

    def layout(self) -> dict[str, Any]:
        """What stands around the content."""
        return {
            **self.shared(),
            "title": self.title,
            "navigation": navigation(
                self.name, slug=self.given.get("organization"), is_superuser=self.person.is_superuser
            ),
            "organization_choices": organization_choices(self.name, self.granted, current=self.organization),
            "open_alerts": self.open_alerts,
            "as_of": self.as_of,
            "is_live": self.is_live,
            "poll_seconds": POLL_SECONDS,
            "events": self._events(),
            "user_name": self.request.user.get_username(),
        }

    @cached_property
    def person(self) -> Person:
        """Who looks."""
        return Person(self.request.user)

    @cached_property
    def now(self) -> datetime:
        """The instant that the page is of."""
        return timezone.now()

    @cached_property
    def given(self) -> dict[str, str]:
        """The parameters, but for empty ones."""
        return given_parameters(self.request.GET)

    @property
    def minute(self) -> datetime:
        """The minute that it is in: what moves with the clock alone does so once a minute, so that a 304 can be."""
        return self.now.replace(second=0, microsecond=0)

    @property
    def here(self) -> Here:
        """The present address."""
        return Here(self.request.path, self.given)

    @cached_property
    def granted(self) -> Sequence[Organization]:
        """All that the person may look at."""
        return self.person.organizations(Right.READ)

    @cached_property
    def organization(self) -> Organization | None:
        """The one that is asked for, else the only one there is; None: all of them. An unknown one is a 404."""
        slug = self.given.get("organization")
        if slug is None:
            return self.granted[0] if len(self.granted) == 1 else None
        parse_text("organization", slug, expected=AN_ORGANIZATION)
        found = next((one for one in self.granted if one.slug == slug), None)
        if found is None:
            raise Http404(f"organization: got {slug[:100]!r}, expected the slug of an organization that exists.")
        return found

    @property
    def organizations(self) -> Sequence[Organization]:
        """Those that the page is about."""
        return self.granted if self.organization is None else [self.organization]

    @property
    def summed_organizations(self) -> Sequence[Organization] | None:
        """The same for sums of the summaries; None: all that there are."""
        return self.person.summed(self.organizations, is_narrowed=self.organization is not None)

    @property
    def has_many_organizations(self) -> bool:
        """Whether it is about so many that their projects and agents are for each one's own page."""
        return len(self.organizations) > MANY_ORGANIZATIONS

    @cached_property
    def zone(self) -> ZoneHistory:
        """The zone that days are told in."""
        return reporting_zone(self.organization, among=None if self.organization else self.organizations)

    @property
    def zone_label(self) -> str:
        """Its name."""
        return zone_name(self.zone, at=self.now)

    @property
    def today(self) -> date:
        """Today's local date."""
        return self.zone.day_of(self.now)

    @property
    def as_of(self) -> str:
        """When the figures were read: they equal the ledger at that instant."""
        return f"{instant_words(self.now, zone=self.zone)} {self.zone_label}"

    @cached_property
    def open_alerts(self) -> int:
        """How many alerts nobody has seen to, of all that the person may look at."""
        return (
            visible_rows(BudgetAlert.objects.using(settings.database), self.person).filter(ALERT_STATES["open"]).count()
        )

    def found(self, rows: QuerySet[Any], **lookup: Any) -> Any:
        """The one row that the person may look at; a 404 for any other."""
        row: Model | None = visible_rows(rows, self.person).filter(**lookup).first()
        if row is None:
            raise Http404(f"{rows.model._meta.verbose_name}: there is none of this id that you may look at.")
        return row

    def _events(self) -> str:
        """Where a stream tells of changes; "" where there is none."""
        return address("events", organization=self.given.get("organization")) if has_events(self.request) else ""

    def _part(self, content: SafeString) -> HttpResponse:
        """The content alone; a 304 if the client has it. The time and the open alerts are told beside it."""
        response = HttpResponse(content)
        response["ETag"] = f'"{hashlib.sha256(content.encode()).hexdigest()}"'
        response["Cache-Control"] = "private, no-cache"
        patch_vary_headers(response, ("Cookie", PART_HEADER))
        answer = get_conditional_response(self.request, etag=response["ETag"], response=response)
        assert isinstance(answer, HttpResponse)
        answer["Costtrack-As-Of"] = self.as_of
        answer["Costtrack-Open-Alerts"] = str(self.open_alerts)
        return answer

    def _problem(self, status: int, title: str, detail: str) -> HttpResponse:
        """A page without a query: the database may be what is in trouble."""
        shown = {"title": title, "detail": detail, "status": status, "home": address("overview")}
        response = HttpResponse(self._rendered(PROBLEM, shown), status=status)
        response["Cache-Control"] = "private, no-store"
        return response

    def _rendered(self, template_name: str, context: dict[str, Any]) -> SafeString:
        return render_to_string(template_name, context, request=self.request)
