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
    pwd passphrase passcode credential credentials authorization auth cookie cookies jwt bearer session csrf xsrf
    apitoken authtoken accesstoken refreshtoken sessiontoken bearertoken idtoken csrftoken xsrftoken accesskey secretkey
    privatekey setcookie sessionid phpsessid jsessionid csrfmiddlewaretoken cvv cvc
    """.split()
)
"""Secret as a name's last word."""
_SECRET_ENDINGS = ("password", "passwords", "passwd", "secret", "secrets", "apikey", "apikeys")
"""Secret as its end: `dbpassword`."""
_KEY_OWNERS = frozenset(
    """
    api access secret private signing encryption master ssh deploy account auth service license subscription aws azure
    openai anthropic gemini mistral groq cohere openrouter stripe github
    """.split()
)
"""What stands before `key` or `keys` where it opens something; a cache key or a public key does not."""
_PLAIN_TOKENS = frozenset(
    """
    max min first last next prev previous page continuation per stop start end eos bos eot pad unk mask sep cls
    special input output prompt completion total cached cache reasoning thinking text audio image new each single avg
    mean average vocab byte word sub unit draft n num number ctx context limit remaining
    """.split()
)
"""`max_token`, `time_to_first_token`, `eos_token`: what a model counts, or where a page begins."""
_TOKEN_OWNERS = frozenset({"access", "refresh", "auth", "bearer", "csrf", "oauth"})
"""What stands before the plural where it means secrets and no count."""
_TRAILING = frozenset(
    """
    value values text string str raw plain header pem json base encoded old new confirm confirmation
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
    current new previous initial negative positive search rewritten formatted rendered tool function call entity
    traceloop langfuse openai anthropic few shot example examples
    """.split()
    )
    | _CONTENTS
    | _PERHAPS_CONTENTS
)
"""`user_prompt`, `gen_ai.input.messages`: still what a model read or wrote; `error_message`, `help_text` are not."""


@lru_cache(maxsize=1024)
def told_by(name: str) -> Told:
    """What the name tells of its value: in any case, with `-`, `_`, `.`, blanks or camelCase between its words."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if _is_secret(words):
        return Told.SECRET
    words = [word for word in words if not word.isdigit()]
    if len(words) > 1 and words[-1] in ("value", "values"):  # OpenInference's `input.value`
        return Told.NOTHING if _told_of_content(words[:-1]) is Told.NOTHING else Told.CONTENT
    return _told_of_content(words)


def _told_of_content(words: list[str]) -> Told:
    if not words or not _BEFORE_CONTENT.issuperset(words[:-1]):
        return Told.NOTHING
    last = words[-1]
    if last in _CONTENTS:
        return Told.CONTENT
    if last in _PERHAPS_CONTENTS:
        return Told.PERHAPS_CONTENT if len(words) == 1 or last in ("system", "template") else Told.CONTENT
    return Told.NOTHING


def _is_secret(words: list[str]) -> bool:
    end = len(words)
    while end > 1 and (words[end - 1] in _TRAILING or words[end - 1].isdigit()):
        end -= 1
    if not words:
        return False
    last = words[end - 1]
    before = words[end - 2] if end > 1 else ""
    if last in ("key", "keys"):
        return before in _KEY_OWNERS
    if last == "hash":
        return before in ("password", "passwd", "pwd")
    if last == "id":
        return before == "key" and words[end - 3 : end - 2] == ["access"]
    if last == "token":
        return before not in _PLAIN_TOKENS
    if last == "tokens":
        return before in _TOKEN_OWNERS
    return last in _SECRETS or last.endswith(_SECRET_ENDINGS)
