"""The entry points for gunicorn and uvicorn; EXITS_AT_IMPORT=prefix meters when the application is loaded."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

from tests.exits.host import meter_some

wsgi = get_wsgi_application()
asgi = get_asgi_application()
if prefix := os.environ.get("EXITS_AT_IMPORT"):
    meter_some(prefix)
