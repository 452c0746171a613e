"""Run as a process: migrate the database, and put the organization and the rate into it that the tests meter with."""

from __future__ import annotations

import django


def main() -> None:
    django.setup()
    from django.core.management import call_command

    from tests.factories import make_organization, make_rate

    call_command("migrate", verbosity=0)
    make_organization()
    make_rate()
    print("{}")


if __name__ == "__main__":
    main()
