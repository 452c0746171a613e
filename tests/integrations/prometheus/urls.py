"""Views that are counted."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from costtrack.integrations.prometheus import metrics


def pid(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(os.getpid()))


def item(request: HttpRequest, number: int) -> HttpResponse:
    return HttpResponse(status=204 if number else 400)


def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError("broken")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    return StreamingHttpResponse(parts())


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("pid", pid, name="pid"),
    path("items/<int:number>", item, name="item"),
    path("broken", broken, name="broken"),
    path("stream", stream, name="stream"),
    path("stream-async", stream_async, name="stream-async"),
    path("metrics", metrics, name="metrics"),
]
