"""System checks of the settings. An id is never reused, also when its check is gone."""

from __future__ import annotations

import difflib
import importlib.util
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from costtrack.conf import DEFAULTS, settings
from costtrack.domain.tokens import MAX_TOKENS

LEAST_SPOOL_BYTES = 1 << 20
MAX_AGE_DAYS = 36_500
RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")


@dataclass(frozen=True, kw_only=True)
class KeyRule:
    """What one key of COSTTRACK may hold, in words and as a test, and the id of the error otherwise."""

    id: str
    expected: str
    accepts: Callable[[Any], bool]
    cause: Callable[[Any], str] = lambda value: ""
    """Why a value is not accepted, where the value does not show it; begins with a blank."""


def _is_slug(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 100 and bool(re.fullmatch(r"[-a-zA-Z0-9_]+", value))


def _is_number(value: Any, *, least: int) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= least


def _is_integer(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_database_alias(value: Any) -> bool:
    return isinstance(value, str) and value in django_settings.DATABASES


def _is_redis_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("redis://", "rediss://", "unix://"))


def _is_callable_path(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not _import_problem(value))


def _import_problem(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    try:
        found = import_string(value)
    except (ImportError, ValueError, TypeError) as error:  # the latter two: a path with empty parts
        return f" Its import says: {error}."
    return "" if callable(found) else f" It is no function, but a {type(found).__name__}."


KEY_RULES: dict[str, KeyRule] = {
    "DEFAULT_ORGANIZATION": KeyRule(
        id="costtrack.E003",
        expected="a slug: 1 to 100 letters, digits, hyphens or underscores",
        accepts=_is_slug,
    ),
    "TRANSPORT": KeyRule(
        id="costtrack.E004",
        expected='"spool" or "inline"',
        accepts=lambda value: value in ("spool", "inline"),
    ),
    "DATABASE": KeyRule(
        id="costtrack.E005",
        expected="an alias of DATABASES",
        accepts=_is_database_alias,
    ),
    "SPOOL_DIR": KeyRule(
        id="costtrack.E013",
        expected="None, or the absolute path of a directory",
        accepts=lambda value: value is None or (isinstance(value, str | os.PathLike) and os.path.isabs(value)),
    ),
    "SPOOL_MAX_BYTES": KeyRule(
        id="costtrack.E014",
        expected=f"an integer number of bytes, {LEAST_SPOOL_BYTES:,} or more",
        accepts=lambda value: _is_integer(value, least=LEAST_SPOOL_BYTES),
    ),
    "SPOOL_FSYNC": KeyRule(
        id="costtrack.E015",
        expected='"never", "interval" (once a second) or "always" (each event)',
        accepts=lambda value: value in ("never", "interval", "always"),
    ),
    "ORGANIZATION_RESOLVER": KeyRule(
        id="costtrack.E006",
        expected="None, or the dotted path of a function that takes a request and returns an organization's slug",
        accepts=_is_callable_path,
        cause=_import_problem,
    ),
    "RATE_CACHE_SECONDS": KeyRule(
        id="costtrack.E007",
        expected="a number of seconds, 0 or more",
        accepts=lambda value: _is_number(value, least=0),
    ),
    "MAX_PROJECTS": KeyRule(
        id="costtrack.E008",
        expected="an integer, 1 or more",
        accepts=lambda value: _is_integer(value, least=1),
    ),
    "MAX_AGENTS": KeyRule(
        id="costtrack.E009",
        expected="an integer, 1 or more",
        accepts=lambda value: _is_integer(value, least=1),
    ),
    "METADATA_MAX_BYTES": KeyRule(
        id="costtrack.E010",
        expected="an integer, 256 or more",
        accepts=lambda value: _is_integer(value, least=256),
    ),
    "MAX_FUTURE_SECONDS": KeyRule(
        id="costtrack.E011",
        expected="an integer number of seconds, 0 or more",
        accepts=lambda value: _is_integer(value, least=0),
    ),
    "INGEST_MAX_AGE_DAYS": KeyRule(
        id="costtrack.E025",
        expected=f"an integer number of days, 1 to {MAX_AGE_DAYS:,}",
        accepts=lambda value: _is_integer(value, least=1) and value <= MAX_AGE_DAYS,
    ),
    "INGEST_MAX_BYTES": KeyRule(
        id="costtrack.E026",
        expected="an integer number of bytes, 1024 or more",
        accepts=lambda value: _is_integer(value, least=1024),
    ),
    "INGEST_RATE": KeyRule(
        id="costtrack.E027",
        expected='None, or a number per second, minute, hour or day, such as "600/minute"',
        accepts=lambda value: value is None or (isinstance(value, str) and bool(RATE.fullmatch(value))),
    ),
    "BUDGET_LOCK_TIMEOUT_MS": KeyRule(
        id="costtrack.E017",
        expected="an integer number of milliseconds, 1 or more",
        accepts=lambda value: _is_integer(value, least=1),
    ),
    "ON_UNKNOWN_BUDGETS": KeyRule(
        id="costtrack.E028",
        expected='"allow" or "deny"',
        accepts=lambda value: value in ("allow", "deny"),
    ),
    "HOLD_TTL_SECONDS": KeyRule(
        id="costtrack.E018",
        expected="an integer number of seconds, 1 or more",
        accepts=lambda value: _is_integer(value, least=1),
    ),
    "MAX_OUTPUT_TOKENS": KeyRule(
        id="costtrack.E019",
        expected=f"None, or an integer from 1 to {MAX_TOKENS:,}",
        accepts=lambda value: value is None or (_is_integer(value, least=1) and value <= MAX_TOKENS),
    ),
    "TOKEN_COUNTER": KeyRule(
        id="costtrack.E020",
        expected="None, or the dotted path of a function that takes a model and what it is given to read, and returns "
        "a number of tokens",
        accepts=_is_callable_path,
        cause=_import_problem,
    ),
    "BUDGET_BACKEND": KeyRule(
        id="costtrack.E021",
        expected='"database" or "redis"',
        accepts=lambda value: value in ("database", "redis"),
    ),
    "REDIS_URL": KeyRule(
        id="costtrack.E022",
        expected='None, or a URL that begins with "redis://", "rediss://" or "unix://"',
        accepts=lambda value: value is None or _is_redis_url(value),
    ),
    "REDIS_TIMEOUT_MS": KeyRule(
        id="costtrack.E023",
        expected="an integer number of milliseconds, 1 or more",
        accepts=lambda value: _is_integer(value, least=1),
    ),
}


@register("costtrack")
def check_costtrack_setting(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return an error for each thing that is wrong in the setting COSTTRACK."""
    given = getattr(django_settings, "COSTTRACK", {})
    if not isinstance(given, dict):
        return [
            Error(
                f"COSTTRACK is a {type(given).__name__}.",
                hint='Make it a dict, for example COSTTRACK = {"DEFAULT_ORGANIZATION": "default"}, or leave it out.',
                id="costtrack.E001",
            )
        ]
    return [_unknown_key(key) for key in given if key not in KEY_RULES] + [
        Error(
            f"COSTTRACK[{key!r}] is {given[key]!r}.", hint=f"Use {rule.expected}.{rule.cause(given[key])}", id=rule.id
        )
        for key, rule in KEY_RULES.items()
        if key in given and not rule.accepts(given[key])
    ]


def _unknown_key(key: object) -> CheckMessage:
    nearest = difflib.get_close_matches(str(key).upper(), KEY_RULES, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return Error(
        f"COSTTRACK has an unknown key {key!r}.",
        hint=f"{hint}The keys are {', '.join(DEFAULTS)}.",
        id="costtrack.E002",
    )


@register("costtrack")
def check_time_zones(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return an error when Django would hand out times without a zone."""
    if django_settings.USE_TZ:
        return []
    return [
        Error(
            "USE_TZ is False.",
            hint="Set USE_TZ = True: an organization's days and periods are computed from instants with a zone.",
            id="costtrack.E012",
        )
    ]


@register("costtrack")
def check_sqlite_transactions(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return a warning when usage would be lost to "database is locked" on SQLite."""
    given = getattr(django_settings, "COSTTRACK", {})
    alias = given.get("DATABASE", DEFAULTS["DATABASE"]) if isinstance(given, dict) else DEFAULTS["DATABASE"]
    database = django_settings.DATABASES.get(alias, {}) if isinstance(alias, str) else {}
    mode = database.get("OPTIONS", {}).get("transaction_mode") or ""
    if not database.get("ENGINE", "").endswith("sqlite3") or mode.upper() in {"IMMEDIATE", "EXCLUSIVE"}:
        return []
    return [
        Warning(
            f"The SQLite database {alias!r} begins its transactions without the write lock.",
            hint=(
                f'Set DATABASES[{alias!r}]["OPTIONS"]["transaction_mode"] = "IMMEDIATE": a transaction that asks '
                "for the lock later fails at once when another one has committed in between."
            ),
            id="costtrack.W001",
        )
    ]


@register("costtrack")
def check_spool_directory(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return a warning when metered usage can not be spooled: it would be written before each call returns."""
    if check_costtrack_setting(None) or settings.transport != "spool":
        return []
    from costtrack.metering.spool.directory import spool_directory, unusable_reason

    reason = unusable_reason(spool_directory())
    if not reason:
        return []
    return [
        Warning(
            f"The spool can not be used: {reason}",
            hint=(
                'Set COSTTRACK["SPOOL_DIR"] to a directory on a local disk that this user may write. Until then usage '
                "is written to the database before each metered call returns, and goes to the log if that is away."
            ),
            id="costtrack.W002",
        )
    ]


@register("costtrack")
def check_autocommit(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return an error when Django's autocommit is off for the database that holds the tables."""
    if check_costtrack_setting(None) or django_settings.DATABASES[settings.database].get("AUTOCOMMIT", True):
        return []
    return [
        Error(
            f"DATABASES[{settings.database!r}] has AUTOCOMMIT off: nothing that costtrack writes would be committed.",
            hint='Leave AUTOCOMMIT on, or give costtrack a database alias of its own by COSTTRACK["DATABASE"].',
            id="costtrack.E016",
        )
    ]


@register("costtrack")
def check_redis(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return an error when budgets are to be asked of Redis, and that is not possible."""
    if check_costtrack_setting(None) or settings.budget_backend != "redis":
        return []
    problems = []
    if not settings.redis_url:
        problems.append('Say where Redis is by COSTTRACK["REDIS_URL"], for example "redis://127.0.0.1:6379/0".')
    if importlib.util.find_spec("redis") is None:
        problems.append("Install the package redis: pip install 'costtrack[redis]'.")
    return [
        Error('COSTTRACK["BUDGET_BACKEND"] is "redis", which can not be used.', hint=hint, id="costtrack.E024")
        for hint in problems
    ]
