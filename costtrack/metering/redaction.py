"""Redaction: each secret, e-mail address and card number in a text is replaced by a note, in linear time."""

from __future__ import annotations

import re
from base64 import b64decode

from costtrack.metering.card_numbers import redact_cards
from costtrack.metering.metadata_names import is_content_name, is_secret_name

__all__ = ["is_content_name", "is_secret_name", "redact_text"]

SHORTEST = 10
KEY = "[redacted: key]"
TOKEN = "[redacted: token]"
PASSWORD = "[redacted: password]"
SECRET = "[redacted: secret]"
PRIVATE_KEY = "[redacted: private key]"
EMAIL = "[redacted: e-mail]"

# Every pattern takes linear time on any text: it takes runs whole (`++`, `*+`), and begins only where the character
# before is not one of its own run, or with a few literal characters that the run cannot hold.

_KEY_FORMS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:(?=[A-Za-z_-]{0,60}[0-9*])[\w*-]{8,}+|[\w-]{16,}+)"  # OpenAI, Anthropic, OpenRouter, DeepSeek, Langfuse
    r"|(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{8,}+"  # Stripe
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|gh[oprsu]_[A-Za-z0-9]{16,}+|github_pat_\w{16,}+"
    r"|gl(?:pat|dt|rt|ptt|cbt|soat)-[\w-]{16,}+"  # GitLab
    r"|xox[a-z]-[\w-]{8,}+|xapp-[\w-]{10,}+|hooks\.slack\.com/services/[\w/]{16,}+"  # Slack
    r"|AIza[\w-]{30,}+|ya29\.[\w-]{16,}+|GOCSPX-[\w-]{16,}+"  # Google
    r"|(?:hf|gsk|r8)_[A-Za-z0-9]{16,}+"  # Hugging Face, Groq, Replicate
    r"|(?:xai|pplx|nvapi|tvly|pypi)-[\w-]{16,}+|lsv2_\w{16,}+|npm_[A-Za-z0-9]{30,}+"
    r"|SG\.[\w-]{16,}+\.[\w-]{16,}+"  # SendGrid
    r")",
    re.ASCII,
)
_DASHED_MARKS: tuple[str, ...] = (
    "sk-",
    "xox",
    "glpat-",
    "xai-",
    "pplx-",
    "xapp-",
    "nvapi-",
    "tvly-",
    "pypi-",
    "GOCSPX",
    "soat-",
)
_DASHED_MARKS += ("gldt-", "glrt-", "glptt-", "glcbt-")
_UNDERSCORED_MARKS: tuple[str, ...] = ("hf_", "gsk_", "r8_", "whsec_", "lsv2_", "npm_", "_pat_", "k_live_", "k_test_")
_UNDERSCORED_MARKS += ("ghp_", "gho_", "ghs_", "ghu_", "ghr_")
_DOTTED_MARKS = ("SG.", "ya29.", "hooks.slack")
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{4,}+(?:\.[\w-]*+)*+", re.ASCII)
_PRIVATE_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")

