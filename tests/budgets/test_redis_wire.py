"""Commands as they are sent to Redis, with hiredis and without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from costtrack.budgets.backends import redis_wire


@pytest.mark.parametrize("pack", [redis_wire.pack, redis_wire._packed], ids=["hiredis", "without"])
def test_a_command_is_its_words_with_their_lengths_in_bytes(pack: Callable[[object], bytes]) -> None:
    assert pack(("SET", "k:1", 25)) == b"*3\r\n$3\r\nSET\r\n$3\r\nk:1\r\n$2\r\n25\r\n"
    assert pack(("GET", "schlüssel")) == b"*2\r\n$3\r\nGET\r\n$10\r\nschl\xc3\xbcssel\r\n"
    assert pack(("EVAL", "", 0)) == b"*3\r\n$4\r\nEVAL\r\n$0\r\n\r\n$1\r\n0\r\n"
