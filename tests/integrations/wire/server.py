"""The server: it gives the answers that a test has laid out, in order, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.integrations.wire.answers import Answer


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    """Without host; with the query."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Wire:
    """What tests see of the server: `wire.url`, `wire.gives(...)`, `wire.requests`."""

    def __init__(self) -> None:
        self.url = ""
        """http://127.0.0.1:port, without a slash at its end."""
        self.requests: list[Request] = []
        self._answers: deque[Answer] = deque()
        self._by_path: dict[str, Answer] = {}

    def gives(self, *answers: Answer) -> None:
        """Answer the next requests with these, whatever they ask for; one each."""
        self._answers.extend(answers)

    def gives_at(self, path: str, answer: Answer) -> None:
        """Answer every request for this path, without query, with this."""
        self._by_path[path] = answer

    def reset(self) -> None:
        """Forget all answers and requests."""
        self.requests.clear()
        self._answers.clear()
        self._by_path.clear()

    def next_answer(self, request: Request) -> Answer:
        """The answer to a request; one that no test expects gets the status 418, which no client tries again."""
        self.requests.append(request)
        fixed = self._by_path.get(urlsplit(request.path).path)
        if fixed is not None:
            return fixed
        try:
            return self._answers.popleft()
        except IndexError:
            return Answer(418, {"content-type": "application/json"}, (b'{"error": {"message": "not expected"}}',))


@contextmanager
def wire_server() -> Iterator[Wire]:
    """A running server on 127.0.0.1, on a port of its own."""
    wire = Wire()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                self.send(wire.next_answer(Request(self.command, self.path, headers, body)))
            except OSError:  # the client went away
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def send(self, answer: Answer) -> None:
            if answer.after_seconds:
                time.sleep(answer.after_seconds)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.is_stream:
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for chunk in answer.chunks:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    self.wfile.flush()
                    if answer.between_seconds:
                        time.sleep(answer.between_seconds)
                if answer.is_cut:
                    self.close_connection = True
                else:
                    self.wfile.write(b"0\r\n\r\n")
            else:
                body = b"".join(answer.chunks)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    wire.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
