"""Signatures of webhooks by the standardwebhooks scheme: https://github.com/standard-webhooks/standard-webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from costtrack.alerts.channels.outgoing import DeliveryFailed

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)


def signature_headers(*, message_id: str, sent_at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers; one signature for each secret, so that one can be replaced without a gap."""
    stamp = str(int(sent_at.timestamp()))
    signatures = " ".join(_signature(message_id, stamp, body, secret) for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signatures}


def is_signed(
    *, message_id: str, timestamp: str, signature: str, body: bytes, secrets: Sequence[str], now: datetime
) -> bool:
    """Whether a webhook is genuine and new: for receivers, whose headers these are. In constant time per secret.

    False for one that is more than five minutes old or ahead, and for anything that can not be read.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        return False
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        return False
    expected = [_signature(message_id, timestamp, body, secret).encode() for secret in secrets]
    given = [one.encode() for one in signature.split()]
    return any([hmac.compare_digest(one, other) for one in expected for other in given])


def _signature(message_id: str, stamp: str, body: bytes, secret: str) -> str:
    signed = b".".join((message_id.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise DeliveryFailed(f"The signing secret is none: expected {PREFIX} and 24 to 64 bytes in base64.")
    return key
