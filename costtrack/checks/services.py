"""What has to be there besides the database: the spool's directory, and Redis."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning, register

from costtrack.checks.setting import check_costtrack_setting
from costtrack.conf import settings


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
