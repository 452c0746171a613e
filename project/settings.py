"""Settings of the example site. Everything that differs between machines comes from the environment.

| variable | default | meaning |
| --- | --- | --- |
| DATABASE_URL | the SQLite file db.sqlite3 of this checkout | the database |
| DATABASE_CONN_MAX_AGE | 0 | how many seconds a thread keeps its connection to it; with WSGI choose 60 |
| REDIS_URL | none | Django's cache and Celery's broker, where there is one |
| DJANGO_DEBUG | 1 | 0 turns debugging off; DJANGO_SECRET_KEY is required then |
| DJANGO_SECRET_KEY | a key for development | signs sessions |
| DJANGO_ALLOWED_HOSTS | none | host names that the site answers to, comma separated |
| DJANGO_EMAIL_HOST | none: mails are printed | the server that sends mails |
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from costtrack import __version__

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = os.environ.get("DJANGO_DEBUG", "1").lower() not in {"0", "false", "no", "off", ""}

DEVELOPMENT_SECRET_KEY = "for-development-only-set-DJANGO_SECRET_KEY-on-a-real-site"
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or DEVELOPMENT_SECRET_KEY
if not DEBUG and SECRET_KEY == DEVELOPMENT_SECRET_KEY:
    raise ImproperlyConfigured("Set DJANGO_SECRET_KEY to a long random text: DJANGO_DEBUG is off.")

ALLOWED_HOSTS = [host.strip() for host in os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",") if host.strip()]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "costtrack",
]
if importlib.util.find_spec("django_celery_beat"):
    INSTALLED_APPS.append("django_celery_beat")
if importlib.util.find_spec("drf_spectacular"):
    INSTALLED_APPS.append("drf_spectacular")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "costtrack.middleware.CostTrackMiddleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
ASGI_APPLICATION = "project.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database(url: str) -> dict[str, Any]:
    """Return the DATABASES entry of a URL; on SQLite with the options that let several writers share one file."""
    database: dict[str, Any]
    if url:
        database = {**dj_database_url.parse(url, conn_max_age=int(os.environ.get("DATABASE_CONN_MAX_AGE", "0")))}
    else:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(BASE_DIR / "db.sqlite3")}
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"] = {
            # A transaction takes the write lock when it begins, and waits for it: a deferred one fails at once
            # when another has committed in between.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            **database.get("OPTIONS", {}),
        }
        if database["NAME"] != ":memory:":
            # A file, because threads cannot wait for one another on an in-memory database.
            name = Path(database["NAME"])
            database["TEST"] = {"NAME": str(name.with_name(f"test-{name.name}"))}
    return database


DATABASES = {"default": _database(os.environ.get("DATABASE_URL", ""))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("REDIS_URL", "")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
    # Celery's name for a unix:// socket
    CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
    CELERY_RESULT_BACKEND = CELERY_BROKER_URL
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CELERY_BROKER_URL = "memory://"
CELERY_TIMEZONE = "UTC"
if "django_celery_beat" in INSTALLED_APPS:
    CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

LOGIN_URL = "admin:login"  # for staff; a site has a login of its own

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

SPECTACULAR_SETTINGS = {
    "TITLE": "costtrack",
    "DESCRIPTION": "What LLM calls, tools and jobs cost, who caused it, and budgets that hold.",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
}

# Mails are printed, unless there is a server to send them.
EMAIL_HOST = os.environ.get("DJANGO_EMAIL_HOST", "")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"

COSTTRACK: dict[str, Any] = {
    "DEFAULT_ORGANIZATION": "default",
}
if transport := os.environ.get("COSTTRACK_TRANSPORT"):
    COSTTRACK["TRANSPORT"] = transport
if spool_dir := os.environ.get("COSTTRACK_SPOOL_DIR"):
    COSTTRACK["SPOOL_DIR"] = spool_dir
