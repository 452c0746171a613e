"""Webhooks: JSON over https, signed, to a checked address; no redirects, a deadline for all of it, little read."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from datetime import datetime

import orjson

from costtrack.alerts.channels.addresses import Destination, destination_of
from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing
from costtrack.alerts.channels.secrets import is_named, secret_value
from costtrack.alerts.channels.signing import signature_headers

DEADLINE_SECONDS = 10.0
MOST_READ = 4096
"""Of the answer, whose status alone matters."""
GONE = (404, 410)


def send_webhook(target: str, secret: str, message: Outgoing, *, now: datetime) -> None:
    """POST {"type", "timestamp", "data"}; any 2xx is success. Raises DeliveryFailed."""
    url = secret_value(target) if is_named(target) else target
    body = orjson.dumps({"type": message.type, "timestamp": message.created_at.isoformat(), "data": message.data})
    headers = {"Content-Type": "application/json", "User-Agent": "costtrack", "webhook-id": message.id}
    if secret:
        secrets = [secret_value(one) for one in secret.split()]
        headers |= signature_headers(message_id=message.id, sent_at=now, body=body, secrets=secrets)
    status = post(destination_of(url), body, headers)
    if not 200 <= status < 300:
        raise DeliveryFailed(f"The receiver answered {status}.", is_permanent=status in GONE)


def post(destination: Destination, body: bytes, headers: dict[str, str]) -> int:
    """The status of the answer. Raises DeliveryFailed for one that does not come in time, or at all."""
    connection = _connection(destination)
    ended = threading.Event()

    def end() -> None:
        ended.set()
        with suppress(OSError, AttributeError):  # a drip of bytes would keep a socket's own timeout from ever ending it
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # not the one of TLS, which another thread reads

    watch = threading.Timer(DEADLINE_SECONDS, end)
    watch.daemon = True
    watch.start()
    try:
        connection.connect()
        if ended.is_set():
            raise TimeoutError
        connection.request("POST", destination.path, body, headers)
        answer = connection.getresponse()
        with suppress(OSError, http.client.HTTPException):
            answer.read(MOST_READ)
        return answer.status
    except (OSError, http.client.HTTPException) as error:
        if ended.is_set() or isinstance(error, TimeoutError):
            raise DeliveryFailed(f"{destination.host}: no answer within {DEADLINE_SECONDS:.0f} s.") from None
        raise DeliveryFailed(f"{destination.host}: {_reason(error)}.") from None
    finally:
        watch.cancel()
        connection.close()


def _connection(destination: Destination) -> http.client.HTTPConnection:
    if destination.is_https:
        return _CheckedHTTPSConnection(destination)
    return _CheckedHTTPConnection(destination)


class _CheckedHTTPConnection(http.client.HTTPConnection):
    """Connects to the address that was checked, whatever the name is resolved to by now."""

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination.host, destination.port, timeout=DEADLINE_SECONDS)
        self._address = destination.address

    def connect(self) -> None:
        """To the address, not to the name."""
        self.sock = socket.create_connection((self._address, self.port), DEADLINE_SECONDS)


class _CheckedHTTPSConnection(_CheckedHTTPConnection):
    """The same; the certificate has to be the name's."""

    def connect(self) -> None:
        """TLS on top. The handshake begins when the deadline's watch has the socket that it can end."""
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(
            self.sock, server_hostname=self.host, do_handshake_on_connect=False
        )
        self.sock.do_handshake()


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good ({error.verify_message})"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
