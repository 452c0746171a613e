"""What a name tells of its value: a secret (`api_key`), what a model read or wrote (`prompt`), or neither."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache


class Told(Enum):
    """What a name tells of its value."""

    NOTHING = "nothing"
    SECRET = "secret"
    CONTENT = "content"
    """Prompts and completions travel under it."""
    PERHAPS_CONTENT = "perhaps content"
    """Prompts do, and single words too: `system` is a prompt or "openai", `response` an answer or "ok"."""


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_SECRETS = frozenset(
    """
    password passwords passwd pwd passphrase passcode secret secrets credential credentials authorization auth cookie
    cookies jwt bearer session csrf xsrf apikey apikeys apitoken authtoken accesstoken refreshtoken sessiontoken
    bearertoken idtoken csrftoken xsrftoken accesskey secretkey privatekey clientsecret setcookie xapikey sessionid
    phpsessid jsessionid csrfmiddlewaretoken
    """.split()
)
"""Secret as a name's last word."""
_KEY_OWNERS = frozenset(
    """
    api access secret private signing encryption master ssh deploy account auth service license subscription aws azure
    openai anthropic gemini mistral groq
    """.split()
)
"""What stands before `key` or `keys` where it opens something; a cache key or a public key does not."""
_PLAIN_TOKENS = frozenset(
    """
    max min first last next prev previous page continuation per stop start end eos bos eot pad unk mask sep cls
    special input output prompt completion total cached cache reasoning thinking text audio image new each single avg
    mean average vocab byte word sub unit draft
    """.split()
)
"""`max_token`, `time_to_first_token`, `eos_token`: what a model counts, or where a page begins."""
_TOKEN_OWNERS = frozenset({"access", "refresh", "auth", "bearer", "csrf", "oauth"})
"""What stands before the plural where it means secrets and no count."""
_TRAILING = frozenset(
    """
    value values text string str raw plain hash header pem json base64 b64 encoded old new
    """.split()
)
"""`password_plain`, `api_key_value`: still the secret itself."""

_CONTENTS = frozenset(
    """
    prompt prompts message messages completion completions content contents transcript transcripts instruction
    instructions choices generation generations question questions answer answers utterance arguments systemprompt
    userprompt systemmessage usermessage promptvalue chathistory
    """.split()
)
_PERHAPS_CONTENTS = frozenset(
    """
    system text texts input inputs output outputs response responses query queries request requests reply replies
    thinking reasoning template history conversation documents chunks body
    """.split()
)
_BEFORE_CONTENT = (
    frozenset(
        """
    user assistant developer human ai bot agent model llm gen genai chat raw full original final first last latest
    current new previous initial negative positive search rewritten formatted rendered tool function entity traceloop
    langfuse openai anthropic few shot example examples
    """.split()
    )
    | _CONTENTS
    | _PERHAPS_CONTENTS
)
"""`user_prompt`, `gen_ai.input.messages`: still what a model read or wrote; `error_message`, `help_text` are not."""


def is_secret_name(name: str) -> bool:
    """Whether a value of that name is a secret: `password`, `x-api-key`, `clientSecret`; not `max_tokens`."""
    return told_by(name) is Told.SECRET


def is_content_name(name: str) -> bool:
    """Whether prompts or completions travel under that name: `messages`, `system_prompt`; not `prompt_version`."""
    return told_by(name) in (Told.CONTENT, Told.PERHAPS_CONTENT)


@lru_cache(maxsize=1024)
def told_by(name: str) -> Told:
    """What the name tells of its value: in any case, with `-`, `_`, `.`, blanks or camelCase between its words."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if _is_secret(words):
        return Told.SECRET
    words = [word for word in words if not word.isdigit()]
    if not words or not _BEFORE_CONTENT.issuperset(words[:-1]):
        return Told.NOTHING
    last = words[-1]
    if last in _CONTENTS:
        return Told.CONTENT
    if last in _PERHAPS_CONTENTS:
        return Told.PERHAPS_CONTENT if len(words) == 1 or last == "system" else Told.CONTENT
    if len(words) == 1:
        return Told.NOTHING
    if last == "template":
        return Told.PERHAPS_CONTENT
    return Told.CONTENT if last in ("value", "values") else Told.NOTHING  # OpenInference's `input.value`


def _is_secret(words: list[str]) -> bool:
    while len(words) > 1 and (words[-1] in _TRAILING or words[-1].isdigit()):
        words = words[:-1]
    if not words:
        return False
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if last in ("key", "keys"):
        return before in _KEY_OWNERS
    if last == "hash":
        return before in ("password", "passwd", "pwd")
    if last == "id":
        return words[-3:-1] == ["access", "key"]
    if last == "token":
        return before not in _PLAIN_TOKENS
    if last == "tokens":
        return before in _TOKEN_OWNERS
    return last in _SECRETS
