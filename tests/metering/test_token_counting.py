"""Counting what a model is given to read: by the host's counter, by tiktoken if all of it is here, else by length."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from costtrack.metering import token_counting
from costtrack.metering.token_counting import count_tokens

HERE = "tests.metering.test_token_counting"
URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"


def count_words(model: str, value: Any) -> int:
    return len(value.split()) * (2 if model == "wordy" else 1)


def fail(model: str, value: Any) -> int:
    raise RuntimeError("no tokenizer")


def give_half(model: str, value: Any) -> Any:
    return 0.5


def give_less_than_nothing(model: str, value: Any) -> int:
    return -1


def test_the_hosts_counter_is_asked_for_each_input_with_the_model(settings: Any) -> None:
    settings.COSTTRACK = {"TOKEN_COUNTER": f"{HERE}.count_words"}
    assert count_tokens("any", ["one two", "three"]) == 3
    assert count_tokens("wordy", ["one two", "three"]) == 6


@pytest.mark.parametrize("counter", ["fail", "give_half", "give_less_than_nothing"])
def test_a_counter_that_fails_or_gives_no_count_is_replaced_by_the_estimate(
    counter: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.COSTTRACK = {"TOKEN_COUNTER": f"{HERE}.{counter}"}
    assert count_tokens("any", ["x" * 10, "x" * 11]) == 6  # 21 characters / 4, rounded up once
    assert "could not be counted, and are estimated" in caplog.text


def test_no_input_and_input_without_text_have_no_count() -> None:
    assert count_tokens("any", []) is None
    assert count_tokens("any", [b"bytes"]) is None
    assert count_tokens("any", [[{"type": "image"}]]) is None
    assert count_tokens("any", [""]) == 0


class FakeEncoding:
    """Every character is a token."""

    def encode_ordinary(self, text: str) -> list[int]:
        return [0] * len(text)


@pytest.fixture
def tiktoken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """An installed tiktoken with an empty cache; to load an encoding would be a download."""
    module: Any = ModuleType("tiktoken")

    def encoding_name_for_model(model: str) -> str:
        return {"gpt-4o": "o200k_base", "gpt-2": "gpt2"}[model]

    module.loaded = []
    module.encoding_name_for_model = encoding_name_for_model
    module.get_encoding = lambda name: module.loaded.append(name) or FakeEncoding()
    monkeypatch.setitem(sys.modules, "tiktoken", module)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    token_counting._tiktoken_encoding.cache_clear()
    yield module
    token_counting._tiktoken_encoding.cache_clear()


@pytest.fixture
def its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The encoding's file, as tiktoken keeps it."""
    path = tmp_path / hashlib.sha1(URL.encode()).hexdigest()
    path.write_bytes(b"the ranks")
    monkeypatch.setitem(token_counting._SHA256, "o200k_base", hashlib.sha256(b"the ranks").hexdigest())
    return path


def test_tiktoken_is_not_asked_while_its_file_is_not_here(tiktoken: Any) -> None:
    assert count_tokens("gpt-4o", ["x" * 8]) == 2
    assert tiktoken.loaded == []


def test_tiktoken_counts_when_its_file_is_here(tiktoken: Any, its_file: Path) -> None:
    assert count_tokens("gpt-4o", ["x" * 8]) == 8
    assert count_tokens("openai/gpt-4o", ["x" * 8]) == 8
    # Two messages of 3 and 5 characters, and 4 tokens around each.
    messages = [{"role": "user", "content": "abc"}, {"role": "assistant", "content": "defgh"}]
    assert count_tokens("gpt-4o", [messages]) == 16


def test_a_file_that_tiktoken_would_load_anew_is_as_good_as_none(tiktoken: Any, its_file: Path) -> None:
    its_file.write_bytes(b"half of the ran")
    assert count_tokens("gpt-4o", ["x" * 8]) == 2
    assert tiktoken.loaded == []


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "gpt-2", ""])
def test_a_model_that_is_not_tiktokens_or_whose_files_are_not_known_is_estimated(
    model: str, tiktoken: Any, its_file: Path
) -> None:
    assert count_tokens(model, ["x" * 8]) == 2
    assert tiktoken.loaded == []


def test_a_text_that_would_take_long_is_estimated(
    tiktoken: Any, its_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_counting, "LONGEST_TEXT", 10)
    assert count_tokens("gpt-4o", ["x" * 10]) == 10
    assert count_tokens("gpt-4o", ["x" * 12]) == 3
