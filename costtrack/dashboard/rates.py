"""The rates: what is used and has no price, how old the prices are, and what each of them is, at any date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from costtrack.access.rows import rows_of
from costtrack.conf import settings
from costtrack.dashboard.exports import export_links
from costtrack.dashboard.links import admin_address
from costtrack.dashboard.pages import Page
from costtrack.dashboard.periods import day_text
from costtrack.dashboard.rate_lines import RateLine, rate_line
from costtrack.dashboard.words import NONE, share_text
from costtrack.domain.periods import DayRange
from costtrack.models import Rate
from costtrack.pricing.load_age import OLD_AFTER, loaded_prices
from costtrack.pricing.ratebook import current_ratebook
from costtrack.pricing.validity import in_force, with_end
from costtrack.reporting.pages import Key, page_of
from costtrack.reporting.parameters import InvalidParameter, parse_day, parse_text
from costtrack.reporting.unpriced import UnpricedUsage, unpriced_usage
from costtrack.reporting.used_rates import rates_of_usage
from costtrack.reporting.wording import counted, one_line

LOOKS_BACK = timedelta(days=90)
PAGE_SIZE = 50
BY_NAME = Key(
    ("model", "provider", "resource_type", "service_tier", "effective_from", "id"),
    is_descending=False,
)
"""The dates of a model, one below another."""
MODELS: Mapping[str, str] = {"": "In use, and own", "all": "All"}
"""By the value of the parameter what people call it, as below."""
DATES: Mapping[str, str] = {"": "In force", "all": "All dates"}


class RatesPage(Page):
    """Coverage, and the rates that are in force at a date."""

    name = "rates"
    heading = "Rates"
    template_name = "costtrack/dashboard/rates.html"
    parameters = ("as_of", "model", "models", "dates", "cursor")

    @cached_property
    def day(self) -> date | None:
        """The date that is asked for; None: now."""
        return parse_day("as_of", self.given["as_of"]) if "as_of" in self.given else None

    @property
    def instant(self) -> datetime:
        """The first of that date, in the page's zone."""
        return self.now if self.day is None else self.zone.start_of(self.day)

    @cached_property
    def days(self) -> DayRange:
        """Those whose usage is looked at."""
        return DayRange(self.today - LOOKS_BACK, self.today + timedelta(days=1))

    def content(self) -> dict[str, Any]:
        """What has no price first; then a page of the rates."""
        page = page_of(self._rows(), BY_NAME, cursor=self.given.get("cursor"), size=PAGE_SIZE)
        slug = None if self.organization is None else self.organization.slug
        return {
            **self._coverage(),
            **self._age(),
            "day": self.day,
            "rates_of": "now" if self.day is None else f"on {day_text(self.day)}",
            "lines": [self._rate(one) for one in page.rows],
            "model": self.given.get("model", ""),
            "selects": [
                (name, title, known.items(), self._choice(name, known))
                for name, title, known in (("models", "Models", MODELS), ("dates", "Dates", DATES))
            ],
            "kept": self.here.kept("as_of", "model", "models", "dates"),
            "all_href": self.here.changed(models="all"),
            "is_narrow": not self._choice("models", MODELS),
            "clear_href": self.here.changed(as_of=None, model=None, models=None, dates=None),
            "is_filtered": any(name in self.given for name in ("as_of", "model", "models", "dates")),
            "next_href": page.next_cursor and self.here.changed(cursor=page.next_cursor),
            "first_href": self.here.changed() if "cursor" in self.given else "",
            "rates_href": admin_address(self.request, "rate_changelist"),
            "import_href": admin_address(self.request, "rate_import"),
            "exported": "all rates" if self._choice("dates", DATES) else "all rates in force then",
            "exports": export_links("rates", {"organization": slug, "as_of": self._exported_as_of()}),
        }

    def _coverage(self) -> dict[str, Any]:
        coverage = unpriced_usage(self.days, organizations=self.summed_organizations)
        return {
            "days": int(LOOKS_BACK.days),
            "calls": f"{coverage.calls:,}",
            "unpriced": f"{coverage.unpriced_calls:,}",
            "covered": share_text(coverage.calls - coverage.unpriced_calls, coverage.calls, places=2),
            "models": [self._missing(one) for one in coverage.models],
            "others": coverage.others,
        }

    def _age(self) -> dict[str, Any]:
        """How old everybody's prices are; whether somebody uses them is not told."""
        found = loaded_prices(using=settings.database)
        if found.loaded_at is None:
            return {"loaded": NONE, "age": "none was loaded yet", "are_old": False}
        days = (self.now - found.loaded_at).days
        return {
            "loaded": day_text(self.zone.day_of(found.loaded_at)),
            "age": f"{counted(days, 'day')} ago" if days else "today",
            "are_old": found.are_old(self.now),
            "old_after": OLD_AFTER.days,
        }

    def _rows(self) -> QuerySet[Rate]:
        """The rates that the person may read, as far as they are asked for."""
        rows = with_end(rows_of(Rate.objects.using(settings.database), self.organizations))
        if not self._choice("models", MODELS):
            used = rates_of_usage(self.days, organizations=self.summed_organizations)
            rows = rows.filter(Q(pk__in=used) | Q(organization__isnull=False))
        if not self._choice("dates", DATES):
            rows = rows.filter(in_force(self.instant))
        if "model" in self.given:
            rows = rows.filter(model__icontains=parse_text("model", self.given["model"]))
        return rows.select_related("organization").prefetch_related("tiers")

    def _choice(self, name: str, known: Mapping[str, str]) -> str:
        value = self.given.get(name, "")
        if value not in known:
            raise InvalidParameter(name, value, f"one of {', '.join(filter(None, known))}, or none")
        return value

    def _exported_as_of(self) -> str | None:
        if self._choice("dates", DATES):
            return None
        return self.minute.isoformat() if self.day is None else self.day.isoformat()

    def _rate(self, rate: Rate) -> RateLine:
        return rate_line(rate, at=self.instant, zone=self.zone)

    def _missing(self, one: UnpricedUsage) -> dict[str, Any]:
        rate = current_ratebook(using=settings.database).find(
            model=one.model,
            provider=one.provider,
            organization_id=None if self.organization is None else self.organization.pk,
            resource_type=one.resource_type,
            at=self.now,
        )
        return {
            "has_rate": rate is not None,
            "model": one_line(one.model),
            "provider": one_line(one.provider),
            "resource_type": one_line(one.resource_type),
            "calls": f"{one.unpriced_calls:,}",
            "last": day_text(one.last_day),
            "add_href": admin_address(
                self.request, "rate_add", provider=one.provider, model=one.model, resource_type=one.resource_type
            ),
        }
