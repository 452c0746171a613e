"""Run as a process: another one of the host's, which looks for what dead processes left every few milliseconds."""

from __future__ import annotations

import time

from tests.exits.host import fields, set_up


def main() -> None:
    set_up()
    from costtrack import record_usage
    from costtrack.metering.spool import flusher

    flusher.ROUND_SECONDS, flusher.ADOPT_SECONDS = 0.02, 0.05
    record_usage(**fields("living-0"), input_tokens=1000, output_tokens=100)
    time.sleep(600)


if __name__ == "__main__":
    main()
