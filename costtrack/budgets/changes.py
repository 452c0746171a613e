"""Making and changing budgets: the only place that may, because every process has to be told.

Who changes a budget takes the organization FOR UPDATE and raises its epoch. So all writers in flight end first, all
later ones read the new list, and a reservation made with an old one is told that it is stale.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, transaction
from django.db.models import F, Model

from costtrack.budgets.defaults import add_default_thresholds, with_defaults
from costtrack.budgets.rebuild import wake_counters
from costtrack.budgets.redis_holds import tell_epoch
from costtrack.conf import settings
from costtrack.exceptions import BudgetNotFound
from costtrack.models import Agent, Budget, BudgetChange, Organization, Project

CHANGEABLE = ("name", "limit", "is_unlimited", "enforcement", "on_unpriced", "on_expiry", "on_unavailable", "is_active")
"""What a budget may be changed in; all else says which one it is."""

OWNERS: Mapping[str, type[Model]] = {"organization": Organization, "project": Project, "agent": Agent}

_KNOWN = {name for field in Budget._meta.fields for name in (field.name, field.attname)}
_CHOICES = {
    field.name: [str(key) for key, _ in field.flatchoices if key] for field in Budget._meta.fields if field.choices
}

logger = logging.getLogger("costtrack")


@contextmanager
def changing_budgets(organization_id: int, *, using: str | None = None) -> Iterator[None]:
    """A transaction (a savepoint, inside a caller's) in which budgets of the organization may be written."""
    alias = using or settings.database
    with transaction.atomic(using=alias):
        organizations = Organization.objects.using(alias).filter(id=organization_id)
        list(organizations.select_for_update().values_list("id"))
        yield
        if connections[alias].vendor != "postgresql":  # there a trigger moves it on, whoever writes
            organizations.update(budget_epoch=F("budget_epoch") + 1)
        transaction.on_commit(lambda: tell_epoch(organization_id, using=alias), using=alias, robust=True)


def create_budget(*, changed_by: Any = None, note: str = "", using: str | None = None, **fields: Any) -> Budget:
    """Make a budget; it holds within two seconds, and counts what its period has spent already.

    `fields` are those of Budget: organization, period, enforcement, limit (or is_unlimited=True), metric (default
    cost_usd), and what narrows it down: project, agent, thread_id, model ..., per. Without `enforcement` it is soft for
    a week or a month, with thresholds at 80 and 100 % of its limit, else hard. The tokens of each thread are 100,000
    where no limit is given. `changed_by` is a user; somebody anonymous is nobody. Raises ValidationError, with the
    field, for what is not acceptable.
    """
    alias = using or settings.database
    person = _person(changed_by)
    _check_owners(fields)
    budget = Budget(**with_defaults(_plain(fields)))
    budget.full_clean(validate_constraints=False)
    with changing_budgets(budget.organization_id, using=alias):
        budget.write(using=alias, force_insert=True)
        if "enforcement" not in fields:
            add_default_thresholds(budget, using=alias)
        _note(budget, {}, _said(budget, [field.name for field in Budget._meta.fields]), person, note, alias)
    return budget


def change_budget(
    budget: Budget, *, changed_by: Any = None, note: str = "", using: str | None = None, **changes: Any
) -> Budget:
    """Change what may be changed; a new limit holds at the next reservation. Gives the budget as it is then.

    Raises ValidationError for a value that is not acceptable, and for a field that says which budget it is;
    BudgetNotFound if somebody has deleted it.
    """
    alias = using or settings.database
    person = _person(changed_by)
    fixed = sorted((_KNOWN & set(changes)) - set(CHANGEABLE))
    if fixed:
        raise ValidationError(
            {
                name: "This never changes. Make another budget, and let this one rest (is_active=False)."
                for name in fixed
            }
        )
    changes = _plain(changes)
    with changing_budgets(budget.organization_id, using=alias):
        current = Budget.objects.using(alias).select_for_update().filter(pk=budget.pk).first()
        if current is None:
            raise BudgetNotFound(budget.pk, budget.name)
        before = _said(current, changes)
        for name, value in changes.items():
            setattr(current, name, value)
        current.full_clean(validate_constraints=False)
        after = _said(current, changes)
        changed = [name for name in changes if before[name] != after[name]]
        if changed:
            if _is_raised(before.get("limit", ""), after.get("limit", "")):
                current.alert_generation += 1
            current.write(using=alias, update_fields=[*changed, "alert_generation"])
            if "is_active" in changed and current.is_active:
                wake_counters(current.id, now=datetime.now(UTC), using=alias)
            _note(
                current,
                {name: before[name] for name in changed},
                {name: after[name] for name in changed},
                person,
                note,
                alias,
            )
    return current


def delete_budget(budget: Budget, *, changed_by: Any = None, using: str | None = None) -> None:
    """Delete it with its counters and history. To keep those, let it rest: `change_budget(..., is_active=False)`.

    Who it was is all that stays, in the log.
    """
    alias = using or settings.database
    who = str(_person(changed_by) or "somebody")
    told = (budget.pk, budget.name, who)
    with changing_budgets(budget.organization_id, using=alias):
        if Budget.objects.using(alias).filter(pk=budget.pk).delete_unrecorded():
            transaction.on_commit(lambda: logger.info("Budget %s, %r, was deleted by %r.", *told), using=alias)


def _check_owners(fields: Mapping[str, Any]) -> None:
    """A slug in place of a row would be a ValueError of Django's."""
    wrong = {name: model for name, model in OWNERS.items() if not isinstance(fields.get(name), (model, NoneType))}
    if wrong:
        raise ValidationError(
            {
                name: f"Got {fields[name]!r}, expected a row: {model.__name__}.objects.get(slug=...)."
                for name, model in wrong.items()
            }
        )


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as columns take them: a float by its shortest decimal form, as everywhere; texts on one line."""
    problems: dict[str, str] = {}
    plain: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in _KNOWN:
            problems[name] = f"A budget has no such field. Fields are: {', '.join(sorted(_KNOWN))}."
        elif name == "limit" and isinstance(value, bool):
            problems[name] = f"Got {value!r}, expected a number."
        elif isinstance(value, str) and not value.isprintable():
            problems[name] = f"Got {value!r}, expected text on one line, without control characters."
        elif value not in (None, "") and (choices := _CHOICES.get(name)) and value not in choices:
            problems[name] = f"Got {value!r}, expected one of: {', '.join(choices)}."
        elif isinstance(value, float):
            plain[name] = Decimal(repr(value))
        else:
            plain[name] = "" if value is None and name == "name" else value
    if problems:
        raise ValidationError(dict(problems))
    return plain


def _is_raised(before: str | None, after: str | None) -> bool:
    """Whether a limit is higher than it was, as `_said` writes both; None is no limit."""
    if before == after or before is None:
        return False
    return after is None or Decimal(after) > Decimal(before)


def _person(changed_by: Any) -> Any:
    """The user that it was, None for nobody known: so a view may give its `request.user`."""
    if changed_by is None or getattr(changed_by, "is_anonymous", False):
        return None
    if not isinstance(changed_by, get_user_model()) or changed_by.pk is None:
        raise ValidationError({"changed_by": f"Got {changed_by!r}, expected a user that is stored, or None."})
    return changed_by


def _note(budget: Budget, before: dict[str, Any], after: dict[str, Any], person: Any, note: str, alias: str) -> None:
    BudgetChange.objects.using(alias).create(
        budget=budget, before=before, after=after, changed_by=person, note=note[:500]
    )


def _said(budget: Budget, names: Any) -> dict[str, Any]:
    """The fields as JSON keeps them: decimals as plain text."""
    values: dict[str, Any] = {}
    for name in names:
        value = getattr(budget, name)
        if isinstance(value, Model):
            value = value.pk
        if isinstance(value, Decimal):
            value = f"{value.normalize():f}"
        elif hasattr(value, "isoformat"):
            value = DjangoJSONEncoder().default(value)
        if name not in ("id", "created_at", "alert_generation"):
            values[name] = value
    return values
