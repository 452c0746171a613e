"""Servers that receive webhooks and mail, as real ones do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class WebhookReceiver:
    """Takes POSTs; answers with `status`, or does what `answer` says."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip_seconds: float = 0
    """Send the answer a byte at a time, forever, with so long between two."""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    address: str = ""


@contextmanager
def webhook_receiver(**fields: Any) -> Iterator[WebhookReceiver]:
    """A receiver on 127.0.0.1, on a port of its own."""
    receiver = WebhookReceiver(**fields)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            if not receiver.drip_seconds:
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.wfile.flush()
            try:
                while True:
                    self.wfile.write(b"X")
                    self.wfile.flush()
                    time.sleep(receiver.drip_seconds)
            except OSError:
                return

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.address = f"127.0.0.1:{server.server_address[1]}"
    receiver.url = f"http://{receiver.address}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
