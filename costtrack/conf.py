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
    "INGEST_MAX_AGE_DAYS": 40,
    "INGEST_MAX_BYTES": 5 << 20,
    "INGEST_RATE": None,
    "READ_TIMEOUT_MS": 10_000,
    "BUDGET_LOCK_TIMEOUT_MS": 250,
    "ON_UNKNOWN_BUDGETS": "allow",
    "HOLD_TTL_SECONDS": 900,
    "RUN_IDLE_HOURS": 24,
    "MAX_OUTPUT_TOKENS": None,
    "TOKEN_COUNTER": None,
    "BUDGET_BACKEND": "database",
    "REDIS_URL": None,
    "REDIS_TIMEOUT_MS": 100,
    "WEBHOOK_PRIVATE_HOSTS": (),
    "BATCHABLE_ENDPOINTS": None,
    "LITELLM_ATTRIBUTION": {
        "organization": "user_api_key_org_alias",
        "project": ("user_api_key_team_alias", "user_api_key_team_id"),
        "agent": "user_api_key_alias",
        "customer": ("user_api_key_end_user_id", "user"),
        "user": "user_api_key_user_id",
        "thread_id": ("session_id", "litellm_session_id"),
        "tags": "tags",
    },
    "METRICS_TOKEN": None,
    "METRICS_MAX_SERIES": 1000,
}
"""Every key with its default. `checks/key_rules.py` says what each accepts."""


_resolved: dict[str, Any] = object.__getattribute__(django_settings, "__dict__")
"""Where Django keeps the settings that were asked for, until they are overridden. A metered call asks several times."""


class Settings:
    """Live, typed access to `django.conf.settings.COSTTRACK`."""

    def __init__(self) -> None:
        self.defaults = dict(DEFAULTS)
        """What holds for keys that are not set; a test run has others (`costtrack.testing.isolation`)."""

    def _get(self, key: str) -> Any:
        own = _resolved.get("COSTTRACK")
        if own is None:
            own = getattr(django_settings, "COSTTRACK", {})
        return own.get(key, self.defaults[key])

    def is_inline(self) -> bool:
        """Whether `transport` is `inline`."""
        own = _resolved.get("COSTTRACK")  # not by `_get`: a metered call asks three times
        transport: str = self._get("TRANSPORT") if own is None else own.get("TRANSPORT", self.defaults["TRANSPORT"])
        return transport == "inline"

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

    @property
    def ingest_max_age_days(self) -> int:
        """How long before now an event's `occurred_at` may lie, of those that come over REST."""
        return int(self._get("INGEST_MAX_AGE_DAYS"))

    @property
    def ingest_max_bytes(self) -> int:
        """The most bytes of a body that is sent to REST."""
        return int(self._get("INGEST_MAX_BYTES"))

    @property
    def ingest_rate(self) -> str | None:
        """How often each key, or user, may send to REST: `600/minute`; None = as often as they like."""
        rate: str | None = self._get("INGEST_RATE")
        return rate

    @property
    def read_timeout_ms(self) -> int:
        """How long one statement of a reader over REST may take (PostgreSQL); 0 = as long as the database lets it."""
        return int(self._get("READ_TIMEOUT_MS"))

    @property
    def budget_lock_timeout_ms(self) -> int:
        """How long a reservation waits at most for others that are taking from the same budget (PostgreSQL)."""
        return int(self._get("BUDGET_LOCK_TIMEOUT_MS"))

    @property
    def on_unknown_budgets(self) -> str:
        """Whether calls are made, `allow` or `deny`, in a process that could not yet read which budgets there are."""
        return str(self._get("ON_UNKNOWN_BUDGETS"))

    @property
    def hold_ttl_seconds(self) -> int:
        """For how long a reservation holds without being settled or renewed."""
        return int(self._get("HOLD_TTL_SECONDS"))

    @property
    def run_idle_hours(self) -> float:
        """For how long a run may meter nothing before it counts as crashed."""
        return float(self._get("RUN_IDLE_HOURS"))

    @property
    def max_output_tokens(self) -> int | None:
        """The output that a call without a maximum of its own is reserved for; None = its worst case is not known."""
        count: int | None = self._get("MAX_OUTPUT_TOKENS")
        return count

    @property
    def token_counter(self) -> str | None:
        """Dotted path of `counter(model, value) -> int`, for inputs before a call; None = the built-in ways."""
        path: str | None = self._get("TOKEN_COUNTER")
        return path

    @property
    def budget_backend(self) -> str:
        """Who admits calls: `database`, or `redis` out of what the database has leased to it."""
        return str(self._get("BUDGET_BACKEND"))

    @property
    def redis_url(self) -> str | None:
        """Where Redis is, for the budget backend `redis`: `redis://`, `rediss://` or `unix://`."""
        url: str | None = self._get("REDIS_URL")
        return url

    @property
    def redis_timeout_ms(self) -> int:
        """How long Redis is waited for, to connect and to answer, before the database admits instead."""
        return int(self._get("REDIS_TIMEOUT_MS"))

    @property
    def webhook_private_hosts(self) -> tuple[str, ...]:
        """Hosts (`name` or `name:port`) that webhooks may go to at private addresses, on any port, and without TLS."""
        return tuple(self._get("WEBHOOK_PRIVATE_HOSTS"))

    @property
    def batchable_endpoints(self) -> tuple[str, ...] | None:
        """The endpoints whose calls can wait for a batch; None = those of whose calls nothing says somebody waits."""
        names = self._get("BATCHABLE_ENDPOINTS")
        return None if names is None else tuple(names)

    @property
    def litellm_attribution(self) -> dict[str, str | tuple[str, ...]]:
        """Fields of attribution, and the names in LiteLLM's metadata that each is taken from: the first that is set."""
        return dict(self._get("LITELLM_ATTRIBUTION"))

    @property
    def metrics_token(self) -> str | None:
        """What Prometheus shows to read the metrics; None = superusers alone read them."""
        token: str | None = self._get("METRICS_TOKEN")
        return token

    @property
    def metrics_max_series(self) -> int:
        """Of how many budgets, and of how many projects' models, each has metrics of its own."""
        return int(self._get("METRICS_MAX_SERIES"))


settings = Settings()
