"""A Celery app whose tasks meter."""

from __future__ import annotations

import os
import signal

from celery import Celery

from tests.exits.host import meter_some

app = Celery("exits")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="exits.meter")
def meter(prefix: str) -> int:
    """Meter three events; answers who did."""
    meter_some(prefix)
    return os.getpid()


@app.task(name="exits.meter_and_end")
def meter_and_end(prefix: str, worker: str) -> None:
    """Meter, and at once tell the worker to end, which is this process or its parent."""
    meter_some(prefix)
    os.kill(os.getppid() if worker == "parent" else os.getpid(), signal.SIGTERM)
