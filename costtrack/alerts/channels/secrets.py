"""Secrets of channels: named in the database, kept in the environment."""

from __future__ import annotations

import os
import re

from costtrack.alerts.channels.outgoing import DeliveryFailed

MARKER = "env:"
NAME = re.compile(r"COSTTRACK_[A-Z0-9_]{1,90}")
"""Only these: who may edit channels must not be able to have any other variable of the site used."""
A_NAME = "env:NAME, with a name like COSTTRACK_SLACK_URL of a variable of the site's environment"


def is_named(text: str) -> bool:
    """Whether a text names a variable instead of being the thing itself."""
    return text.startswith(MARKER)


def check_name(text: str) -> None:
    """Raise DeliveryFailed unless the text is `env:COSTTRACK_...`; it need not be set yet where this runs."""
    if not is_named(text) or not NAME.fullmatch(text.removeprefix(MARKER)):
        raise DeliveryFailed(f"Expected {A_NAME}.", is_permanent=True)


def secret_value(text: str) -> str:
    """What the variable holds. Raises DeliveryFailed, naming it, where it is not set."""
    check_name(text)
    name = text.removeprefix(MARKER)
    value = os.environ.get(name, "")
    if not value:
        raise DeliveryFailed(f"The variable {name} is not set in the environment of the process that sends.")
    return value
