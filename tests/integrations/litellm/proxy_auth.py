"""Keys of the proxy's clients, as LiteLLM's own database would know them: it asks this, for it has none here."""

from __future__ import annotations

from typing import Any

from litellm.proxy._types import UserAPIKeyAuth

SEARCH_KEY = "sk-of-the-search-team-1b7e"
PLAIN_KEY = "sk-that-belongs-to-nobody-77ac"
KEYS: dict[str, dict[str, Any]] = {
    SEARCH_KEY: {
        "key_alias": "Crawler Key",
        "team_id": "team-0042",
        "team_alias": "Search Team",
        "org_id": "org-0007",
        "organization_alias": "acme",
        "user_id": "ada@acme.example",
        "metadata": {"tags": ["env:prod", "beta"]},
        "team_metadata": {"tags": ["cost-center:7"]},
    },
    PLAIN_KEY: {},
}


async def authenticate(request: Any, api_key: str) -> UserAPIKeyAuth:
    """What LiteLLM calls `custom_auth`."""
    if api_key not in KEYS:
        raise PermissionError("no such key")
    return UserAPIKeyAuth(api_key=api_key, **KEYS[api_key])
