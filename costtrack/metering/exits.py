"""The end of a process: what it has metered by then is brought to the ledger, wherever Python still runs.

`atexit` runs at the end of a script, on Ctrl-C, in gunicorn's workers, which leave by `sys.exit`, and at the end of a
Celery worker with the solo or the thread pool. It does not in processes that end by `os._exit`: children of
multiprocessing (and of billiard, which shares its registries) run their finalizers first, and Celery's prefork
children, which skip even those, send a signal. Nor does it under uvicorn, which ends by raising its SIGTERM again.
After a bare `os._exit`, SIGKILL or a SIGTERM that nobody handles nothing runs at all: what was spooled is on disk, and
another process adopts it.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing.util
import signal
import sys
from typing import Any
from weakref import WeakSet

EXIT_SECONDS = 5.0
"""How long an exit waits at most for each: our own thread, the ledger, the subscribers."""

_STEPS: tuple[tuple[str, str, dict[str, float]], ...] = (
    ("costtrack.metering.ending", "end_open_streams", {}),
    ("costtrack.metering.database_thread", "finish_later", {"timeout_seconds": EXIT_SECONDS}),
    ("costtrack.metering.spool.running", "drain", {"timeout_seconds": EXIT_SECONDS}),
    ("costtrack.metering.subscribers", "drain", {"timeout_seconds": EXIT_SECONDS}),
)
"""In this order: each gives work to the next. Only what has been imported by then has anything to finish."""

logger = logging.getLogger("costtrack")
_servers: WeakSet[Any] = WeakSet()


def finish_metering() -> None:
    """End the open streams, bring everything to the ledger, and tell the subscribers; raises nothing.

    It may run several times: what is metered after it is spooled anew.
    """
    for module, function, limit in _STEPS:
        step = getattr(sys.modules.get(module), function, None)
        if step is None:
            continue
        try:
            step(**limit)
        except Exception as error:  # the boundary: the process ends as it would without us
            logger.warning("At the exit %s.%s failed: %s %s", module, function, type(error).__name__, error)


def watch_this_process() -> None:
    """Be told of its end by Celery and uvicorn, if they run it; anything may call this again at any time.

    Celery is imported before its worker imports a task, uvicorn's server runs before it imports the application.
    """
    celery_signals = sys.modules.get("celery.signals")
    if celery_signals is not None:
        celery_signals.worker_process_shutdown.connect(_finish_worker, weak=False, dispatch_uid="costtrack")
    uvicorn = sys.modules.get("uvicorn.server")
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if uvicorn is not None and isinstance(server, getattr(uvicorn, "Server", ())) and server not in _servers:
        _servers.add(server)
        _finish_after_shutdown(server)


def _finish_worker(**_: object) -> None:
    finish_metering()


def _finish_after_shutdown(server: Any) -> None:
    """Finish when uvicorn has answered its last request: it has no other hook there, as Django has no lifespan."""
    shutdown = server.shutdown

    async def shutdown_and_finish(*args: Any, **kwargs: Any) -> None:
        try:
            await shutdown(*args, **kwargs)
        finally:
            finish_metering()

    server.shutdown = shutdown_and_finish


def _finish_child(_: object = None) -> None:
    # Early, before it waits for children of its own.
    multiprocessing.util.Finalize(None, finish_metering, exitpriority=100)


atexit.register(finish_metering)
_finish_child()
# A child forgets the finalizers of its parent, and then runs what is registered here.
multiprocessing.util.register_after_fork(_finish_child, _finish_child)
watch_this_process()
