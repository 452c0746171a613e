"""Draining where a process ends without running `atexit`: children of multiprocessing, and of Celery's pool."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

_registered_in: int | None = None


def drain_where_atexit_does_not_run(drain: Callable[[], None]) -> None:
    """Have `drain` called when this process ends; once per process, and only for what it has imported already."""
    global _registered_in
    if _registered_in == os.getpid():
        return
    _registered_in = os.getpid()
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, drain, exitpriority=100)
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        uid = "costtrack.drain"
        signals.worker_process_shutdown.connect(_ignoring_arguments(drain), weak=False, dispatch_uid=uid)
        signals.worker_shutdown.connect(_ignoring_arguments(drain), weak=False, dispatch_uid=uid)


def _ignoring_arguments(drain: Callable[[], None]) -> Callable[..., None]:
    def receiver(*args: object, **kwargs: object) -> None:
        drain()

    return receiver
