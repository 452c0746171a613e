#!/usr/bin/env python
"""Django's command-line utility for the example site."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the management command that the command line names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError as error:
        raise SystemExit("Django is not installed here. Run: .venv/bin/pip install -e '.[demo]'") from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
