"""Alerts as people see them: what, how bad, since when, who has seen to it, how its deliveries fare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from costtrack.access.principals import Person
from costtrack.access.rows import may_change
from costtrack.conf import settings
from costtrack.dashboard.addresses import address
from costtrack.dashboard.words import instant_words
from costtrack.domain.periods import ZoneHistory
from costtrack.models import AlertDelivery, BudgetAlert
from costtrack.reporting.wording import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLine:
    """One channel that an alert goes to."""

    channel: str
    state: str
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """One alert."""

    id: str
    kind: str
    organization: str
    severity: str
    state: str
    message: str
    raised: str
    seen_by: str
    budget: str
    budget_href: str
    deliveries: Sequence[DeliveryLine]
    may_act: bool
    """Whether the person may acknowledge it."""


def alert_lines(
    alerts: Sequence[BudgetAlert], *, person: Person, zones: Mapping[int, ZoneHistory], zone: ZoneHistory
) -> list[AlertLine]:
    """A line of each (a query for the deliveries); `zones` are the organizations' by id, else `zone` is told in.

    Load the alerts with their organization, budget and who acknowledged them.
    """
    deliveries = _deliveries(alerts)
    return [_line(one, deliveries[one.pk], person=person, zone=_zone(one, zones, zone)) for one in alerts]


def _zone(alert: BudgetAlert, zones: Mapping[int, ZoneHistory], zone: ZoneHistory) -> ZoneHistory:
    return zone if alert.organization_id is None else zones.get(alert.organization_id, zone)


def _deliveries(alerts: Sequence[BudgetAlert]) -> Mapping[object, list[DeliveryLine]]:
    found: defaultdict[object, list[DeliveryLine]] = defaultdict(list)
    rows = AlertDelivery.objects.using(settings.database).filter(alert__in=[one.pk for one in alerts])
    for one in rows.select_related("channel").order_by("created_at", "id") if alerts else ():
        line = DeliveryLine(
            channel=one_line(one.channel.name),
            state=one.get_state_display(),
            last_error=one_line(one.last_error) if one.last_error else "",
        )
        found[one.alert_id].append(line)
    return found


def _line(alert: BudgetAlert, deliveries: Sequence[DeliveryLine], *, person: Person, zone: ZoneHistory) -> AlertLine:
    seen_by = ""
    if alert.acknowledged_at is not None:
        name = "somebody" if alert.acknowledged_by is None else alert.acknowledged_by.get_username()
        seen_by = f"{name}, {instant_words(alert.acknowledged_at, zone=zone)}"
    return AlertLine(
        id=str(alert.pk),
        kind=alert.get_kind_display(),
        organization="the site" if alert.organization is None else one_line(str(alert.organization)),
        severity=alert.severity,
        state=alert.state,
        message=alert.message,
        raised=instant_words(alert.raised_at, zone=zone),
        seen_by=seen_by,
        budget="" if alert.budget is None else one_line(alert.budget.name or f"budget {alert.budget_id}"),
        budget_href="" if alert.budget_id is None else address("budget", alert.budget_id),
        deliveries=deliveries,
        may_act=alert.state == "open" and may_change(person, alert),
    )
