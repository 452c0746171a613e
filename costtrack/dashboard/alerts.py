"""The alerts: looked for, read, acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.http import url_has_allowed_host_and_scheme

from costtrack.access.rows import may_change, rows_of, visible_rows
from costtrack.alerts.acknowledge import AlertStateConflict, acknowledge_alert
from costtrack.conf import settings
from costtrack.dashboard.actions import ActionPage
from costtrack.dashboard.addresses import address, choices
from costtrack.dashboard.alert_lines import alert_lines
from costtrack.dashboard.channels import channel_lines, may_test, tested_channel
from costtrack.dashboard.exports import export_links
from costtrack.dashboard.links import admin_address
from costtrack.dashboard.pages import NotAllowed, Page
from costtrack.domain.periods import ZoneHistory
from costtrack.models import BudgetAlert, Severity
from costtrack.models.alerts import ALERT_STATES
from costtrack.reporting.current_counters import zones_of
from costtrack.reporting.pages import Key, page_of
from costtrack.reporting.pages import Page as RowPage
from costtrack.reporting.parameters import InvalidParameter

PAGE_SIZE = 50
NEWEST_FIRST = Key(("raised_at", "id"))
READ_ONLY = "You may read this alert, not act on it: that is for the managers of its organization."
FILTERS: Mapping[str, Mapping[str, str]] = {
    "state": {name: name.capitalize() for name in ALERT_STATES},
    "severity": {str(value): str(value).capitalize() for value in Severity.values},
    "kind": {str(value): str(label).capitalize() for value, label in BudgetAlert.Kind.choices},
}
"""By the parameter what can be asked for, and what people call it."""


class AlertsPage(Page):
    """The alerts, newest first."""

    name = "alerts"
    heading = "Alerts"
    template_name = "costtrack/dashboard/alerts.html"
    parameters = (*FILTERS, "cursor", "tested")
    is_live = True

    def content(self) -> dict[str, Any]:
        """A page of them."""
        page = page_of(self._rows(), NEWEST_FIRST, cursor=self.given.get("cursor"), size=PAGE_SIZE)
        slug = None if self.organization is None else self.organization.slug
        asked = {name: self.given.get(name) for name in FILTERS}
        return {
            "alerts": alert_lines(page.rows, person=self.person, zones=self._zones(page), zone=self.zone),
            "filter_groups": [
                (name.capitalize(), choices(self.here, name, {"": "Any", **labels}, current=asked[name] or ""))
                for name, labels in FILTERS.items()
            ],
            "next_href": page.next_cursor and self.here.changed(cursor=page.next_cursor),
            "first_href": self.here.changed() if "cursor" in self.given else "",
            "exports": export_links("alerts", {"organization": slug, **asked}),
            "is_filtered": any(asked.values()),
            **self._channels(),
        }

    def _channels(self) -> dict[str, Any]:
        """Where alerts go, for those who may change that; else nothing is asked or shown."""
        if not may_test(self.person):
            return {"channels": None}
        asked = self.organization if "organization" in self.given else None
        lines = channel_lines(self.person, asked, zone=self.zone)
        return {
            "channels": lines,
            "tested": tested_channel(self.given.get("tested"), lines),
            "channels_href": admin_address(self.request, "alertchannel_changelist"),
        }

    def _rows(self) -> QuerySet[BudgetAlert]:
        """Those that the person may read, those about the site with them only where all is asked for."""
        rows = visible_rows(BudgetAlert.objects.using(settings.database), self.person)
        if self.organization is not None and "organization" in self.given:
            rows = rows_of(rows, [self.organization])
        for name, known in FILTERS.items():
            value = self.given.get(name)
            if value is not None and value not in known:
                raise InvalidParameter(name, value, f"one of {', '.join(known)}")
            if value is not None:
                rows = rows.filter(ALERT_STATES[value]) if name == "state" else rows.filter(**{name: value})
        return rows.select_related("organization", "budget", "acknowledged_by")

    def _zones(self, page: RowPage) -> Mapping[int, ZoneHistory]:
        if self.organization is not None or not page.rows:
            return {}
        return zones_of({one.organization for one in page.rows if one.organization}, using=settings.database)


class AcknowledgePage(ActionPage):
    """Say that somebody is seeing to an alert."""

    def done(self) -> str:
        """Acknowledge it; back to the page that it was asked from. Again changes nothing."""
        rows = BudgetAlert.objects.using(settings.database).select_related("organization")
        alert: BudgetAlert = self.found(rows, pk=self.kwargs["alert_id"])
        if not may_change(self.person, alert):
            raise NotAllowed(READ_ONLY)
        try:
            acknowledge_alert(alert, by=self.request.user)
        except AlertStateConflict as error:
            raise NotAllowed(str(error)) from error
        return self._back()

    def _back(self) -> str:
        """The page that was said, if it is one of this site; else the alerts."""
        said = self.request.POST.get("next", "")
        is_here = url_has_allowed_host_and_scheme(
            said, allowed_hosts={self.request.get_host()}, require_https=self.request.is_secure()
        )
        return said if is_here and said.startswith("/") else address("alerts")
