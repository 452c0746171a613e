"""What stands beside a telling name in a text: secrets go in every notation, prompts where they are quoted."""

from __future__ import annotations

import pytest

from costtrack.metering.redaction import redact_text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        # query parameters
        ("/v1/x?api_key=abc&n=1", "/v1/x?api_key=[redacted: secret]&n=1"),
        ("/v1/x?api_key=x_token=abc&n=1", "/v1/x?api_key=[redacted: secret]&n=1"),
        ("/v1/x?key=abc&n=1", "/v1/x?key=[redacted: secret]&n=1"),
        ("/f?X-Amz-Signature=abc&X-Amz-Expires=60", "/f?X-Amz-Signature=[redacted: secret]&X-Amz-Expires=60"),
        ("/cb?state=x&access_token=abc", "/cb?state=x&access_token=[redacted: secret]"),
        # JSON, also within JSON
        ('{"password": "not real", "n": 1}', '{"password": "[redacted: secret]", "n": 1}'),
        ('{"password": "not \\" real", "n": 1}', '{"password": "[redacted: secret]", "n": 1}'),
        ('{"clientSecret":"abc"}', '{"clientSecret":"[redacted: secret]"}'),
        ('{"pin_password": 1234}', '{"pin_password": [redacted: secret]}'),
        (r'"{\"api_key\": \"abc\"}"', r'"{\"api_key\": \"[redacted: secret]\"}"'),
        (r"{\\\"api_key\\\": \\\"abc\\\"}", r"{\\\"api_key\\\": \\\"[redacted: secret]\\\"}"),
        # as Python, Ruby and Go write it
        ("Client(api_key='abc', n=1)", "Client(api_key='[redacted: secret]', n=1)"),
        ("Client(api_key=b'abc', n=1)", "Client(api_key=b'[redacted: secret]', n=1)"),
        ("<QueryDict: {'password': ['abc']}>", "<QueryDict: {'password': ['[redacted: secret]']}>"),
        (":password => 'abc'", ":password => '[redacted: secret]'"),
        ('token := "abc"', 'token := "[redacted: secret]"'),
        # headers
        ("Authorization: Bearer abc", "Authorization: [redacted: secret]"),
        ("authorization: Token abc, x", "authorization: [redacted: secret], x"),
        ("x-api-key: abc", "x-api-key: [redacted: secret]"),
        ("Set-Cookie: a=b; Path=/\nDate: x", "Set-Cookie: [redacted: secret]\nDate: x"),
        # environments, command lines, connection strings, YAML
        ("AWS_SECRET_ACCESS_KEY=a/b+c REGION=x", "AWS_SECRET_ACCESS_KEY=[redacted: secret] REGION=x"),
        ("OPENAI_API_KEY   =  abc", "OPENAI_API_KEY   =  [redacted: secret]"),
        ("run --api-key=abc --n=1", "run --api-key=[redacted: secret] --n=1"),
        ("Server=db;Password=abc;Timeout=3", "Server=db;Password=[redacted: secret];Timeout=3"),
        ("AccountKey=abc==;Suffix=x", "AccountKey=[redacted: secret];Suffix=x"),
        ("password: not4real\nuser: ann", "password: [redacted: secret]\nuser: ann"),
        ("Invalid API key: 0fa1c0de0fa1c0de", "Invalid API key: [redacted: secret]"),
    ],
)
def test_what_stands_beside_the_name_of_a_secret(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (
            '[{"role": "user", "content": "Tell me a story"}]',
            '[{"role": "user", "content": "[not stored: 15 characters]"}]',
        ),
        ("run(prompt='Tell me', n=1)", "run(prompt='[not stored: 7 characters]', n=1)"),
        ('{"content": "告诉我一个故事"}', '{"content": "[not stored: 7 characters]"}'),
        (r"{\"system\": \"You are kind\"}", r"{\"system\": \"[not stored: 12 characters]\"}"),
        ("input_value='A whole answer', input_type=str", "input_value='[not stored: 14 characters]', input_type=str"),
        ("prompt='Tell me a sto", "prompt='[not stored: 13 characters]"),
    ],
)
def test_prompts_in_quotes_are_not_stored(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted
