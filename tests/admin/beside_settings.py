"""The example site with django-unfold before Django's admin, and django-import-export."""

from __future__ import annotations

from project.settings import *  # noqa: F403 - all of that site's
from project.settings import INSTALLED_APPS as APPS

INSTALLED_APPS = ["unfold", *APPS, "import_export"]
