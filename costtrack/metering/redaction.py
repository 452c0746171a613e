"""Redaction: each secret, e-mail address and card number in a text is replaced by a note, in linear time."""

from __future__ import annotations

import re
from base64 import b64decode

from costtrack.metering.card_numbers import redact_cards
from costtrack.metering.metadata_names import Told
from costtrack.metering.named_values import SECRET, is_label, is_note, not_stored, without_named_values

SHORTEST = 10
"""No key, token or card number has fewer characters."""
LONGEST_LABEL = 40
"""A longer text under a name such as `prompt` is neither a label nor a note."""
MOST_PASSES = 5
"""One suffices for most texts; a note may bring a name and its value together that stood apart."""
KEY = "[redacted: key]"
TOKEN = "[redacted: token]"
PASSWORD = "[redacted: password]"
PRIVATE_KEY = "[redacted: private key]"
EMAIL = "[redacted: e-mail]"

# Every pattern takes linear time on any text: it takes runs whole (`++`, `*+`), and begins only where the character
# before is not one of its own run, or with a few literal characters that the run cannot hold.

_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"c?sk-(?:(?=[A-Za-z_-]{0,60}[0-9*])[\w*-]{8,}+|[\w-]{16,}+)"  # OpenAI, Anthropic, OpenRouter, DeepSeek, Cerebras
    r"|(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{8,}+"  # Stripe
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|gh[oprsu]_[A-Za-z0-9]{16,}+|github_pat_\w{16,}+"
    r"|gl(?:pat|dt|rt|ptt|cbt|soat)-[\w-]{16,}+"  # GitLab
    r"|xox[a-z]-[\w-]{8,}+|xapp-[\w-]{10,}+|hooks\.slack\.com/services/[\w/]{16,}+"  # Slack
    r"|AIza[\w-]{30,}+|ya29\.[\w-]{16,}+|GOCSPX-[\w-]{16,}+"  # Google
    r"|(?:hf|gsk|r8|fw)_[A-Za-z0-9]{16,}+"  # Hugging Face, Groq, Replicate, Fireworks
    r"|(?:xai|pplx|nvapi|tvly|pypi)-[\w-]{16,}+|lsv2_\w{16,}+|npm_[A-Za-z0-9]{30,}+|dapi[0-9a-f]{32}"
    r"|ctk_[\w-]{16,}+"  # our own
    r"|SG\.[\w-]{16,}+\.[\w-]{16,}+"  # SendGrid
    r")",
    re.ASCII,
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{4,}+(?:\.[\w-]*+)*+", re.ASCII)
_PRIVATE_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_BEARER = re.compile(
    r"(?<![A-Za-z])(bearer\s{1,4}+)(?=[A-Za-z/=-]*+[0-9_.~+]\w|[\w.~+/=-]{20})[\w.~+/=-]{8,}+", re.ASCII | re.IGNORECASE
)
"""Of more than letters, or of some length: "Bearer authentication" is prose."""
_BASIC = re.compile(r"(?<![A-Za-z])(basic\s{1,4}+)([A-Za-z0-9+/]{6,}+={0,2}+)", re.ASCII | re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://[^\s/?#@:\"'<>]*+:[^\s/?#\"'<>]*@")

_NOT_IN_EMAIL = r"\s@<>()\[\]{},:;\"'\\/?&=%!|`*\u3001\u3002\uff0c"
_EMAIL = re.compile(
    rf"(?<![^{_NOT_IN_EMAIL}])(?:[^{_NOT_IN_EMAIL}]++|%2[Bb])++(?:@|%40)"
    rf"([^.{_NOT_IN_EMAIL}]++(?:\.[^.{_NOT_IN_EMAIL}]++)++)"
)
_VERSION = re.compile(r"v?[0-9]++\.[0-9]")


def redact_text(text: str) -> str:
    """The text with a note such as `[redacted: key]` in place of each secret, e-mail address and card number.

    Secrets are: keys of the well-known forms, JWTs, private keys, `Bearer` and `Basic` credentials, passwords in URLs,
    and what stands beside a name that tells of one (`?api_key=...`, `"password": "..."`, `Authorization: ...`). What
    stands in quotes beside a name such as `prompt` goes as well. A redacted text is not changed by redacting it again.
    """
    if len(text) < SHORTEST and text.isalnum():
        return text
    for _ in range(MOST_PASSES):
        redacted = _redacted_once(text)
        if redacted == text:
            break
        text = redacted
    return text


def text_under(told: Told, text: str) -> str:
    """The text as it may be stored under a name that tells that of it: redacted, or a note in its place."""
    if told is Told.NOTHING or not text:
        return redact_text(text)
    if told is Told.SECRET:
        return SECRET
    if len(text) <= LONGEST_LABEL:
        redacted = redact_text(text)
        if is_note(redacted) or (told is Told.PERHAPS_CONTENT and is_label(redacted)):
            return redacted
    return not_stored(len(text), "character")


def _redacted_once(text: str) -> str:
    if "=" in text or ":" in text:
        if "://" in text:
            text = _URL_PASSWORD.sub(f"://{PASSWORD}@", text)
        text = without_named_values(text)
    is_long = len(text) >= SHORTEST
    if is_long:
        text = _without_forms(text)
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(_redacted_email, text)
    return redact_cards(text) if is_long else text


def _without_forms(text: str) -> str:
    """Without what is a secret by its own form."""
    if "-----BEGIN " in text:
        text = _without_private_keys(text)
    if "earer" in text or "EARER" in text:
        text = _BEARER.sub(rf"\1{TOKEN}", text)
    if "asic" in text or "ASIC" in text:
        text = _BASIC.sub(_redacted_basic, text)
    if "eyJ" in text:
        text = _JWT.sub(TOKEN, text)
    return _KEYS.sub(KEY, text)


def _without_private_keys(text: str) -> str:
    """Each from its first line to its last, or to the text's end where that is missing."""
    kept: list[str] = []
    position = 0
    while found := _PRIVATE_KEY_BEGINS.search(text, position):
        kept += [text[position : found.start()], PRIVATE_KEY]
        last_line = text.find("-----END ", found.end())
        end = text.find("-----", last_line + 9) if last_line >= 0 else -1
        position = end + 5 if end >= 0 else len(text)
    return "".join([*kept, text[position:]])


def _redacted_basic(found: re.Match[str]) -> str:
    """Only if it is base64 of `user:password`: "Basic authentication" is prose."""
    try:
        padded = found[2].rstrip("=")
        decoded = b64decode(padded + "=" * (-len(padded) % 4)).decode()
    except ValueError:
        return found[0]
    return f"{found[1]}{TOKEN}" if ":" in decoded and decoded.isprintable() else found[0]


def _redacted_email(found: re.Match[str]) -> str:
    """Only if it ends in a name: `lodash@4.17.21` is a version, `root@10.0.0.1` a machine."""
    domain = found[1]
    last = domain.rpartition(".")[2]
    return EMAIL if len(last) > 1 and last[0].isalpha() and not _VERSION.match(domain) else found[0]
