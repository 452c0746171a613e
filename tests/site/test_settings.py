"""The example site: what its environment variables do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

ROOT = Path(__file__).parent.parent.parent
OURS = {"DATABASE_URL", "REDIS_URL", "DJANGO_DEBUG", "DJANGO_SECRET_KEY", "DJANGO_ALLOWED_HOSTS"}


def run_site(told: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process whose environment has of our variables only these."""
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    return subprocess.run(
        [sys.executable, *options, "-c", told],
        cwd=ROOT,
        env={**inherited, "DJANGO_SETTINGS_MODULE": "project.settings", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def setting(expression: str, **environment: str) -> Any:
    told = f"import json; from project import settings; print(json.dumps({expression}, default=str))"
    result = run_site(told, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_database_is_an_sqlite_file_that_several_writers_may_share() -> None:
    database = setting("settings.DATABASES['default']")
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == str(ROOT / "db.sqlite3")
    assert database["OPTIONS"] == {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    assert database["TEST"] == {"NAME": str(ROOT / "test-db.sqlite3")}


def test_database_url_names_another_one() -> None:
    database = setting(
        "settings.DATABASES['default']", DATABASE_URL="postgresql://app:pass%2Fword@db.example:5433/costs"
    )
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 5433, "costs")
    assert (database["USER"], database["PASSWORD"]) == ("app", "pass/word")


def test_an_sqlite_of_database_url_has_the_same_options(tmp_path: Path) -> None:
    database = setting("settings.DATABASES['default']", DATABASE_URL=f"sqlite:///{tmp_path}/mine.sqlite3")
    assert database["NAME"] == f"{tmp_path}/mine.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_the_sqlite_connection_really_has_these_options(tmp_path: Path) -> None:
    told = (
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "for pragma in ('journal_mode', 'synchronous', 'busy_timeout'):\n"
        "    print(connection.cursor().execute(f'PRAGMA {pragma}').fetchone()[0])\n"
    )
    result = run_site(told, DATABASE_URL=f"sqlite:///{tmp_path}/mine.sqlite3")
    assert result.stdout.split() == ["wal", "1", "20000"], result.stderr


def test_without_redis_the_cache_is_in_memory_and_with_it_in_redis() -> None:
    assert setting("settings.CACHES['default']['BACKEND']") == "django.core.cache.backends.locmem.LocMemCache"
    url = "redis://cache.example:6379/3"
    assert setting("[settings.CACHES['default']['LOCATION'], settings.CELERY_BROKER_URL]", REDIS_URL=url) == [url, url]


def test_a_site_without_debugging_needs_a_secret_key_of_its_own() -> None:
    refused = run_site("from project import settings", DJANGO_DEBUG="0")
    assert refused.returncode == 1
    assert "Set DJANGO_SECRET_KEY to a long random text" in refused.stderr
    assert setting("[settings.DEBUG, settings.SECRET_KEY]", DJANGO_DEBUG="off", DJANGO_SECRET_KEY="long") == [
        False,
        "long",
    ]


def test_debugging_is_on_for_a_first_look_and_hosts_come_from_the_environment() -> None:
    assert setting("[settings.DEBUG, settings.ALLOWED_HOSTS]") == [True, []]
    assert setting("settings.ALLOWED_HOSTS", DJANGO_ALLOWED_HOSTS="a.example, b.example,") == ["a.example", "b.example"]


def test_the_site_starts_without_celery() -> None:
    told = (
        "import sys; sys.modules['celery'] = None\n"
        "import importlib.util, importlib.machinery\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if 'celery' in name else found(name, *rest)\n"
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        "print('django_celery_beat' in settings.INSTALLED_APPS)\n"
    )
    result = run_site(told)
    assert (result.returncode, result.stdout.strip()) == (0, "False"), result.stderr


def test_the_celery_app_takes_its_settings_from_django() -> None:
    told = (
        "from project import celery_app; print(celery_app.main, celery_app.conf.broker_url, celery_app.conf.timezone)"
    )
    result = run_site(told, REDIS_URL="redis://cache.example:6379/3")
    assert result.stdout.split() == ["project", "redis://cache.example:6379/3", "UTC"], result.stderr


@pytest.mark.parametrize("entry", ["project.wsgi", "project.asgi"])
def test_the_servers_entry_points_load(entry: str) -> None:
    result = run_site(f"from {entry} import application; print(callable(application))")
    assert result.stdout.strip() == "True", result.stderr


@pytest.mark.django_db
def test_the_home_page_leads_to_the_admin_and_the_api(client: Client) -> None:
    page = client.get("/").content.decode()
    assert 'href="/admin/"' in page
    for period in ("daily", "weekly", "monthly", "trend"):
        assert f'href="/api/costs/{period}' in page


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
