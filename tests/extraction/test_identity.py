"""Which response ids may be idempotency keys."""

from __future__ import annotations

import pytest

from costtrack.extraction import trusted_id

CHAT_ID = "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"
UUID = "0fbe5a5f-2f8e-4b0f-9d38-1d1c6e2a9e43"


@pytest.mark.parametrize(
    ("provider", "response_id", "key"),
    [
        ("openai", CHAT_ID, f"openai:{CHAT_ID}"),
        ("OpenAI", CHAT_ID, f"openai:{CHAT_ID}"),
        ("azure", CHAT_ID, f"azure:{CHAT_ID}"),
        ("anthropic", "msg_01XFDUDYJgAACzvnptvVoYEL", "anthropic:msg_01XFDUDYJgAACzvnptvVoYEL"),
        ("aws", UUID, f"aws:{UUID}"),
        ("bedrock", UUID, f"aws:{UUID}"),
        ("google", "mAitaLmkHPPlz7IPvtfUqQ4", "google:mAitaLmkHPPlz7IPvtfUqQ4"),
        ("vertex_ai", "mAitaLmkHPPlz7IPvtfUqQ4", "google:mAitaLmkHPPlz7IPvtfUqQ4"),
        ("openrouter", "gen-1763978400-3pTNFjP8nzGnYlqVYnbI", "openrouter:gen-1763978400-3pTNFjP8nzGnYlqVYnbI"),
        ("litellm", UUID, f"litellm:{UUID}"),
    ],
)
def test_ids_of_providers_that_never_repeat_one_are_namespaced(provider: str, response_id: str, key: str) -> None:
    assert trusted_id(provider, response_id) == key


@pytest.mark.parametrize("provider", ["", "ollama", "vllm", "lm-studio", "groq", "mistral", "my-gateway"])
def test_other_providers_ids_are_never_trusted(provider: str) -> None:
    assert trusted_id(provider, CHAT_ID) == ""


@pytest.mark.parametrize("response_id", ["", "chatcmpl-123", "chatcmpl-999999", "x" * 201, "id with a blank " * 2])
def test_an_id_that_openai_never_sends_is_not_trusted_though_openai_is_named(response_id: str) -> None:
    assert trusted_id("openai", response_id) == ""


@pytest.mark.parametrize("bad", ["\x00", "\n", "é"])
def test_an_id_with_odd_characters_is_not_trusted(bad: str) -> None:
    assert trusted_id("openai", CHAT_ID + bad) == ""
