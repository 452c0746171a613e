"""Sites of every kind: what hosts may want of REST framework for their own views, and what the API answers there."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpResponse
from django.test import Client
from django.urls import clear_url_caches, include, path
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from costtrack.models import Organization
from tests.api.callers import GET_PATHS, POST_PATHS, person, robot


class HostView(APIView):
    """A view of the host's own, which finds nothing."""

    permission_classes = ()

    def get(self, request: Request) -> Response:
        raise NotFound("no such order")


urlpatterns = [
    path("billing/v2/", include("costtrack.api.urls", namespace="billing")),
    path("again/", include("costtrack.api.urls", namespace="again")),
    path("orders", HostView.as_view()),
]


def host_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    return HttpResponse("the host's own words", status=418)


class OwnNegotiation(BaseContentNegotiation):
    """As REST framework's documents show it: what the client asks for is ignored."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[-1], renderers[-1].media_type


class NobodyMay(BaseThrottle):
    def allow_request(self, request: Request, view: APIView) -> bool:
        return False

    def wait(self) -> float:
        return 7


class OwnToken(BaseAuthentication):
    """`Authorization: Token NAME`, and no other way."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, None] | None:
        scheme, _, name = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Token":
            return None
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise AuthenticationFailed("no such token")
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return "Token"


IMPORTED = {
    "DEFAULT_RENDERER_CLASSES": "renderer_classes",
    "DEFAULT_PARSER_CLASSES": "parser_classes",
    "DEFAULT_AUTHENTICATION_CLASSES": "authentication_classes",
    "DEFAULT_PERMISSION_CLASSES": "permission_classes",
    "DEFAULT_THROTTLE_CLASSES": "throttle_classes",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "content_negotiation_class",
    "DEFAULT_METADATA_CLASS": "metadata_class",
    "DEFAULT_VERSIONING_CLASS": "versioning_class",
}
"""What REST framework's view takes from the settings when it is imported; other classes do so, too."""
VERSIONS = {"ALLOWED_VERSIONS": ["v9"], "DEFAULT_VERSION": "v9"}
HOSTS: dict[str, dict[str, Any]] = {
    "exception handler": {"EXCEPTION_HANDLER": host_handler},
    "permissions": {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"]},
    "renderers": {"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"]},
    "parsers": {"DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"]},
    "negotiation": {"DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{__name__}.OwnNegotiation"},
    "metadata": {"DEFAULT_METADATA_CLASS": None},
    "versions by namespace": {"DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning", **VERSIONS},
    "versions by path": {
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.URLPathVersioning",
        **VERSIONS,
        "DEFAULT_VERSION": None,
    },
    "versions by header": {
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
        **VERSIONS,
        "DEFAULT_VERSION": "v1",
    },
    "ascii": {"UNICODE_JSON": False, "COMPACT_JSON": False, "STRICT_JSON": False},
    "decimals": {"COERCE_DECIMAL_TO_STRING": False, "COERCE_BIGINT_TO_STRING": True},
    "dates": {"DATETIME_FORMAT": "%s", "DATE_FORMAT": "%d.%m.%Y"},
    "nobody": {"UNAUTHENTICATED_USER": None},
    "pages": {"DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination", "PAGE_SIZE": 1},
}
SITES: dict[str, dict[str, Any]] = {
    "no slash appended": {"APPEND_SLASH": False},
    "slash appended": {"APPEND_SLASH": True},
    "German": {"LANGUAGE_CODE": "de", "USE_THOUSAND_SEPARATOR": True},
    "another zone": {"TIME_ZONE": "Asia/Kolkata"},
}
OURS = "costtrack.middleware.CostTrackMiddleware"
EVENT = {"model": "test-model", "input_tokens": 1, "idempotency_key": "one"}


def mounted_elsewhere(settings: Any) -> None:
    """Under other prefixes and names, twice."""
    settings.ROOT_URLCONF = __name__
    clear_url_caches()


def answers(clients: dict[str, Client], root: str) -> dict[str, Any]:
    """What each of them is told, and with which status, whatever it asks."""
    told: dict[str, Any] = {}
    for kind, client in clients.items():
        asked = [("get", one, None) for one in (*GET_PATHS.values(), "daily/", "daily?x=y", "usage?from=x", "daily/x")]
        asked += [("post", one, {"nme": 1}) for one in POST_PATHS.values()]
        asked += [
            ("post", "usage", EVENT),
            ("post", "daily", {}),
            ("delete", "usage", None),
            ("get", "organizations?format=csv", None),
        ]
        for method, name, body in asked:
            given = {} if body is None else {"data": body, "content_type": "application/json"}
            answer: Any = getattr(client, method)(root + name, **given)
            is_json = answer["Content-Type"].endswith("json")
            content = answer.json() if is_json else answer.getvalue().decode()
            told[f"{kind} {method} {name} {body}"] = (answer.status_code, answer["Content-Type"], content)
    return told


def callers(acme: Organization) -> dict[str, Client]:
    """All that are told something else."""
    clients = {
        "nobody": Client(),
        "manager": person("manager", roles={acme: "manager"}),
        "stranger": person("stranger", is_staff=True),
        "key": robot(acme),
    }
    clients["key"].post("/api/costs/usage", EVENT, content_type="application/json")  # later ones are duplicates
    return clients
