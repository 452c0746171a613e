"""Keys as bearer tokens: `Authorization: Bearer ctk_...`, beside the host's own authentication."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from costtrack.access.keys import MARKER, mark_used, valid_key
from costtrack.access.principals import KeyHolder, Person, Principal
from costtrack.models import AgentKey

CHALLENGE = 'Bearer realm="costtrack"'
NOT_VALID = "This key is not valid: it is unknown, expired or revoked."


class AgentKeyAuthentication(BaseAuthentication):
    """Knows who shows a key: `request.auth` is the AgentKey then, `request.user` nobody, as a key is no person.

    Other bearer tokens are left to the host's authentication.
    """

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[AnonymousUser, AgentKey] | None:
        """Nobody and the key; None where none is shown. A key that is not valid is a 401, whatever is wrong with it."""
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token.startswith(MARKER):
            return None
        now = timezone.now()
        key = valid_key(token, now=now)
        if key is None:
            raise AuthenticationFailed(NOT_VALID)
        mark_used(key, now=now)
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        """How to ask."""
        return CHALLENGE


def principal_of(request: Request) -> Principal:
    """Who asks: the holder of a key, or the host's user."""
    return KeyHolder(request.auth) if isinstance(request.auth, AgentKey) else Person(request.user)