_BEARER = re.compile(r"(?<![A-Za-z])(bearer)(\s{1,4}+)([\w.~+/=-]{3,}+)", re.ASCII | re.IGNORECASE)
_ABOUT_BEARERS = frozenset(
    """
    token tokens auth authentication authorization authenticated realm credential credentials scheme header headers
    prefix format type key keys and the for not was with required requires missing expected invalid error
    certificate certificates
    """.split()
)
_BASIC = re.compile(r"(?<![A-Za-z])(basic\s{1,4}+)([A-Za-z0-9+/]{6,}+={0,2}+)", re.ASCII | re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://[^\s/?#@:\"'<>]*+:[^\s/?#\"'<>]*@")

_STEMS = ("pass", "pwd", "key", "token", "secret", "auth", "cred", "sess", "cookie", "sig", "csrf", "jwt", "cv", "bear")
_NAMED = re.compile(r"(?<![\w.-])([A-Za-z_][\w.-]{1,63}+)(\\?[\"']?)\s?([=:])\s?", re.ASCII)
_OPENING = re.compile(r"\\?[\"']")
_QUOTED = {
    '"': re.compile(r"(?:[^\"\\\r\n]|\\[^\r\n])*+"),
    "'": re.compile(r"(?:[^'\\\r\n]|\\[^\r\n])*+"),
    '\\"': re.compile(r"[^\"\\\r\n]*+"),
    "\\'": re.compile(r"[^'\\\r\n]*+"),
}
_BARE = re.compile(r"[^\s&;\"'<>()\[\]{}\\]++")
_HEADER_VALUE = re.compile(r"(?:[A-Za-z]{3,20}+ )?[^\s,;\"'<>()\[\]{}\\]++")
_LINE = re.compile(r"[^\r\n\"']++")
_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key"})
_COOKIES = frozenset({"cookie", "set-cookie"})
_URL_SECRETS = frozenset({"key", "sig", "signature", "x-amz-signature", "x-goog-signature"})
_NO_SECRETS = frozenset({"", "none", "null", "true", "false", "undefined", "required", "missing"})

_NOT_IN_EMAIL = r"\s@<>()\[\]{},:;\"'\\/?&=%!|`*\u3001\u3002\uff0c"
_EMAIL = re.compile(
    rf"(?<![^{_NOT_IN_EMAIL}])[^{_NOT_IN_EMAIL}]++(?:@|%40)[^.{_NOT_IN_EMAIL}]++(?:\.[^.{_NOT_IN_EMAIL}]++)++"
)


def redact_text(text: str) -> str:
    """The text with a note such as `[redacted: key]` in place of each secret, e-mail address and card number.

    Secrets are: keys of the well-known forms, JWTs, private keys, `Bearer` and `Basic` credentials, passwords in URLs,
    and what stands beside a name that tells of one (`?api_key=...`, `"password": "..."`, `Authorization: ...`). A
    text that has been redacted is not changed by it again.
    """
    has_names = "=" in text or ":" in text
    is_long = len(text) >= SHORTEST  # no key or token is shorter
    if has_names:
        if "://" in text:
            text = _URL_PASSWORD.sub(f"://{PASSWORD}@", text)
        lowered = text.lower()
        if any([stem in lowered for stem in _STEMS]):
            text = _without_named(text)
    if is_long:
        text = _without_forms(text)
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(_redacted_email, text)
    return redact_cards(text) if is_long else text


def _without_forms(text: str) -> str:
    """Without what is a secret by its own form. The tests before each pattern are what a harmless text costs."""
    if "-----BEGIN " in text:
        text = _without_private_keys(text)
    if "earer" in text or "EARER" in text:
        text = _BEARER.sub(_redacted_bearer, text)
    if "asic" in text or "ASIC" in text:
        text = _BASIC.sub(_redacted_basic, text)
    if "eyJ" in text:
        text = _JWT.sub(TOKEN, text)
    return _KEY_FORMS.sub(KEY, text) if _may_hold_key(text) else text


def _may_hold_key(text: str) -> bool:
    if "AKIA" in text or "ASIA" in text or "AIza" in text or "ABIA" in text or "ACCA" in text:
        return True
    for separator, marks in (("-", _DASHED_MARKS), ("_", _UNDERSCORED_MARKS), (".", _DOTTED_MARKS)):
        if separator in text:
            for mark in marks:
                if mark in text:
                    return True
    return False


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


def _redacted_bearer(found: re.Match[str]) -> str:
    scheme, gap, token = found.groups()
    word = re.split(r"[^A-Za-z]", token, maxsplit=1)[0].lower()
    if scheme == "bearer":  # prose, most often
        is_token = len(token) >= 20 or not token.isalpha() or not token[1:].islower()
        is_token = is_token and any(character.isdigit() or character.isupper() for character in token[1:])
    else:
        is_token = True
    if word in _ABOUT_BEARERS and not any(map(str.isdigit, token)):
        is_token = False
    return f"{scheme}{gap}{TOKEN}" if is_token else found[0]


def _redacted_basic(found: re.Match[str]) -> str:
    """Only if it is base64 of `user:password`: "Basic authentication" is prose."""
    try:
        padded = found[2].rstrip("=")
        decoded = b64decode(padded + "=" * (-len(padded) % 4)).decode()
    except ValueError:
        return found[0]
    return f"{found[1]}{TOKEN}" if ":" in decoded and decoded.isprintable() else found[0]


def _without_named(text: str) -> str:
    """Without the values that stand beside names of secrets, as in URLs, headers, JSON and keyword arguments."""
    kept: list[str] = []
    position = 0
    for found in _NAMED.finditer(text):
        if found.start() < position:
            continue
        start, end = _named_value(found)
        if end > start:
            kept += [text[position:start], SECRET]
            position = end
    return "".join([*kept, text[position:]])


def _named_value(found: re.Match[str]) -> tuple[int, int]:
    """Where the secret that follows a name begins and ends; an empty stretch if there is none."""
    text, name, quote, sign = found.string, found[1], found[2], found[3]
    start, lowered = found.end(), name.lower()
    nothing = (start, start)
    in_url = sign == "=" and text[max(found.start() - 1, 0) : found.start()] in ("?", "&")
    if not is_secret_name(name) and not (in_url and lowered in _URL_SECRETS):
        return nothing
    if opening := _OPENING.match(text, start):
        start = opening.end()
        pattern = _QUOTED[opening[0]]
    elif sign == "=" or quote:
        pattern = _BARE
    elif lowered in _COOKIES:
        pattern = _LINE
    elif lowered in _HEADERS:
        pattern = _HEADER_VALUE
    else:
        return nothing
    if (lowered == "token" and sign == ":" and not quote) or text.startswith(("[redacted", "="), start):
        return nothing  # prose such as "Unexpected token: '}'", a comparison, or done before
    value = pattern.match(text, start)
    if value is None or value[0].lower().rstrip(",") in _NO_SECRETS:
        return nothing
    return value.span()


def _redacted_email(found: re.Match[str]) -> str:
    """Only if it ends in a name: `lodash@4.17.21` is a version."""
    last = found[0].rpartition(".")[2]
    return EMAIL if len(last) > 1 and last[0].isalpha() else found[0]
