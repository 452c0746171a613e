"""Receivers of webhooks that are slow, hostile, or not who they say."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from costtrack.alerts.channels.addresses import destination_of
from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing
from costtrack.alerts.channels.webhook import send_webhook


def message() -> Outgoing:
    return Outgoing(id="m1", type="alert.raised", created_at=datetime.now(UTC), subject="s", text="t", data={})


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Accepts one connection, and does with it what `answer` does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(30)


def trust(settings: Any, address: str) -> None:
    settings.COSTTRACK = {**settings.COSTTRACK, "WEBHOOK_PRIVATE_HOSTS": [address, f"localhost:{address[10:]}"]}


def test_in_47_a_handshake_that_drips_ends_at_the_deadline(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costtrack.alerts.channels.webhook.DEADLINE_SECONDS", 1.0)

    def drip(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 kB begins
        for _ in range(200):
            connection.sendall(b"\x02")
            time.sleep(0.1)

    began = time.monotonic()
    with raw_server(drip) as address:
        trust(settings, address)
        with pytest.raises(DeliveryFailed, match="no answer within 1 s"):
            send_webhook(f"https://{address}/", "", message(), now=datetime.now(UTC))
    assert time.monotonic() - began < 10


def test_in_47_a_body_of_5_gb_is_not_read(settings: Any) -> None:
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5368709120\r\n\r\n")
        for _ in range(5120):
            connection.sendall(b"x" * 2**20)
            sent.append(1)

    with raw_server(flood) as address:
        trust(settings, address)
        send_webhook(f"http://{address}/", "", message(), now=datetime.now(UTC))
    assert len(sent) < 100


def test_in_47_a_status_line_of_garbage_is_a_failure_that_can_be_stored(settings: Any) -> None:
    with raw_server(lambda connection: connection.sendall(b"\x00\x1b[31m nonsense\r\n\r\n")) as address:
        trust(settings, address)
        with pytest.raises(DeliveryFailed) as caught:
            send_webhook(f"http://{address}/", "", message(), now=datetime.now(UTC))
    assert str(caught.value).isprintable()


def certificate(tmp_path: Path, name: str) -> Path:
    """A certificate that its own key has signed, with that key, by the system's openssl."""
    file = tmp_path / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    file.write_bytes((tmp_path / "key.pem").read_bytes() + (tmp_path / "cert.pem").read_bytes())
    return file


@pytest.mark.parametrize(
    ("name", "is_known", "said"),
    [
        ("localhost", True, ""),
        ("other.example.org", True, "its certificate is not good (Hostname mismatch"),
        ("localhost", False, "its certificate is not good (self-signed certificate)"),
    ],
)
def test_in_47_the_certificate_has_to_be_the_name_s(
    name: str, is_known: bool, said: str, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path, name)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))

    def answer(connection: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        with context.wrap_socket(connection, server_side=True) as secure:
            received = b""
            while not received.endswith(b"{}}"):
                received += secure.recv(65536)
            secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with raw_server(answer) as address:
        trust(settings, address)
        url = f"https://localhost:{address[10:]}/"
        monkeypatch.setattr(
            "costtrack.alerts.channels.addresses.socket.getaddrinfo",
            lambda host, port, *rest, **kwargs: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))],
        )
        if not said:
            send_webhook(url, "", message(), now=datetime.now(UTC))
        else:
            with pytest.raises(DeliveryFailed) as caught:
                send_webhook(url, "", message(), now=datetime.now(UTC))
            assert said in str(caught.value)


def test_in_44_a_name_that_resolves_to_another_address_later_is_still_sent_to_the_checked_one(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked, asked = [], []
    monkeypatch.setattr(
        "costtrack.alerts.channels.addresses.socket.getaddrinfo",
        lambda host, port, **kwargs: asked.append(host) or [(2, 1, 6, "", ("93.184.216.34", port))],
    )

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        checked.append(address)
        raise ConnectionRefusedError("nobody is there")

    monkeypatch.setattr("costtrack.alerts.channels.webhook.socket.create_connection", connect)
    with pytest.raises(DeliveryFailed, match=r"hooks\.example\.org: ConnectionRefusedError"):
        send_webhook("https://hooks.example.org/secret", "", message(), now=datetime.now(UTC))
    assert (asked, checked) == (["hooks.example.org"], [("93.184.216.34", 443)])


def test_in_44_one_inside_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr("costtrack.alerts.channels.addresses.socket.getaddrinfo", lambda *args, **kwargs: answers)
    with pytest.raises(DeliveryFailed, match="it is inside"):
        destination_of("https://hooks.example.org/")
