"""What the dashboard needs of a site that serves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, register
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import NoReverseMatch, Resolver404, resolve, reverse
from django.utils.module_loading import import_string

LAYOUT = "costtrack/dashboard/layout.html"


@register("costtrack")
def check_dashboard(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return errors when the site's urls have the dashboard, and nobody could open it."""
    return list(_problems()) if _is_mounted() else []


def _is_mounted() -> bool:
    if not getattr(django_settings, "ROOT_URLCONF", None):
        return False
    try:
        reverse("costtrack_dashboard:overview")
    except NoReverseMatch:
        return False
    return True


def _problems() -> Iterator[Error]:
    if not _has_authentication():
        yield Error(
            "The dashboard is in the urls, but the site does not know who asks.",
            hint="Add django.contrib.sessions' SessionMiddleware and django.contrib.auth's AuthenticationMiddleware "
            "to MIDDLEWARE.",
            id="costtrack.E043",
        )
    if not _leads_somewhere(str(django_settings.LOGIN_URL)):
        yield Error(
            f"The dashboard sends people to LOGIN_URL, {str(django_settings.LOGIN_URL)!r}, which is no page here.",
            hint='Set LOGIN_URL to the address, or the url name, of your login page: for staff "admin:login" will do.',
            id="costtrack.E044",
        )
    try:
        get_template(LAYOUT)
    except TemplateDoesNotExist:
        yield Error(
            "The dashboard is in the urls, but no template engine finds its pages.",
            hint="Set APP_DIRS to True in TEMPLATES, or add the app_directories loader.",
            id="costtrack.E045",
        )


def _has_authentication() -> bool:
    classes = (import_string(path) for path in django_settings.MIDDLEWARE)
    # Not at the top: it needs django.contrib.auth, and a site that only meters may have none.
    from django.contrib.auth.middleware import AuthenticationMiddleware

    return any(isinstance(one, type) and issubclass(one, AuthenticationMiddleware) for one in classes)


def _leads_somewhere(login_url: str) -> bool:
    """Whether it is the name or the path of a page; an address of another site is taken for one."""
    try:
        address = urlsplit(resolve_url(login_url))
    except NoReverseMatch:
        return False
    if address.netloc:
        return True
    try:
        resolve(address.path)
    except Resolver404:
        return False
    return True
