"""A request's id: what its usage is attributed with, and what its response tells."""

from __future__ import annotations

import re
from uuid import uuid4

from django.http import HttpRequest

REQUEST_ID_HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,100}")


def request_id_of(request: HttpRequest) -> str:
    """The X-Request-ID header if it is 1 to 100 of A-Z a-z 0-9 . _ -, else a new one.

    However often it is asked, of one request it is the same.
    """
    kept = vars(request)
    if "_costtrack_request_id" not in kept:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        kept["_costtrack_request_id"] = given if _SANE.fullmatch(given) else uuid4().hex
    request_id: str = kept["_costtrack_request_id"]
    return request_id
