"""What all commands share: a database that does not answer is one line of text, not a traceback."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand as DjangoCommand
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError


class BaseCommand(DjangoCommand):
    """Django's; with `--traceback` the error comes as it is."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it. Raises CommandError where the database does not answer, and then ends with exit status 1."""
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            if options.get("traceback"):
                raise
            said = " ".join(str(error).split())
            raise CommandError(f"The database did not answer, or not in time: {said}. Try again.") from error
