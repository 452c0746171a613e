"""Answers that a provider makes in the background: they are charged when they are fetched whole."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from costtrack.extraction.fields import read
from costtrack.integrations.raw_responses import BodyWatch, StreamWatch, watch
from costtrack.integrations.watched_body import decoded, watched_body
from costtrack.metering.attribution import GivenAttribution
from costtrack.metering.call import Call
from costtrack.metering.database_thread import Work
from costtrack.metering.finish import finish
from costtrack.metering.given_fields import EventFields
from costtrack.metering.nested import within_the_block
from costtrack.metering.streams import is_stream, metered_stream


class FetchedAnswer:
    """One request for an answer, attributed as in force where it is fetched. To fetch it again charges nothing.

    Whatever else is fetched, an answer that was charged when it was made, or one that is not whole yet, is no charge.
    """

    def __init__(self, fields: EventFields, given: GivenAttribution) -> None:
        self._call = Call({**fields}, within_the_block(given))
        self._answer: object = None

    def take(self, result: Any, *, is_raw: bool) -> tuple[Any, bool]:
        """What the client returned, to be handed on, and whether all of it has come."""
        if is_raw:
            response = result.http_response
            if response.is_stream_consumed or response.is_closed:
                with suppress(Exception):  # closed before it was read: there is nothing to see
                    self.observe(decoded(response.content))
                return result, True
            body = watched_body(self, response.headers.get("content-type", ""))
            watch(response, BodyWatch(body, self.end))
            return result, False
        if is_stream(result):
            stream = metered_stream(result, on_chunk=self.chunk, on_end=self.end)
            watch(result.response, StreamWatch(stream))
            return stream, False
        self.observe(result)
        return result, True

    def observe(self, answer: object) -> None:
        """It came in one piece."""
        if read(answer, "background") is True and read(answer, "usage") is not None:
            self._answer = answer

    def chunk(self, event: object) -> None:
        """An event of its stream passes; the last has the whole answer."""
        self.observe(read(event, "response"))

    def begin_stream(self) -> None:
        """Its events are looked at one by one."""

    @property
    def observed(self) -> FetchedAnswer:
        """Itself: it takes a body whole, and in pieces."""
        return self

    def end(self, error: BaseException | None) -> Work | None:
        """No more of it comes; gives the work of recording it, if there is any."""
        answer, self._answer = self._answer, None
        if answer is None:
            return None
        self._call.observe(answer)
        self._call.announce()
        return finish(self._call, None)
