"""The one setting, `COSTTRACK`: a typed property per key, read live, so that `override_settings` just works."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings as django_settings

DEFAULTS: dict[str, Any] = {
    "DEFAULT_ORGANIZATION": "default",
    "TRANSPORT": "spool",
    "DATABASE": "default",
    "SPOOL_DIR": None,
    "SPOOL_MAX_BYTES": 1 << 30,
    "SPOOL_FSYNC": "never",
    "ORGANIZATION_RESOLVER": None,
    "RATE_CACHE_SECONDS": 2.0,
    "MAX_PROJECTS": 1000,
    "MAX_AGENTS": 20000,
    "METADATA_MAX_BYTES": 8192,
    "MAX_FUTURE_SECONDS": 300,
}
"""Every key with its default. `checks.py` says what each accepts."""


class Settings:
    """Live, typed access to `django.conf.settings.COSTTRACK`."""

    def __init__(self) -> None:
        self.defaults = dict(DEFAULTS)
        """What holds for keys that are not set; a test run has others (`costtrack.testing.isolation`)."""

    def _get(self, key: str) -> Any:
        return getattr(django_settings, "COSTTRACK", {}).get(key, self.defaults[key])

    @property
    def default_organization(self) -> str:
        """Slug of the organization that usage belongs to when nothing else is said."""
        return str(self._get("DEFAULT_ORGANIZATION"))

    @property
    def transport(self) -> str:
        """How events reach the ledger: `spool` by a file on disk, `inline` before the metered call returns."""
        return str(self._get("TRANSPORT"))

    @property
    def database(self) -> str:
        """The alias of DATABASES that holds the costtrack tables."""
        return str(self._get("DATABASE"))

    @property
    def spool_dir(self) -> str | os.PathLike[str] | None:
        """The directory of the spool, private to this user; None = `.costtrack-spool` in BASE_DIR or in the home."""
        path: str | os.PathLike[str] | None = self._get("SPOOL_DIR")
        return path

    @property
    def spool_max_bytes(self) -> int:
        """The most bytes of the spool's directory; past it events are written at once, or else to the log."""
        return int(self._get("SPOOL_MAX_BYTES"))

    @property
    def spool_fsync(self) -> str:
        """When spooled events are brought to the disk itself: `never` (when the system likes), `interval`, `always`."""
        return str(self._get("SPOOL_FSYNC"))

    @property
    def organization_resolver(self) -> str | None:
        """Dotted path of `resolver(request) -> organization slug or ""`, for the middleware; None = no resolver."""
        path: str | None = self._get("ORGANIZATION_RESOLVER")
        return path

    @property
    def rate_cache_seconds(self) -> float:
        """For how long a process may price with the rates that it has in memory before it asks for changes."""
        return float(self._get("RATE_CACHE_SECONDS"))

    @property
    def max_projects(self) -> int:
        """Projects per organization that usage may create; past it usage lands on the organization."""
        return int(self._get("MAX_PROJECTS"))

    @property
    def max_agents(self) -> int:
        """Agents per organization that usage may create; past it usage lands on the project."""
        return int(self._get("MAX_AGENTS"))

    @property
    def metadata_max_bytes(self) -> int:
        """The most bytes of an event's metadata as JSON; larger metadata is replaced by a note of its size."""
        return int(self._get("METADATA_MAX_BYTES"))

    @property
    def max_future_seconds(self) -> int:
        """How far ahead of now an event's `occurred_at` may lie, for clocks that differ."""
        return int(self._get("MAX_FUTURE_SECONDS"))


settings = Settings()
