"""The list of budgets that this process knows: in memory for callers, at most two seconds old when it is used.

A thread of its own keeps it fresh while calls are metered, over a connection that it keeps as long, so that no caller
waits for it; the first call after a pause does. While the database is away, or hangs, the list stays as it was: who
reserves meets that himself.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from django.db import Error, connections

from costtrack.budgets.book import Book, OrganizationBudgets, loaded_book
from costtrack.conf import settings
from costtrack.exceptions import BudgetUnavailable

REFRESH_SECONDS = 1.0
"""How often the thread looks for changes."""
FRESH_SECONDS = 2.0
"""How old the list may be when a call is admitted by it."""
IDLE_SECONDS = 30.0
"""After so long without a call the thread ends."""
PATIENCE_SECONDS, FIRST_PATIENCE_SECONDS = 0.5, 1.0
"""How long a caller waits at most for the thread's answer; the second while nothing is known yet."""

logger = logging.getLogger("costtrack")


class KnownBudgets:
    """What one process knows of the budgets of one database."""

    def __init__(self, alias: str) -> None:
        """Nothing yet."""
        self.by_id: Book = {}
        self.by_slug: dict[str, OrganizationBudgets] = {}
        self._alias = alias
        self._is_sqlite = connections[alias].vendor == "sqlite"
        self._answered_at = 0.0
        """When the last answer, or failure, was asked for, by the monotonic clock."""
        self._used_at = 0.0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_asked = False
        self._is_overdue = False
        """Whether somebody has waited in vain, and no answer has come since: nobody else waits until one does."""
        self._is_over_kept = False
        """Whether the thread asks over a connection that it has kept: if its host is gone, that may hang for long."""
        self._is_stopping = False
        self._has_failed = False
        self._is_known = False
        """Whether the list was read at all."""

    @property
    def is_fresh(self) -> bool:
        """Whether `fresh` answers at once."""
        return time.monotonic() - self._answered_at <= FRESH_SECONDS

    def fresh(self) -> dict[str, OrganizationBudgets]:
        """By slug; waits for the thread only after a pause. Raises BudgetUnavailable as ON_UNKNOWN_BUDGETS says."""
        self._used_at = now = time.monotonic()
        if now - self._answered_at > FRESH_SECONDS:
            self.refresh()
        if not self._is_known and settings.on_unknown_budgets == "deny":
            raise BudgetUnavailable(reason="the database has not answered since this process began")
        return self.by_slug

    def refresh(self) -> None:
        """Wait until the list is as new as this call, or can not be had."""
        self._used_at = asked_at = time.monotonic()
        with self._changed:
            self._is_asked = True
            self._ensure_thread()
            self._changed.notify_all()
            patience = PATIENCE_SECONDS if self._is_known else FIRST_PATIENCE_SECONDS
            while self._answered_at < asked_at and not self._is_overdue:
                left = asked_at + patience - time.monotonic()
                if left <= 0 or self._thread is None:
                    self._answered_at = time.monotonic()
                    self._is_overdue = left <= 0 and not self._is_over_kept
                    if self._is_over_kept:  # the next call begins another thread, with a connection of its own
                        self._is_over_kept, self._thread = False, None
                    self._changed.notify_all()
                    return
                self._changed.wait(left)

    def set(self, book: Book) -> None:
        """Know these."""
        self.by_id = book
        self.by_slug = {budgets.slug: budgets for budgets in book.values()}

    def learn(self, book: Book) -> None:
        """A writer has read these, committed, of some organizations."""
        if not settings.is_inline() and any(self.by_id.get(key) is not one for key, one in book.items()):
            self.set({**self.by_id, **book})

    def stop(self, timeout_seconds: float) -> None:
        """End the thread, and its connection with it."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_seconds)

    def _ensure_thread(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._run, name="costtrack-budgets", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter exits: the list stays as it is
            self._thread = None

    def _run(self) -> None:
        try:
            while True:
                asked_at = time.monotonic()
                self._is_asked = False
                book = self._loaded()
                with self._changed:
                    if self._thread is not threading.current_thread():  # nobody waits for this one any more
                        return
                    self._is_over_kept = False
                    if book is not None:
                        self.set(book)
                        self._is_known = True
                    self._answered_at = asked_at
                    self._is_overdue = False
                    self._changed.notify_all()
                    if not self._is_asked and not self._is_stopping:
                        self._changed.wait(REFRESH_SECONDS)
                    is_idle = not self._is_asked and time.monotonic() - self._used_at > IDLE_SECONDS
                    if self._is_stopping or is_idle:
                        self._thread = None
                        return
        finally:
            connections[self._alias].close()

    def _loaded(self) -> Book | None:
        was_open = connections[self._alias].connection is not None
        self._is_over_kept = was_open
        try:
            book = self._loaded_from_sqlite() if self._is_sqlite else loaded_book(self.by_id, using=self._alias)
        except Exception as error:  # the thread must live, whatever this was
            connections[self._alias].close()
            if was_open:  # the server may have ended a connection that was kept: see whether it gives a new one
                return self._loaded()
            if not self._has_failed:
                logger.warning(
                    "The list of budgets can not be read, and stays as it was%s: %s",
                    "" if isinstance(error, Error) else f" ({type(error).__name__})",
                    error,
                )
            self._has_failed = True
            return None
        self._has_failed = False
        return book

    def _loaded_from_sqlite(self) -> Book:
        """With no fork meanwhile: SQLite's locks are the process's, and the child could never write."""
        with _no_fork:
            try:
                return loaded_book(self.by_id, using=self._alias)
            finally:
                connections[self._alias].close()


_known: dict[tuple[int, str], KnownBudgets] = {}
"""By pid and database: a forked child begins with its own."""
_no_fork = threading.Lock()
"""Held while this process reads SQLite for its list, and while it forks."""


def known_budgets(alias: str) -> KnownBudgets:
    """What this process knows of that database."""
    key = (os.getpid(), alias)
    return _known.get(key) or _known.setdefault(key, KnownBudgets(alias))


def budgets_of(slug: str, *, using: str | None = None) -> OrganizationBudgets | None:
    """The budgets of an organization; None if it never had any. No query, but inline: there the caller's own."""
    alias = using or settings.database
    if not settings.is_inline():
        return known_budgets(alias).fresh().get(slug)
    # Nothing is kept: the caller's transaction, with the epochs that it has seen, may yet be rolled back.
    return next(iter(loaded_book({}, using=alias, slug=slug).values()), None)


def forget_budgets(timeout_seconds: float = 2.0) -> None:
    """Know nothing; ends the thread and its connection. The next call begins anew."""
    for key, known in list(_known.items()):
        if key[0] == os.getpid():
            known.stop(timeout_seconds)
        _known.pop(key, None)


_forking = threading.local()


def _before_fork() -> None:
    _forking.has_lock = _no_fork.acquire(timeout=1.0)


def _after_fork() -> None:
    if getattr(_forking, "has_lock", False):
        _no_fork.release()


def _after_fork_in_child() -> None:
    global _no_fork
    _no_fork = threading.Lock()
    _known.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
