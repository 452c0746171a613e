"""The Redis server, asked so that nobody waits long, nothing is done twice, and no run is taken for another.

Every connection learns, when it is made, which run of the server it speaks to, and all keys of what is asked over it
carry that run's name. A server that was restarted, or a replica that was promoted, is another run: it may hold an old
copy of the keys, which nobody ever looks at. So this keeps connections of its own, that never reconnect by themselves.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from costtrack.budgets.backends.redis_scripts import Script
from costtrack.budgets.backends.redis_wire import let_the_kernel_watch_the_time, pack
from costtrack.budgets.breaker import Breaker
from costtrack.budgets.near_limits import NearLimits
from costtrack.conf import settings
from costtrack.exceptions import CostTrackError
from costtrack.models import Installation

IDLE_SECONDS = 10.0
"""A connection that was not used for so long is made anew: who is replica and who is not may have changed."""

Said = Callable[["Run"], tuple[Sequence[str], Sequence[object]]]
"""The keys and arguments of a script, for the run that will do it."""

logger = logging.getLogger("costtrack")


class RedisAway(CostTrackError):
    """Redis did not answer in time, or not as it should. It may have done what it was asked all the same."""


class Run:
    """One run of a Redis server, as one connection sees it."""

    def __init__(self, name: str, prefix: str) -> None:
        self.name = name
        """The server's run and replication ids: after a restart, or a promotion, it is another."""
        self.prefix = prefix
        """Of all keys."""


class _Connection:
    """A connection, with the run that it speaks to."""

    def __init__(self, url: str, installation: str) -> None:
        redis = _redis()
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        timeout = settings.redis_timeout_ms / 1000
        options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "retry": Retry(NoBackoff(), 0),
            **redis.connection.parse_url(url),
        }
        kind = options.pop("connection_class", redis.Connection)
        self._connection = kind(**options, redis_connect_func=self._on_connect)
        self._is_made = False
        self._connection.connect()
        let_the_kernel_watch_the_time(getattr(self._connection, "_sock", None), options["socket_timeout"])
        name = f"{self._info('server')['run_id']}:{self._info('replication').get('master_replid', '')}"
        self.run = Run(name, f"costtrack:{{{installation}:{name}}}:")
        self.used_at = time.monotonic()
        self.is_fresh = True
        """Nothing was asked over it yet: what fails now did not fail because the server was restarted meanwhile."""

    def ask(self, script: Script, keys: Sequence[str], arguments: Sequence[object]) -> Any:
        no_script = _redis().exceptions.NoScriptError
        said = [len(keys), *keys, *arguments]
        try:
            return self._command("EVALSHA", script.sha, *said)
        except no_script:  # then it was not run
            return self._command("EVAL", script.text, *said)

    def close(self) -> None:
        self._connection.disconnect()

    def _command(self, *words: object) -> Any:
        redis = _redis()
        try:
            self._connection.send_packed_command([pack(words)], check_health=False)
            return self._connection.read_response()
        except redis.exceptions.ConnectionError as error:
            if any(isinstance(one, BlockingIOError) for one in (error.__cause__, error.__context__)):
                raise redis.exceptions.TimeoutError("Redis has not answered in time.") from error
            raise

    def _info(self, section: str) -> dict[str, str]:
        text = self._command("INFO", section)
        lines = (text.decode() if isinstance(text, bytes) else str(text)).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _on_connect(self, connection: Any) -> None:
        if self._is_made:
            raise _redis().exceptions.ConnectionError("The connection was lost; another one has to be made.")
        self._is_made = True
        connection.on_connect()


class RedisServer:
    """The server at one URL, for one process and one database."""

    def __init__(self, url: str, alias: str) -> None:
        """Not connected yet."""
        self.breaker = Breaker()
        self.near = NearLimits()
        self.last_lease = 0
        """The number of the last lease that this process has told it of."""
        self._url = url
        self._alias = alias
        self._installation = ""
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()

    def ask(self, script: Script, said: Said, *, may_repeat: bool = True) -> tuple[Any, Run]:
        """What the script answers, and the run that it was asked of.

        Raises RedisAway for everything that goes wrong; and at once, while the breaker is open. What may not be
        repeated is sent once at most.
        """
        if not self.breaker.allows():
            raise RedisAway("Redis has failed several times in a row, and is left alone for some seconds.")
        try:
            answer = self._asked(script, said, may_repeat)
        except (_redis().RedisError, OSError) as error:
            opened = self.breaker.failed()
            self.close()
            if opened:
                logger.warning("Redis does not answer, budgets are asked of the database: %s", error)
            raise RedisAway(f"{type(error).__name__}: {error}") from error
        self.breaker.succeeded()
        return answer

    def close(self) -> None:
        """Close all connections that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _asked(self, script: Script, said: Said, may_repeat: bool) -> tuple[Any, Run]:
        connection = self._connection()
        was_fresh, connection.is_fresh = connection.is_fresh, False
        try:
            answer = connection.ask(script, *said(connection.run))
        except _redis().exceptions.ConnectionError:  # which a timeout is not
            connection.close()
            if was_fresh or not may_repeat:
                raise
            self.close()  # the server was restarted, and what is left of the connections is of no use
            return self._asked(script, said, may_repeat)
        except BaseException:
            connection.close()
            raise
        connection.used_at = time.monotonic()
        with self._lock:
            self._idle.append(connection)
        return answer, connection.run

    def _connection(self) -> _Connection:
        now = time.monotonic()
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                break
            if now - connection.used_at < IDLE_SECONDS:
                return connection
            connection.close()
        if not self._installation:
            self._installation = str(_installation(self._alias))
        return _Connection(self._url, self._installation)


_servers: dict[tuple[int, str, str], RedisServer] = {}
"""By pid, URL and database: a forked child makes connections of its own."""


def redis_server(using: str | None = None) -> RedisServer | None:
    """The server that budgets of the database `using` are asked of; None where that database itself is."""
    if settings.budget_backend != "redis":
        return None
    alias = using or settings.database
    url = settings.redis_url
    if not url:
        raise ImproperlyConfigured('COSTTRACK["BUDGET_BACKEND"] is "redis": say where it is by COSTTRACK["REDIS_URL"].')
    key = (os.getpid(), url, alias)
    return _servers.get(key) or _servers.setdefault(key, RedisServer(url, alias))


def forget_redis() -> None:
    """Close all connections of this process, and forget what failed; the next call begins anew."""
    for key, server in list(_servers.items()):
        if key[0] == os.getpid():
            server.close()
        _servers.pop(key, None)


def _installation(alias: str) -> UUID:
    return Installation.objects.using(alias).get_or_create(id=Installation.THE_ONE)[0].uuid


def _redis() -> Any:
    """The package, which is an extra; loaded when it is first needed."""
    try:
        import redis
    except ImportError as error:
        raise ImproperlyConfigured(
            'COSTTRACK["BUDGET_BACKEND"] is "redis", and the package redis is not installed: '
            "pip install 'costtrack[redis]'."
        ) from error
    return redis
