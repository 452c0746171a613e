"""What is reserved and not used yet, as people see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from costtrack.dashboard.addresses import address
from costtrack.dashboard.words import instant_words, quantity
from costtrack.domain.periods import ZoneHistory
from costtrack.models import Organization
from costtrack.reporting.holds import OutstandingHold, outstanding_holds
from costtrack.reporting.wording import one_line

HOLDS_SHOWN = 20
OF_WHOM = ("project", "agent", "endpoint")
OF_WHAT = ("resource_type", "provider", "model")


def hold_lines(organizations: Sequence[Organization], *, now: datetime, zone: ZoneHistory) -> list[dict[str, object]]:
    """The oldest holds of these organizations: what for, whose, how much of which budget, until when."""
    several = len(organizations) > 1
    holds = outstanding_holds(organizations, now=now, limit=HOLDS_SHOWN)
    return [_line(one, zone=zone, several=several) for one in holds]


def _line(hold: OutstandingHold, *, zone: ZoneHistory, several: bool) -> dict[str, object]:
    owners = [hold.organization] if several else []
    owners += [hold.about[name] for name in OF_WHOM if hold.about.get(name)]
    what = [hold.about[name] for name in OF_WHAT if hold.about.get(name)]
    return {
        "id": str(hold.id),
        "what": one_line(" ".join(map(str, what))),
        "owner": one_line(" / ".join(map(str, owners))),
        "amounts": [
            (
                quantity(one.amount, one.metric),
                one_line(f"{one.budget} {one.subject}".strip()),
                address("budget", one.budget_id),
            )
            for one in hold.amounts
        ],
        "since": instant_words(hold.admitted_at, zone=zone),
        "until": instant_words(hold.expires_at, zone=zone),
        "standing": "charged until its call is recorded"
        if hold.state == "charged"
        else "has expired"
        if hold.is_expired
        else "",
    }
