"""What the host's own settings say of times and databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning, register

from costtrack.checks.setting import check_costtrack_setting
from costtrack.conf import DEFAULTS, settings


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
