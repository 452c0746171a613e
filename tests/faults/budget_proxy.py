"""A proxy that can lose the reply to a reservation, which commits by itself."""

from __future__ import annotations

from tests.faults.proxy import Messages, PostgresProxy

STATEMENT = b"costtrack_reserve("


class ReserveProxy(PostgresProxy):
    """Takes a message with the reserving statement for what a COMMIT is to the proxy."""

    def new_messages(self) -> Messages:
        """Of one connection."""
        return _Reservations()


class _Reservations(Messages):
    def is_one(self, message: bytes) -> bool:
        return STATEMENT in message
