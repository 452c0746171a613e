"""The database that benchmarks of reads fill: the one of DATABASE_URL, else PostgreSQL 18 from its wheel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def database() -> Iterator[None]:
    """With it, and Django set up over it as on a site that is not debugged and keeps its connections."""
    if os.environ.get("DATABASE_URL"):
        _set_up()
        yield
        return
    import psycopg

    from tests.servers import PostgresServer

    with PostgresServer(18) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET max_wal_size = '16GB'")
            connection.execute("SELECT pg_reload_conf()")
        os.environ["DATABASE_URL"] = server.url
        _set_up()
        yield


def _set_up() -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DJANGO_DEBUG": "0",  # Django keeps every statement in memory otherwise
        "DJANGO_SECRET_KEY": "only for this run",
        "DJANGO_ALLOWED_HOSTS": "localhost",
        "DATABASE_CONN_MAX_AGE": "60",
    }
    import django

    django.setup()
