"""Calls that were cut off from outside: the provider may well have worked, and charged. Unknown is not 0."""

from __future__ import annotations

from collections.abc import Iterator

UNANSWERED = frozenset(
    (
        "TimeoutError",
        "Timeout",
        "APITimeoutError",
        "ReadTimeout",
        "ReadTimeoutError",
        "WriteTimeout",
        "ResponseTimeout",
        "SoftTimeLimitExceeded",
    )
)
"""Exceptions that say that nobody waits any more, by the names of their classes: they are of many libraries."""
UNSENT = frozenset(
    ("ConnectTimeout", "ConnectTimeoutError", "PoolTimeout", "ConnectionTimeoutError", "ClientConnectorError")
)
"""Those of a request for which there was no connection yet."""
OF_OTHERS = frozenset(("redis", "celery", "kombu"))
"""Packages whose errors tell of no provider."""
MOST_CAUSES = 10


def is_cut_off(error: BaseException | None) -> bool:
    """Whether a call ended because somebody stopped waiting for it: cancelled, closed, interrupted, or timed out.

    A time-out counts once the request can have been sent; one while connecting is a failure as any other.
    """
    if error is None:
        return False
    if not isinstance(error, Exception):
        return True
    kinds = {kind for one in _with_causes(error) for kind in type(one).__mro__}
    names = {kind.__name__ for kind in kinds}
    is_of_others = any(kind.__module__.partition(".")[0] in OF_OTHERS for kind in kinds)
    return not is_of_others and not names.isdisjoint(UNANSWERED) and names.isdisjoint(UNSENT)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """The SDKs raise errors of their own from what the HTTP client said. What was only handled meanwhile is none."""
    cause: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__
