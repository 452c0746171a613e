"""Databases for the fault tests: each a copy of one that was migrated once, on a PostgreSQL that the test may hurt."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.faults.children import run
from tests.servers import PostgresServer

TEMPLATE = "migrated"
CHARGED = "SELECT request_id, count(*) FROM costtrack_resourceusage GROUP BY request_id"
_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class LedgerDatabase:
    """A migrated database with the organization acme and a rate of test-model, seen from outside Django."""

    folder: str
    """Where the server listens."""
    name: str

    @property
    def url(self) -> str:
        """Its DATABASE_URL."""
        return self.url_by(self.folder)

    def url_by(self, folder: str | Path) -> str:
        """The same by another socket: a proxy's."""
        return f"postgresql://postgres@{quote(str(folder), safe='')}/{self.name}"

    def connect(self) -> psycopg.Connection:
        """A connection of the test's own, that the server does not end and no proxy sees."""
        return psycopg.connect(self.url, autocommit=True)

    def charged(self) -> Counter[str]:
        """How many ledger rows each event has, by its request_id, which the metering processes set to its key."""
        with self.connect() as connection:
            return Counter(dict(connection.execute(CHARGED).fetchall()))

    def keys(self) -> int:
        """How many idempotency keys are taken."""
        with self.connect() as connection:
            return int(connection.execute("SELECT count(*) FROM costtrack_usagekey").fetchone()[0])


@dataclass(frozen=True, kw_only=True)
class SQLiteDatabase:
    """The same in a file."""

    path: Path

    @property
    def url(self) -> str:
        """Its DATABASE_URL."""
        return f"sqlite:///{self.path}"

    def connect(self) -> sqlite3.Connection:
        """A connection of the test's own, which begins no transaction by itself."""
        return sqlite3.connect(self.path, timeout=30, isolation_level=None)

    def charged(self) -> Counter[str]:
        """How many ledger rows each event has."""
        with closing(self.connect()) as connection:
            return Counter(dict(connection.execute(CHARGED).fetchall()))

    def keys(self) -> int:
        """How many idempotency keys are taken."""
        with closing(self.connect()) as connection:
            return int(connection.execute("SELECT count(*) FROM costtrack_usagekey").fetchone()[0])


def new_sqlite(path: Path, log: Path) -> SQLiteDatabase:
    """A migrated file."""
    database = SQLiteDatabase(path=path)
    run("prepare", environment={"DATABASE_URL": database.url}, log=log)
    return database


def prepare_template(server: PostgresServer, log: Path) -> None:
    """Migrate the database that the others are copies of."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    template = LedgerDatabase(folder=str(server.folder), name=TEMPLATE)
    run("prepare", environment={"DATABASE_URL": template.url}, log=log)


def new_database(server: PostgresServer) -> LedgerDatabase:
    """A fresh copy."""
    name = f"faults_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    return LedgerDatabase(folder=str(server.folder), name=name)
