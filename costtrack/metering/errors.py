"""How a failed call's error is written into its event."""

from __future__ import annotations

from costtrack.metering.given_fields import EventFields


def error_fields(error: BaseException | str) -> EventFields:
    """Type and message of what went wrong, for the columns error_type and error_message."""
    if not isinstance(error, BaseException):
        return {"error_message": error}
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return {"error_type": f"{module}{kind.__qualname__}", "error_message": error}
