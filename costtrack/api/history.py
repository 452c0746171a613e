"""The site's own history of who changed what: that of Django's admin, where it is installed."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import Model


def note_in_history(user: Any, row: Model, *, action: str, fields: tuple[str, ...] = ()) -> None:
    """Note that the user has `added`, `changed` (in those fields) or `deleted` the row, which still has its key."""
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry  # raises where it is not installed

    flag = {"added": ADDITION, "changed": CHANGE, "deleted": DELETION}[action]
    # As Django's own screens say it: of a deletion the flag is enough.
    said = "" if flag == DELETION else [{action: {"fields": list(fields)} if fields else {}}]
    LogEntry.objects.log_actions(user.pk, [row], flag, said, single_object=True)
