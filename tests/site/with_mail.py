"""The example site with a mail server, and receivers that its webhooks may reach, both named by the environment."""

from __future__ import annotations

import os

from project.settings import *  # noqa: F403 - a settings module is the sum of its parts
from project.settings import COSTTRACK

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, _, _port = os.environ["SMTP_ADDRESS"].partition(":")
EMAIL_PORT = int(_port)
COSTTRACK["WEBHOOK_PRIVATE_HOSTS"] = [os.environ["HOOK_ADDRESS"]]
