"""Settings of the process that LiteLLM's proxy runs in: the example site's, with nothing remembered between tests."""

from __future__ import annotations

import os

# LiteLLM takes DATABASE_URL for its own tables; the site's database has another name here.
os.environ["DATABASE_URL"] = os.environ["SITE_DATABASE_URL"]

from project.settings import *  # noqa: F403 - they are the same settings, with that URL
from project.settings import COSTTRACK

del os.environ["DATABASE_URL"]
COSTTRACK["RATE_CACHE_SECONDS"] = 0
