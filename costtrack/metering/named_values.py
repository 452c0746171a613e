"""Values that stand beside a telling name within a text, as in URLs, headers, JSON and keyword arguments."""

from __future__ import annotations

import re

from costtrack.metering.metadata_names import Told, told_by

SECRET = "[redacted: secret]"
_NAMED = re.compile(
    r"(?<![\w.-])[0-9.-]*+((?:(?i:api|access|secret|auth) )?[A-Za-z_][\w.-]{1,63}+)"
    r"(\\*+[\"']?)\s{0,4}+(=>?|:=?)\s{0,4}+",
    re.ASCII,
)
_OPENING = re.compile(r"(?:\[\s?)?[bru]{0,2}(\\*+[\"'])")
_QUOTED = {
    '"': re.compile(r"(?:[^\"\\\r\n]|\\[^\r\n])*+"),
    "'": re.compile(r"(?:[^'\\\r\n]|\\[^\r\n])*+"),
    '\\"': re.compile(r"[^\"\\\r\n]*+"),
    "\\'": re.compile(r"[^'\\\r\n]*+"),
}
"""What may stand behind a quote; where that is escaped, a backslash ends it."""
_BARE = re.compile(r"[^\s&;\"'<>()\[\]{}\\]++")
_HEADER_VALUE = re.compile(r"(?:[A-Za-z]{3,20}+ )?[^\s,;\"'<>()\[\]{}\\]++")
_LINE = re.compile(r"[^\r\n\"']++")
_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key"})
_COOKIES = frozenset({"cookie", "set-cookie"})
_URL_SECRETS = frozenset({"key", "sig", "signature", "x-amz-signature", "x-goog-signature"})
_NO_SECRETS = frozenset({"", "none", "null", "true", "false", "undefined", "required", "missing"})
_LIKE_A_SECRET = re.compile(r"(?=.{6})[^0-9]*+[0-9]", re.DOTALL)
_ERROR_TEXTS = frozenset({"message", "messages"})
"""`{"error": {"message": "..."}}`: in a text they are an error's far more often than a chat's."""

_LABEL = re.compile(r"[\w.:/@+-]{1,40}", re.ASCII)
_NOTE = re.compile(
    r"\[(?:redacted: [a-z -]{4,20}|(?:not stored: )?[0-9,]{1,20} [a-z]{1,12}|[A-Za-z_][\w.<>]{0,80})\]", re.ASCII
)


def without_named_values(text: str) -> str:
    """The text with a note in place of each secret, and each quoted prompt or completion, that a name announces."""
    kept: list[str] = []
    position = 0
    for named in _NAMED.finditer(text):
        if named.start() < position:
            continue
        told = _told(named)
        if told is Told.NOTHING:
            continue
        value = _secret(named) if told is Told.SECRET else _content(named)
        if value:
            start, end = value.span()
            kept += [text[position:start], SECRET if told is Told.SECRET else not_stored(end - start, "character")]
            position = end
    return "".join([*kept, text[position:]]) if kept else text


def not_stored(count: int, unit: str) -> str:
    """The note that stands for something that is never stored, such as a prompt of so many characters."""
    return f"[not stored: {count:,} {unit}{'' if count == 1 else 's'}]"


def is_note(text: str) -> bool:
    """Whether the text is nothing but one of the notes that stand for what is not stored."""
    return _NOTE.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether the text is a single short word, such as "openai" or "v2", and hardly a prompt."""
    return _LABEL.fullmatch(text) is not None


def _told(named: re.Match[str]) -> Told:
    name, sign, before = named[1], named[3], named.string[max(named.start() - 1, 0) : named.start()]
    if sign == "=" and before in ("?", "&") and name.lower() in _URL_SECRETS:
        return Told.SECRET
    return told_by(name)


def _secret(named: re.Match[str]) -> re.Match[str] | None:
    """What stands beside the name, unless that cannot be a secret."""
    text, start, name = named.string, named.end(), named[1].lower()
    may_be_prose = named[3] == ":" and not named[2]  # or a header, or YAML
    if opening := _OPENING.match(text, start):
        value = _QUOTED[opening[1][-2:]].match(text, opening.end())
        if value and opening[0][0] == "[" and " " in value[0]:
            return None  # a form's errors: `{"password": ["This field is required."]}`
        may_be_prose = may_be_prose and name == "token"  # "Unexpected token: '}'"
    elif may_be_prose and name in _COOKIES:
        return _LINE.match(text, start)
    elif may_be_prose and name in _HEADERS:
        value, may_be_prose = _HEADER_VALUE.match(text, start), False
    else:
        value = _BARE.match(text, start)
    if value is None or value[0].startswith("=") or value[0].lower().rstrip(",") in _NO_SECRETS:
        return None
    return None if may_be_prose and not _LIKE_A_SECRET.match(value[0]) else value


def _content(named: re.Match[str]) -> re.Match[str] | None:
    """What stands in quotes beside the name, unless it is a mere label."""
    opening = _OPENING.match(named.string, named.end())
    if not opening or named[1].lower() in _ERROR_TEXTS:
        return None
    value = _QUOTED[opening[1][-2:]].match(named.string, opening.end())
    if value is None or not value[0] or is_label(value[0]) or is_note(value[0]):
        return None
    return value
