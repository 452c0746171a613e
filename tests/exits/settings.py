"""Settings of the processes that these tests start: the example site's, with two views that meter."""

from __future__ import annotations

from project.settings import *  # noqa: F403 - they are the same settings

ALLOWED_HOSTS = ["*"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "tests.exits.urls"
