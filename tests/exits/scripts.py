"""Run as a process: a plain script that meters, and ends at once in the way that its first argument names."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

from tests.exits.host import meter_some, only_the_exit_books, set_up


def stream(name: str) -> Iterator[Any]:
    """A stream whose first chunk has arrived; it has cost three tokens, although nobody reads it to its end."""
    from costtrack import track_api_call

    @track_api_call("chat", provider="openai", model="test-model", organization="acme", request_id=name)
    def streamed() -> Iterator[Any]:
        usage = {"prompt_tokens": 2, "completion_tokens": 1}
        return iter([{"choices": [{"delta": {"content": "Hello"}}], "usage": usage}, {}])

    begun = streamed()
    next(begun)
    return begun


def end(way: str) -> None:
    """End this process."""
    match way:
        case "end":
            return
        case "sys.exit":
            sys.exit(3)
        case "exception":
            raise RuntimeError("The host has failed.")
        case "os._exit":
            os._exit(0)
        case _:
            os.kill(os.getpid(), signal.Signals[way])
            time.sleep(60)


def main() -> None:
    way, prefix = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background hands down that it is ignored
    set_up()
    only_the_exit_books()
    match way:
        case "open-stream":
            globals()["kept"] = stream(f"{prefix}-0")
        case "open-stream-after-events":
            meter_some(prefix)
            globals()["kept"] = stream(f"{prefix}-3")
        case "dropped-stream":
            from costtrack.metering.database_thread import run_later

            run_later(lambda: time.sleep(0.5))  # what it has to do before it comes to the stream
            stream(f"{prefix}-0")
        case "atexit":
            from costtrack import meter  # noqa: F401 - a host has imported it by then

            atexit.register(meter_some, prefix)
        case "slow-subscriber":
            from costtrack import subscribe
            from costtrack.metering import subscribers
            from costtrack.metering.recorded import RecordedUsage

            subscribers.LONGEST_WAIT_SECONDS = 0.01

            @subscribe
            def told(recorded: RecordedUsage) -> None:
                time.sleep(0.05)
                print("told", recorded.event.idempotency_key, flush=True)

            meter_some(prefix)
        case _:
            meter_some(prefix)
            end(way)


if __name__ == "__main__":
    main()
