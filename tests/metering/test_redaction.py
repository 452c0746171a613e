"""Redaction of texts: secrets and e-mail addresses in their many forms go, what only looks like them stays."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from costtrack.metering.metadata_names import Told
from costtrack.metering.redaction import redact_text, text_under

# Nobody's keys, in the right form. They are put together here, so that no scanner of sources takes them for real.
FAKE = "FAKE0FAKE1FAKE2FAKE3FAKE4FAKE5"
LOWER = FAKE.lower()
DASHED = "FAKE-0fake_1FAKE-2fake"
JWT = ".".join(["ey" + "JhbGciOiJub25lIn0", "ey" + "JzdWIiOiJmYWtlIn0", "RkFLRS1zaWduYXR1cmU"])
PEM = "-----BEGIN {0}-----\n" + FAKE + "\n" + LOWER + "\n-----END {0}-----"
BASIC = b64encode(b"ann:not-a-password").decode()

KEYS = [
    "sk-" + FAKE,
    "sk-" + "abcdefghijklmnopqrstuvwx",
    "sk-proj-" + DASHED * 3,
    "sk-ant-api03-" + DASHED * 4 + "-AA",
    "sk-or-v1-" + "0fa1" * 16,
    "sk-lf-" + "0fa1c0de-0000-4000-8000-00000000fa4e",
    "sk-fak" + "*" * 20 + "e0fa",
    "csk-" + LOWER,
    "sk_live_" + FAKE,
    "sk_test_" + FAKE,
    "rk_live_" + FAKE,
    "whsec_" + FAKE,
    "AKIA" + "FAKE0FAKE1FAKE2F",
    "ASIA" + "FAKE0FAKE1FAKE2F",
    "ghp_" + FAKE,
    "gho_" + FAKE,
    "ghs_" + FAKE,
    "github_pat_" + FAKE + "_" + FAKE,
    "glpat-" + DASHED,
    "xoxb-" + "0000000000-fake-" + FAKE,
    "xoxp-" + "0000000000-fake-" + FAKE,
    "xapp-" + "1-FAKE-0000-" + LOWER,
    "hooks.slack.com/services/" + "T0FAKE/B0FAKE/" + FAKE,
    "AIza" + "Sy" + FAKE + "_-0fa",
    "ya29." + DASHED,
    "GOCSPX-" + DASHED,
    "hf_" + FAKE,
    "ctk_" + FAKE,
    "gsk_" + FAKE,
    "r8_" + FAKE,
    "fw_" + FAKE,
    "xai-" + FAKE,
    "pplx-" + LOWER,
    "nvapi-" + DASHED,
    "tvly-" + FAKE,
    "pypi-" + DASHED,
    "lsv2_" + "pt_" + LOWER,
    "npm_" + FAKE + FAKE,
    "dapi" + "0fa1" * 8,
    "SG." + DASHED + "." + DASHED,
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("around", ["{}", "Incorrect API key provided: {}. See the docs.", '"{}"', "<{}>", "密钥{}。"])
def test_keys_of_known_forms(key: str, around: str) -> None:
    assert redact_text(around.format(key)) == around.format("[redacted: key]")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"jwt {JWT} end", "jwt [redacted: token] end"),
        (f"Bearer {FAKE}", "Bearer [redacted: token]"),
        ("got bearer a1b2c3d4, retry", "got bearer [redacted: token], retry"),
        ("sent BEARER abc.def.ghi", "sent BEARER [redacted: token]"),
        (f"Bearer {JWT}", "Bearer [redacted: token]"),
        (f"Basic {BASIC}", "Basic [redacted: token]"),
        (f"a {PEM.format('PRIVATE KEY')} b", "a [redacted: private key] b"),
        (PEM.format("RSA PRIVATE KEY"), "[redacted: private key]"),
        (PEM.format("OPENSSH PRIVATE KEY").replace("\n", "\\n"), "[redacted: private key]"),
        (PEM.format("PRIVATE KEY")[:60], "[redacted: private key]"),
        (2 * PEM.format("EC PRIVATE KEY"), "[redacted: private key][redacted: private key]"),
        ("postgres://app:not%40real@db:5432/x", "postgres://[redacted: password]@db:5432/x"),
        ("redis://:notreal@cache:6379/0", "redis://[redacted: password]@cache:6379/0"),
        ("https://ann:not@real@h.example/v1", "https://[redacted: password]@h.example/v1"),
    ],
)
def test_tokens_private_keys_and_passwords_in_urls(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com",
        "ann.o-b+tag@mail.example.co.uk",
        "ann%40example.com",
        "ann%2Btag%40example.com",
        "ann_1@163.com",
        "安@例子.中国",
        "ann@xn--fsqu00a.example",
    ],
)
@pytest.mark.parametrize("around", ["{}", "mail {}, please.", "<{}>", "?user={}&n=1", '{{"to":"{}"}}', "mailto:{}"])
def test_email_addresses(address: str, around: str) -> None:
    assert redact_text(around.format(address)) == around.format("[redacted: e-mail]")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stop",
        "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "gpt-4o-mini-2024-07-18",
        "claude-3-5-sonnet@20241022",
        "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        "accounts/fireworks/models/llama-v3p1-405b",
        "lodash@4.17.21",
        "react@18.3.0-canary.abc",
        "@scope/pkg@1.2.3",
        "root@10.0.0.1",
        "a @ b.c",
        "max_tokens=100, max_new_tokens: 50, tokens=1,000",
        "Rate limit reached for gpt-4o: 10000 tokens per min. Used 9000, token usage: 95%",
        "token_type=bearer",
        "time_to_first_token=0.31",
        '{"access_token": null, "password": "", "secret": true}',
        "token=None",
        "if token == expected: pass",
        "KeyError: 'password'",
        "Unexpected token: '}' at 3",
        "api_key: Field required [type=missing]",
        "password: must have at least 8 characters",
        '{"password": ["This field is required."]}',
        "session: s-12",
        "the bearer of good news",
        "Bearer authentication is required. Bearer token missing",
        'WWW-Authenticate: Bearer realm="api", error="invalid_token"',
        "Basic authentication; basic tutorials; Basic dGVzdGluZw==",
        "-----BEGIN CERTIFICATE-----",
        "cache_key=abc sort_key: abc12345 public_key=abc key=abc",
        "sk-learn, risk-taking, task-1234567890, disk-abcdefgh1",
        "eyJust a word",
        "https://api.openai.com/v1/chat/completions?api-version=2024-10-21",
        "http://localhost:8000/a:b@c",
        "{'error': {'message': \"Your messages resulted in 130000 tokens.\", 'code': 'context_length_exceeded'}}",
        "prompt='v2', system='openai', content: text/plain, answer=''",
        "2026-11-20T12:00:00+00:00",
        "x-request-id: req_0123456789abcdef; content-type: application/json",
    ],
)
def test_harmless_texts_stay(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("told", "text", "kept"),
    [
        (Told.NOTHING, "a@example.com", "[redacted: e-mail]"),
        (Told.SECRET, "x", "[redacted: secret]"),
        (Told.SECRET, "", ""),
        (Told.CONTENT, "ok", "[not stored: 2 characters]"),
        (Told.CONTENT, "x" * 1234, "[not stored: 1,234 characters]"),
        (Told.CONTENT, "", ""),
        (Told.CONTENT, "[not stored: 2 characters]", "[not stored: 2 characters]"),
        (Told.CONTENT, "[1,500 bytes]", "[1,500 bytes]"),
        (Told.PERHAPS_CONTENT, "openai", "openai"),
        (Told.PERHAPS_CONTENT, "az.ai/gpt-4o@v1:0", "az.ai/gpt-4o@v1:0"),
        (Told.PERHAPS_CONTENT, "Be kind", "[not stored: 7 characters]"),
        (Told.PERHAPS_CONTENT, "你是友善的助手", "[not stored: 7 characters]"),
        (Told.PERHAPS_CONTENT, "x" * 41, "[not stored: 41 characters]"),
        (Told.PERHAPS_CONTENT, "ann@example.com", "[redacted: e-mail]"),
        (Told.PERHAPS_CONTENT, "a" + "/ann@example.com", "[not stored: 17 characters]"),
    ],
)
def test_texts_under_names_that_tell_of_them(told: Told, text: str, kept: str) -> None:
    assert text_under(told, text) == kept
    assert text_under(told, kept) == kept


# Pieces of what is looked for, to be put together at random: unlike random characters they nearly form secrets.
PIECES = st.sampled_from(
    [
        *("sk-", "ghp_", "AKIA", FAKE, "a1", "Bearer ", "Basic ", BASIC, "eyJ", JWT, "-----BEGIN PRIVATE KEY-----"),
        *("-----END PRIVATE KEY-----", "://", "user:pw@", "@", "%40", "example.com", "ann", "4111 1111 ", "1111 1111"),
        *("password", "token", "api key", "Cookie", "Authorization", "prompt", "system", "message", "key", "hello you"),
        *(
            "=",
            ":",
            "=>",
            " ",
            "\n",
            '"',
            "'",
            "\\",
            "[",
            "]",
            "{",
            "(",
            ",",
            ";",
            "&",
            "?",
            "-",
            ".",
            "\x00",
            "\ud800",
        ),
        *("[redacted: key]", "[redacted: secret]", "[not stored: 3 items]", "null", "é"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES | st.text(st.characters(), max_size=3), max_size=10).map("".join))
@example("prompt='x/ann@example.com'")
@example(f"x{KEYS[0]}-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----x-api-key: a1b2c3")
def test_a_redacted_text_is_not_changed_by_redacting_it_again(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once
    for told in Told:
        kept = text_under(told, text)
        assert text_under(told, kept) == kept


@pytest.mark.parametrize(
    "piece",
    [
        "4111 1111 1111 1111 ",
        "12345678-1234-1234-1234-123456789012 ",
        "1-",
        "a@",
        "a@b.",
        "://a:b",
        'password="',
        "token: '",
        "prompt='",
        "a=",
        "Bearer a",
        "-----BEGIN PRIVATE KEY",
        "eyJaaaaaaaaa.",
        "sk-",
        "\\",
        "k" * 64,
    ],
)
def test_megabytes_made_to_take_long_do_not(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert len(redact_text(text)) < 3 * len(text)


def test_five_megabytes_of_everything_are_redacted_to_the_end() -> None:
    # Each round holds a key, a password, an address and a card.
    piece = f"{KEYS[0]} password=abc ann@example.com 4111 1111 1111 1111 12345678-1234-1234-1234-123456789012\n"
    rounds = 5_000_000 // len(piece)
    redacted = redact_text(piece * rounds)
    assert redacted.count("[redacted: key] password=[redacted: secret] [redacted: e-mail]") == rounds
    assert redacted.count("[redacted: card number]") == rounds
