"""Links to the admin, where the site has it and the person may go there."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


def admin_address(request: HttpRequest, page: str, /, *args: object, **query: str) -> str:
    """The address of a page of ours in the admin, such as `budget_add`; "" for people who are no staff."""
    if not getattr(request.user, "is_staff", False):
        return ""
    try:
        return reverse(f"admin:costtrack_{page}", args=args, query=query or None)
    except NoReverseMatch:
        return ""
