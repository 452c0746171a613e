"""The host's own functions as channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing


class AlertHandler(Protocol):
    """Takes a message; what it raises is a failure, and it is called again later."""

    def __call__(self, message: Outgoing, /) -> object:
        """Deliver it."""


Handler = TypeVar("Handler", bound=AlertHandler)
_handlers: dict[str, AlertHandler] = {}


def alert_handler(name: str) -> Callable[[Handler], Handler]:
    """Make a function a channel of kind `handler`, whose target is this name.

    Do it where every process that delivers imports it: in the `ready` of an app. It is called at least once per
    message; `message.id` tells a second call.
    """

    def register(function: Handler) -> Handler:
        _handlers[name] = function
        return function

    return register


def handler_names() -> list[str]:
    """Those that this process knows."""
    return sorted(_handlers)


def send_to_handler(target: str, message: Outgoing) -> None:
    """Call it."""
    function = _handlers.get(target)
    if function is None:
        known = ", ".join(handler_names()) or "none"
        raise DeliveryFailed(f"No handler {target[:100]!r} is registered in this process; it knows {known}.")
    try:
        function(message)
    except Exception as error:  # the host's code; the outbox goes on, and tries again
        raise DeliveryFailed(f"{type(error).__name__}: {str(error)[:300]}") from error
