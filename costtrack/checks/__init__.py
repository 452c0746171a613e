"""System checks of the settings. An id is never reused, also when its check is gone."""

from __future__ import annotations

from costtrack.checks.dashboard import check_dashboard
from costtrack.checks.databases import check_autocommit, check_sqlite_transactions, check_time_zones
from costtrack.checks.key_rules import KEY_RULES, KeyRule
from costtrack.checks.prometheus import check_metrics_directory
from costtrack.checks.services import check_redis, check_spool_directory
from costtrack.checks.setting import check_costtrack_setting

__all__ = [
    "KEY_RULES",
    "KeyRule",
    "check_autocommit",
    "check_costtrack_setting",
    "check_dashboard",
    "check_metrics_directory",
    "check_redis",
    "check_spool_directory",
    "check_sqlite_transactions",
    "check_time_zones",
]
