"""Keeping a test run's metering to itself: inline, else in a spool of its own, and on no connection that stays open."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings

from costtrack.conf import settings

AFTER_A_TEST_SECONDS = 2.0
"""For how long the spool may go on to write when its test is over: nobody asks for the outcome any more."""
BEFORE_THE_DROP_SECONDS = 10.0


class IsolatedRun:
    """From its making to `end`, usage is recorded inline, and what a test spools goes to a temporary directory.

    That is the default, and holds for a TRANSPORT and a SPOOL_DIR in the settings as well; a test that sets one itself
    gets what it sets. The directory is this process's: parallel workers have one each.
    """

    def __init__(self) -> None:
        """Change the defaults, and the settings as they are now."""
        self.spool_dir = Path(tempfile.mkdtemp(prefix="costtrack-test-spool-"))
        ours = {"TRANSPORT": "inline", "SPOOL_DIR": str(self.spool_dir)}
        self._defaults = dict(settings.defaults)
        settings.defaults.update(ours)
        given = getattr(django_settings, "COSTTRACK", None)
        self._given: dict[str, Any] | None = None
        if isinstance(given, dict) and not ours.keys().isdisjoint(given):
            self._given = given
            django_settings.COSTTRACK = {key: ours.get(key, value) for key, value in given.items()}

    def after_test(self) -> None:
        """Stop what a test started, and forget what it left: the next test finds nothing of it."""
        let_go(AFTER_A_TEST_SECONDS)
        for left in self.spool_dir.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)

    def end(self) -> None:
        """Give the defaults and the settings back, and remove the directory."""
        settings.defaults.update(self._defaults)
        if self._given is not None:
            django_settings.COSTTRACK = self._given
        shutil.rmtree(self.spool_dir, ignore_errors=True)


def let_go(timeout_seconds: float) -> None:
    """Stop the spool, and close the connections of costtrack's own threads, which would block DROP DATABASE.

    Looks only for what has been imported: without it there is nothing to stop.
    """
    for module, function in (
        ("costtrack.metering.spool", "stop"),
        ("costtrack.metering.database_thread", "close_own_connections"),
        ("costtrack.alerts.at_once", "wait_for_raising"),
        ("costtrack.budgets.threads", "end_threads"),
        ("costtrack.budgets.known", "forget_budgets"),
        ("costtrack.metering.asked_call", "forget_owners"),
    ):
        stop = getattr(sys.modules.get(module), function, None)
        if stop is not None:
            with suppress(TimeoutError):  # it is busy, and goes on; the drop of the database tells if it still is then
                stop(timeout_seconds=timeout_seconds)
