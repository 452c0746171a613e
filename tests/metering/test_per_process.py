"""PerProcess: kept in a process, made anew in its children, whoever forks them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from costtrack.metering import per_process
from costtrack.metering.per_process import PerProcess

ROOT = Path(__file__).resolve().parents[2]


def counted() -> tuple[PerProcess[int], list[int]]:
    """How often it was made: its value, and a list that gets one entry for each."""
    made: list[int] = []

    def make() -> int:
        made.append(os.getpid())
        return len(made)

    return PerProcess(make), made


def test_it_is_made_once_when_it_is_first_asked_for() -> None:
    value, made = counted()
    assert made == []
    assert [value.get(), value.get(), value.get()] == [1, 1, 1]


def test_where_no_page_can_be_marked_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(per_process, "WIPE_ON_FORK", 9999)  # as before Linux 4.14
    value, _ = counted()
    assert [value.get(), value.get()] == [1, 2]
    monkeypatch.undo()
    monkeypatch.setattr(sys, "platform", "darwin")
    value, _ = counted()
    assert [value.get(), value.get()] == [1, 2]


IN_CHILDREN = """
import ctypes, os
from costtrack.metering.per_process import PerProcess

pid = PerProcess(os.getpid)
assert pid.get() == os.getpid()
parent = pid.get()
for fork in (os.fork, ctypes.PyDLL(None).fork):
    if (child := fork()) == 0:
        assert pid.get() == pid.get() == os.getpid() != parent
        if (grandchild := fork()) != 0:
            assert os.waitpid(grandchild, 0)[1] == 0
        assert pid.get() == os.getpid()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert pid.get() == parent
"""

FORKED_IN_THE_MIDDLE = """
import os
from costtrack.metering.per_process import PerProcess

children = []

def make():
    pid = os.getpid()
    if not children:
        children.append(os.fork())  # as a signal handler may, between any two steps
    return pid

pid = PerProcess(make)
assert pid.get() == os.getpid()
assert pid.get() == os.getpid()
if children[0] == 0:
    os._exit(0)
assert os.waitpid(children[0], 0)[1] == 0
"""


@pytest.mark.parametrize("script", [IN_CHILDREN, FORKED_IN_THE_MIDDLE])
def test_a_child_has_its_own_and_the_parent_keeps_its_one(script: str) -> None:
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, timeout=60)
