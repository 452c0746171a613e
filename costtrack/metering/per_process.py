"""A value that is kept until the process forks, whoever forks it."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from os import getpid
from typing import Generic, TypeVar

T = TypeVar("T")

WIPE_ON_FORK = 18
"""Linux's MADV_WIPEONFORK, which the mmap module has no name for."""


class PerProcess(Generic[T]):
    """What a function gives in this process, kept for as long as it is this process.

    Python's hooks do not see every fork (uWSGI's), the kernel does: a child finds zeros in a page that is so marked. To
    look there costs a tenth of asking for the pid, which is a system call. Where no page can be so marked, nothing is
    kept.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        """`make()` gives the value; two threads that are the first may both call it, and without a page every `get`."""
        self._make = make
        self._kept: T
        self._is_kept = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        """In its first byte."""
        self._can_keep = _is_wiped_on_fork(self._is_kept)

    def get(self) -> T:
        """The value of this process."""
        return self._kept if self._is_kept[0] else self._made()

    def _made(self) -> T:
        pid = getpid()
        made = self._kept = self._make()
        self._is_kept[0] = self._can_keep
        return made if getpid() == pid else self._made()  # a signal handler has forked in the middle of this


def _is_wiped_on_fork(page: mmap.mmap) -> bool:
    if sys.platform != "linux":
        return False
    try:
        page.madvise(WIPE_ON_FORK)
    except OSError:  # a kernel before 4.14, or one that only resembles Linux
        return False
    return True
