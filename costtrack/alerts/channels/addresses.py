"""Where a webhook may go: public addresses over https. Checked after the name is resolved, and connected to as checked.

A check of the URL's text would not do: 2130706433, 0x7f.1 and many a name that somebody registers are 127.0.0.1, too.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from costtrack.alerts.channels.outgoing import DeliveryFailed
from costtrack.conf import settings

PORTS = (443, 8443)
LONGEST_URL = 1000
IF_MEANT = '. If that is meant, put the host into COSTTRACK["WEBHOOK_PRIVATE_HOSTS"]'
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Destination(NamedTuple):
    """Where to connect, and what to ask for there."""

    host: str
    port: int
    path: str
    is_https: bool
    address: str
    """The IP address that was checked."""


def destination_of(url: str) -> Destination:
    """Resolve and check. Raises DeliveryFailed, whose message names the host alone: a path may be a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host.encode("idna").decode() if not host.isascii() else host
    except (ValueError, UnicodeError):
        raise _refused("the URL can not be read") from None
    if len(url) > LONGEST_URL or not url.isprintable() or " " in url or not host:
        raise _refused("the URL can not be read")
    if parts.scheme not in ("http", "https"):
        raise _refused("the scheme is not https")
    if parts.username is not None or parts.password is not None:
        raise _refused("a name or password in the URL; sign with a secret instead")
    if not f"{parts.path}{parts.query}".isascii():
        raise _refused("its path is not ASCII; percent-encode it")
    is_https = parts.scheme == "https"
    port = port or (443 if is_https else 80)
    is_trusted = not {host, f"{host}:{port}"}.isdisjoint(settings.webhook_private_hosts)
    if not is_trusted and not is_https:
        raise _refused(f"{host}: http, expected https{IF_MEANT}")
    if not is_trusted and port not in PORTS:
        raise _refused(f"{host}: port {port}, expected one of {', '.join(map(str, PORTS))}{IF_MEANT}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(host, port, path, is_https, _address(host, port, is_trusted=is_trusted))


def _address(host: str, port: int, *, is_trusted: bool) -> str:
    """The first address of the host; all of them have to be public, so that none is chosen by chance."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DeliveryFailed(f"{host}: no such host.") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not is_trusted and not all(_is_public(address) for address in addresses):
        raise _refused(f"{host}: it is inside, at a private or reserved address{IF_MEANT}")
    return addresses[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            address = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and not address.is_multicast and not address.is_reserved


def _refused(why: str) -> DeliveryFailed:
    return DeliveryFailed(f"The webhook may not go there: {why}.", is_permanent=True)
