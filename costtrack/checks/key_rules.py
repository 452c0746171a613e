"""What each key of COSTTRACK may hold."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from costtrack.domain.events import Attribution
from costtrack.domain.tokens import MAX_TOKENS

LEAST_SPOOL_BYTES = 1 << 20
MAX_AGE_DAYS = 36_500
MAX_TIMEOUT_MS = 3_600_000
YEAR_SECONDS = 31_622_400
HOST = re.compile(r"[-a-zA-Z0-9_.]+(:[0-9]{1,5})?")
LEAST_TOKEN = 16
TOKEN = re.compile(rf"[!-~]{{{LEAST_TOKEN},200}}")
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


def _is_integer(value: Any, *, least: int, most: int | None = None) -> bool:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer and value >= least and (most is None or value <= most)


def _is_database_alias(value: Any) -> bool:
    return isinstance(value, str) and value in django_settings.DATABASES


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and bool(TOKEN.fullmatch(value))


def _is_redis_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("redis://", "rediss://", "unix://"))


def _is_host(value: Any) -> bool:
    return isinstance(value, str) and bool(HOST.fullmatch(value) or _is_ipv6(value))


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _is_list_of_names(value: Any) -> bool:
    is_list = isinstance(value, list | tuple | set | frozenset)
    return is_list and all(isinstance(name, str) and name for name in value)


def _is_callable_path(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not _import_problem(value))


def _is_metadata_source(item: tuple[Any, Any]) -> bool:
    field, names = item
    listed = [names] if isinstance(names, str) else names
    is_list = isinstance(listed, list | tuple) and bool(listed)
    return field in Attribution.__dataclass_fields__ and is_list and all(isinstance(one, str) and one for one in listed)


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
        expected=f"an integer number of seconds, 0 to {YEAR_SECONDS:,}",
        accepts=lambda value: _is_integer(value, least=0, most=YEAR_SECONDS),
    ),
    "INGEST_MAX_AGE_DAYS": KeyRule(
        id="costtrack.E025",
        expected=f"an integer number of days, 1 to {MAX_AGE_DAYS:,}",
        accepts=lambda value: _is_integer(value, least=1, most=MAX_AGE_DAYS),
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
    "READ_TIMEOUT_MS": KeyRule(
        id="costtrack.E029",
        expected=f"an integer number of milliseconds, 0 (no limit) to {MAX_TIMEOUT_MS:,}",
        accepts=lambda value: _is_integer(value, least=0, most=MAX_TIMEOUT_MS),
    ),
    "BUDGET_LOCK_TIMEOUT_MS": KeyRule(
        id="costtrack.E017",
        expected=f"an integer number of milliseconds, 1 to {MAX_TIMEOUT_MS:,}",
        accepts=lambda value: _is_integer(value, least=1, most=MAX_TIMEOUT_MS),
    ),
    "ON_UNKNOWN_BUDGETS": KeyRule(
        id="costtrack.E028",
        expected='"allow" or "deny"',
        accepts=lambda value: value in ("allow", "deny"),
    ),
    "HOLD_TTL_SECONDS": KeyRule(
        id="costtrack.E018",
        expected=f"an integer number of seconds, 1 to {YEAR_SECONDS:,}",
        accepts=lambda value: _is_integer(value, least=1, most=YEAR_SECONDS),
    ),
    "RUN_IDLE_HOURS": KeyRule(
        id="costtrack.E031",
        expected="a number of hours from 1 to 8,784, a year",
        accepts=lambda value: _is_number(value, least=1) and value <= 8784,
    ),
    "MAX_OUTPUT_TOKENS": KeyRule(
        id="costtrack.E019",
        expected=f"None, or an integer from 1 to {MAX_TOKENS:,}",
        accepts=lambda value: value is None or (_is_integer(value, least=1, most=MAX_TOKENS)),
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
        expected=f"an integer number of milliseconds, 1 to {MAX_TIMEOUT_MS:,}",
        accepts=lambda value: _is_integer(value, least=1, most=MAX_TIMEOUT_MS),
    ),
    "WEBHOOK_PRIVATE_HOSTS": KeyRule(
        id="costtrack.E030",
        expected='a list of hosts, such as ["hooks.internal", "127.0.0.1:8080"]',
        accepts=lambda value: isinstance(value, list | tuple | set | frozenset) and all(map(_is_host, value)),
    ),
    "BATCHABLE_ENDPOINTS": KeyRule(
        id="costtrack.E035",
        expected='None, or a list of endpoint names, such as ["nightly-digest"]; an empty one: none can wait',
        accepts=lambda value: value is None or _is_list_of_names(value),
    ),
    "LITELLM_ATTRIBUTION": KeyRule(
        id="costtrack.E038",
        expected="a dict of fields of attribution, each with the name, or a list of names, of what LiteLLM's metadata "
        'has for it, such as {"project": "user_api_key_team_alias", "tags": "tags"}',
        accepts=lambda value: isinstance(value, dict) and all(map(_is_metadata_source, value.items())),
    ),
    "METRICS_TOKEN": KeyRule(
        id="costtrack.E040",
        expected=f"None, or a text of {LEAST_TOKEN} to 200 printable ASCII characters without blanks",
        accepts=lambda value: value is None or _is_token(value),
    ),
    "METRICS_MAX_SERIES": KeyRule(
        id="costtrack.E041",
        expected="an integer, 1 to 100,000",
        accepts=lambda value: _is_integer(value, least=1, most=100_000),
    ),
}
