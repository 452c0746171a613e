"""The example site: settings, urls, a Celery app, ASGI and WSGI entry points."""

from __future__ import annotations

try:
    import celery as _celery  # noqa: F401
except ModuleNotFoundError:
    pass  # The extra `celery` is not installed: everything but background jobs works.
else:
    from project.celery import app as celery_app  # noqa: F401
