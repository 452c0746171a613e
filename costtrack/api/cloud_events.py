"""CloudEvents 1.0 in JSON, structured and batched, as events: https://github.com/cloudevents/spec/blob/v1.0.2."""

from __future__ import annotations

from typing import Any

from costtrack.api.event_input import EVENT, cleaned, instant
from costtrack.exceptions import InvalidUsage
from costtrack.metering.cleaning import MAX_KEY_LENGTH, hashed_key

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"


def event_of_cloud_event(given: object) -> dict[str, Any]:
    """The cleaned values of the event that is its `data`. Raises InvalidUsage, naming what is wrong.

    Its `source` and `id` are the idempotency key: together they are unique by the standard. Its `time` is when the
    event occurred, unless the data say that themselves. Other attributes are not needed, and not stored.
    """
    if not isinstance(given, dict):
        raise InvalidUsage("event", given, "a CloudEvent, which is a JSON object")
    if given.get("specversion") != "1.0":
        raise InvalidUsage("specversion", given.get("specversion"), '"1.0"')
    for name in ("id", "source", "type"):
        if not isinstance(given.get(name), str) or not given[name] or "\x00" in given[name]:
            raise InvalidUsage(name, given.get(name), "a text, which a CloudEvent has to have")
    if any(character.isspace() for character in given["source"]):
        raise InvalidUsage("source", given["source"], "a URI, or a reference to one, which has no blanks")
    media_type = given.get("datacontenttype")
    if media_type is not None and not _is_json(media_type):
        raise InvalidUsage("datacontenttype", media_type, "application/json")
    if "data_base64" in given:
        raise InvalidUsage("data_base64", given["data_base64"], "the event as a JSON object in `data`")
    values = cleaned(given.get("data"), EVENT)
    if (own_key := values.get("idempotency_key")) is not None:
        raise InvalidUsage("idempotency_key", own_key, "none: a CloudEvent's key is its source and id")
    if given.get("time") is not None:
        values.setdefault("occurred_at", instant("time", given["time"]))
    # The source has no blank, so no other pair makes the same key.
    key = f"{given['source']} {given['id']}"
    values["idempotency_key"] = key if len(key) <= MAX_KEY_LENGTH and key.isprintable() else hashed_key(key)
    return values


def _is_json(media_type: object) -> bool:
    if not isinstance(media_type, str):
        return False
    kind = media_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")
