"""Settings of the processes that the fault tests start: the example site's, with what a test adds by environment."""

from __future__ import annotations

import json
import os

from project.settings import *  # noqa: F403 - they are the same settings
from project.settings import COSTTRACK, DATABASES

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "costtrack"]  # all that metering needs
COSTTRACK |= json.loads(os.environ.get("FAULTS_COSTTRACK", "{}"))
DATABASES["default"] |= json.loads(os.environ.get("FAULTS_DATABASE", "{}"))
