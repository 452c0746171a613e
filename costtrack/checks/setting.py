"""The setting COSTTRACK itself: its keys and their values."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, register

from costtrack.checks.key_rules import KEY_RULES
from costtrack.conf import DEFAULTS


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
