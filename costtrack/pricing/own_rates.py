"""An organization's own rates: made, ended, deleted while they have priced nothing. History stands.

The global ones are loaded (`costtrack.pricing.loading`), or written by superusers in the admin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from costtrack.conf import settings
from costtrack.domain.events import ResourceType, ServiceTier
from costtrack.exceptions import RateConflict
from costtrack.models import Organization, Rate, RateTier
from costtrack.models.rates import PRICE_FIELDS
from costtrack.pricing.canonical import canonical_tier, rate_names
from costtrack.pricing.rate_rules import (
    OTHER_PRICES,
    UNIT_PRICE_OF_TOKENS,
    clean_aliases,
    prices_no_tokens,
    validate_price,
)
from costtrack.pricing.ratebook import forget_rates
from costtrack.pricing.stored_rates import stored_rates
from costtrack.pricing.validity import KEY_FIELDS

ONE_LINE = ("provider", "model", "resource_type", "source", "source_version")
NOT_ON_ONE_LINE = gettext_lazy("Enter text on one line, without control characters.")
YEARS = range(1970, 9000)

Problems = dict[str, Any]


def create_own_rate(
    organization: Organization, *, tiers: Sequence[Mapping[str, Any]] = (), using: str | None = None, **fields: Any
) -> Rate:
    """Make the organization's own price of a model, or of another resource, from `effective_from` on.

    `fields` are those of Rate; each of `tiers` has `above_input_tokens` and prices. What is recorded keeps its cost,
    however early the rate begins. Raises ValidationError, with the field (of a tier `tiers[0].input_usd_per_million`),
    and RateConflict if there is a rate of the same key and beginning.
    """
    alias = using or settings.database
    rate = Rate(organization=organization, **fields)
    rows = [RateTier(rate=rate, **tier) for tier in tiers]
    check_rate(rate, rows)
    rate.provider, rate.model = rate_names(rate.provider, rate.model)
    return store_rate(rate, rows, using=alias)


def end_own_rate(rate: Rate, *, ends_at: datetime, using: str | None = None) -> Rate:
    """Let the rate end: one without any price, which is returned, follows it from `ends_at` on.

    From then on the model is unpriced for the organization, whatever the global rates say; a service tier is priced by
    the organization's standard rate. Raises ValidationError for an end before its beginning, RateConflict if it has
    ended by then or has no price, Rate.DoesNotExist if it is gone.
    """
    alias = using or settings.database
    with transaction.atomic(using=alias):
        current = _locked(rate, using=alias)
        problem = _problem_of_instant(ends_at)
        if problem is None and ends_at <= current.effective_from:
            problem = _("The rate begins at %(start)s; it can not end by then.") % {
                "start": current.effective_from.isoformat()
            }
        if problem is not None:
            raise ValidationError({"ends_at": problem})
        if next(stored_rates(using=alias, id=current.pk)).is_withdrawn:
            raise RateConflict(f"Rate {current.pk} has no price: it ends the ones before it.")
        following = _of_key(current, using=alias).filter(effective_from__gt=current.effective_from)
        if (follower := following.order_by("effective_from").first()) and follower.effective_from <= ends_at:
            at = follower.effective_from.isoformat()
            raise RateConflict(f"Rate {current.pk} ends by then already: rate {follower.pk} follows it from {at} on.")
        key = {name: getattr(current, name) for name in (*KEY_FIELDS, "organization_id", "aliases", "source")}
        return store_rate(Rate(effective_from=ends_at, **key), (), using=alias)


def delete_own_rate(rate: Rate, *, using: str | None = None) -> None:
    """Delete a rate that has priced nothing, as if it had never been; the one before it holds on.

    Raises RateConflict for a used one, Rate.DoesNotExist if it is gone.
    """
    alias = using or settings.database
    try:
        with transaction.atomic(using=alias):
            if _locked(rate, using=alias).is_used:
                raise _stands(rate)
            Rate.objects.using(alias).filter(pk=rate.pk).delete()
            transaction.on_commit(forget_rates, using=alias)
    except (ProtectedError, IntegrityError) as error:
        raise _stands(rate) from error


def _stands(rate: Rate) -> RateConflict:
    return RateConflict(f"Rate {rate.pk} has priced usage, and stands for good. End it, or let another one follow it.")


def _locked(rate: Rate, *, using: str) -> Rate:
    """The rate as it is stored; a batch that is just about to use it waits, and prices anew if it changes."""
    return Rate.objects.using(using).select_for_update().get(pk=rate.pk)


def _of_key(rate: Rate, *, using: str) -> QuerySet[Rate]:
    key = {name: getattr(rate, name) for name in (*KEY_FIELDS, "organization_id")}
    return Rate.objects.using(using).filter(**key)


def store_rate(rate: Rate, tiers: Sequence[RateTier], *, using: str) -> Rate:
    """Save a new rate with its tiers; RateConflict if there is one of the same key and beginning."""
    try:
        with transaction.atomic(using=using):
            rate.save(using=using, force_insert=True)
            RateTier.objects.using(using).bulk_create(tiers)
            transaction.on_commit(forget_rates, using=using)
    except IntegrityError as error:
        same = _of_key(rate, using=using).filter(effective_from=rate.effective_from).first()
        if same is None:
            raise
        raise RateConflict(
            f"Rate {same.pk} is of this provider, model, tier and window, and begins at "
            f"{rate.effective_from.isoformat()} already. Choose another effective_from."
        ) from error
    return rate


def check_rate(rate: Rate, tiers: Sequence[RateTier]) -> None:
    """Raise ValidationError with all that is wrong, by field; afterwards values have the columns' types."""
    problems: Problems = {}
    _clean(rate, problems, prices=(*PRICE_FIELDS, *OTHER_PRICES), exclude=["organization"])
    for name in ONE_LINE:
        if not str(getattr(rate, name)).isprintable():
            problems.setdefault(name, []).append(NOT_ON_ONE_LINE)
    try:
        rate.aliases = clean_aliases(rate.aliases)
    except ValidationError as error:
        problems["aliases"] = error.messages
    else:
        if not all(alias.isprintable() for alias in rate.aliases):
            problems["aliases"] = [NOT_ON_ONE_LINE]
    rate.service_tier = canonical_tier(rate.service_tier)
    if rate.service_tier not in tuple(ServiceTier):
        problems["service_tier"] = [_("Enter one of %(tiers)s.") % {"tiers": ", ".join(ServiceTier)}]
    if "effective_from" not in problems and (problem := _problem_of_instant(rate.effective_from)) is not None:
        problems["effective_from"] = [problem]
    seen: set[object] = set()
    for index, tier in enumerate(tiers):
        _clean(tier, problems, prices=PRICE_FIELDS, prefix=f"tiers[{index}].", exclude=["rate"])
        if tier.above_input_tokens in seen:
            problems.setdefault(f"tiers[{index}].above_input_tokens", []).append(_("Another tier has the same."))
        seen.add(tier.above_input_tokens)
    if not problems:
        problems = _without_price(rate, tiers)
    if problems:
        raise ValidationError(problems)


