"""The filters of the ledger's rows, and which of them an index answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, Subquery

from costtrack.api.filters import AgentFilter, CostFilterSet, FlagFilter, ProjectFilter, TextFilter, choices_of
from costtrack.api.ids import id_in
from costtrack.conf import settings
from costtrack.domain.events import CostSource, Outcome, UsageKind
from costtrack.metering.ledger.keys import hash_of_key
from costtrack.models import Organization, ResourceUsage, UsageKey
from costtrack.reporting.parameters import InvalidParameter
from costtrack.reporting.tags import LONGEST_TAG, of_environment, parse_tag, tagged

AN_ID = "the id of a usage record"
INDEXED = ("thread_id", "customer", "run", "corrects", "idempotency_key")
INDEXED_TOGETHER = ("entity_type", "entity_id")


def _check_id(text: str) -> None:
    if id_in(text) is None:
        raise ValidationError(AN_ID)


def _check_tag(text: str) -> None:
    try:
        parse_tag("tag", text)
    except InvalidParameter as error:
        raise ValidationError(error.expected) from None


class UsageFilters(CostFilterSet):
    """By what a row says; a text matches exactly."""

    kind = django_filters.ChoiceFilter(choices=choices_of([kind.value for kind in UsageKind]))
    project = ProjectFilter(field_name="project__slug")
    agent = AgentFilter(field_name="agent__slug")
    sprint = TextFilter()
    workflow = TextFilter()
    stage = TextFilter()
    thread_id = TextFilter()
    request_id = TextFilter()
    entity_type = TextFilter()
    entity_id = TextFilter()
    endpoint = TextFilter()
    customer = TextFilter()
    user = TextFilter()
    run = TextFilter()
    provider = TextFilter()
    gateway = TextFilter()
    model = TextFilter()
    service_tier = TextFilter()
    resource_type = TextFilter()
    outcome = django_filters.ChoiceFilter(choices=choices_of([outcome.value for outcome in Outcome]))
    cost_source = django_filters.ChoiceFilter(choices=choices_of([source.value for source in CostSource]))
    is_estimated = FlagFilter()
    tag = TextFilter(
        method="with_tag", max_length=LONGEST_TAG, validators=[_check_tag], help_text="A tag of it, as NAME=VALUE."
    )
    environment = TextFilter(method="in_environment", help_text="Its tag `environment`, or `env`.")
    idempotency_key = TextFilter(
        method="sent_with", max_length=255, help_text="The usage that was sent with it; corrections have keys apart."
    )
    corrects = TextFilter(method="correcting", validators=[_check_id], help_text=AN_ID)

    organizations: Sequence[Organization] = ()
    """Those that are asked about."""

    @property
    def by_index(self) -> tuple[str, ...]:
        """The filters that are asked for and that an index answers."""
        names = (*INDEXED, *(INDEXED_TOGETHER if all(map(self.data.get, INDEXED_TOGETHER)) else ()))
        return tuple(name for name in names if name in self.data)

    @property
    def by_looking(self) -> tuple[str, ...]:
        """The ones for which rows have to be looked at."""
        return tuple(name for name in self.names() if name in self.data and name not in self.by_index)

    def matching_by_index(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of `rows` that the filters with an index let through. Ask for `matching` first, which checks them."""
        for name in self.by_index:
            rows = self.filters[name].filter(rows, self.form.cleaned_data[name])
        return rows

    def with_tag(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """By looking at the tags: no index has them."""
        return tagged(rows, parse_tag(name, value))

    def in_environment(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """By either of the tags that tell of it."""
        return of_environment(rows, value)

    def sent_with(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """By way of the keys (a query), which have the index that the ledger lacks."""
        return rows.filter(id__in=self._sent, idempotency_key=value)

    def correcting(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """A correction is on its original's day, which the index of corrections holds."""
        original = ResourceUsage.objects.using(rows.db).filter(id=int(value))
        return rows.filter(corrects_id=int(value), day=Subquery(original.values("day")[:1]))

    @cached_property
    def _sent(self) -> list[int]:
        key_hash = UUID(hash_of_key(self.form.cleaned_data["idempotency_key"]))
        keys = UsageKey.objects.using(settings.database)
        keys = keys.filter(organization__in=self.organizations, key_hash=key_hash)
        return list(keys.values_list("usage_id", flat=True))