def _clean(
    row: Rate | RateTier, problems: Problems, *, prices: Sequence[str], prefix: str = "", exclude: Sequence[str] = ()
) -> None:
    try:
        row.full_clean(exclude=exclude, validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        for name, texts in error.message_dict.items():
            problems[prefix + name] = texts
    for name in prices:
        if prefix + name not in problems and (price := getattr(row, name)) is not None:
            try:
                validate_price(price)
            except ValidationError as error:
                problems[prefix + name] = error.messages


def _without_price(rate: Rate, tiers: Sequence[RateTier]) -> Problems:
    """What is wrong where nothing of the rate's resource type is priced by it; a rate is ended by `end_own_rate`."""
    if rate.resource_type != ResourceType.LLM_TOKENS:
        has_one = any(getattr(rate, name) is not None for name in OTHER_PRICES)
        return {} if has_one else {"unit_price_usd": [_("Give a price per unit, or per call (request_usd).")]}
    if prices_no_tokens({name: getattr(rate, name) for name in (*PRICE_FIELDS, *OTHER_PRICES, "resource_type")}):
        return {"unit_price_usd": [UNIT_PRICE_OF_TOKENS]}
    has_one = rate.request_usd is not None
    has_one = has_one or any(getattr(row, name) is not None for row in (rate, *tiers) for name in PRICE_FIELDS)
    return {} if has_one else {"input_usd_per_million": [_("Give a price. A model that is free has a price of 0.")]}


def _problem_of_instant(instant: datetime) -> str | None:
    if timezone.is_naive(instant):
        return _("Give the instant with its offset.")
    if instant.year not in YEARS:
        return _("Give an instant from the year %(first)d to %(last)d.") % {"first": YEARS[0], "last": YEARS[-1]}
    return None
