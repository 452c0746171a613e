"""The system checks: each key accepts what it documents and refuses the rest with its own id and a hint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, registry, run_checks
from django.test import override_settings

from costtrack import checks
from costtrack.conf import DEFAULTS
from costtrack.metering.spool.directory import SpoolUnusable, prepared_directory

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "x.sqlite3"}


def messages() -> list[CheckMessage]:
    return run_checks(tags=["costtrack"])


def ids() -> list[str | None]:
    return [message.id for message in messages()]


def test_the_checks_are_registered() -> None:
    registered = registry.registry.get_checks()
    for check in (checks.check_costtrack_setting, checks.check_time_zones, checks.check_sqlite_transactions):
        assert check in registered


def test_the_example_site_and_an_empty_setting_have_nothing_to_mend() -> None:
    assert messages() == []
    with override_settings(COSTTRACK={}):
        assert messages() == []
    with override_settings(COSTTRACK=dict(DEFAULTS)):
        assert messages() == []


def test_every_key_has_a_rule_and_every_id_is_used_once() -> None:
    assert list(checks.KEY_RULES) == list(DEFAULTS)
    used = [rule.id for rule in checks.KEY_RULES.values()]
    used += ["costtrack.E001", "costtrack.E002", "costtrack.E012", "costtrack.W001"]
    assert len(used) == len(set(used))


@pytest.mark.parametrize("value", [None, "default", ["TRANSPORT"], 1])
def test_a_setting_that_is_no_dict_is_one_error(value: object) -> None:
    with override_settings(COSTTRACK=value):
        (message,) = messages()
    assert message.id == "costtrack.E001"
    assert message.hint is not None
    assert "COSTTRACK = {" in message.hint


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("DEFAULT_ORGANISATION", "DEFAULT_ORGANIZATION"),
        ("transport", "TRANSPORT"),
        ("MAX_AGENT", "MAX_AGENTS"),
        ("ORGANIZATION_RESOLVERS", "ORGANIZATION_RESOLVER"),
    ],
)
def test_a_mistyped_key_is_an_error_that_names_the_nearest_key(mistyped: str, meant: str) -> None:
    with override_settings(COSTTRACK={mistyped: "default"}):
        (message,) = messages()
    assert message.id == "costtrack.E002"
    assert repr(mistyped) in message.msg
    assert message.hint is not None
    assert message.hint.startswith(f"Did you mean {meant!r}?")


@pytest.mark.parametrize("key", ["ZZZ", 7, None])
def test_a_key_like_no_other_is_an_error_that_lists_the_keys(key: object) -> None:
    with override_settings(COSTTRACK={key: 1}):
        (message,) = messages()
    assert message.id == "costtrack.E002"
    assert message.hint is not None
    assert message.hint.startswith("The keys are DEFAULT_ORGANIZATION, TRANSPORT,")


BAD_VALUES: list[tuple[str, str, list[Any]]] = [
    ("DEFAULT_ORGANIZATION", "costtrack.E003", ["", "with space", "a/b", "ü", "a\n", "x" * 101, None, 7]),
    ("TRANSPORT", "costtrack.E004", ["", "INLINE", "redis", None, True]),
    ("DATABASE", "costtrack.E005", ["", "replica", None, ["default"]]),
    ("SPOOL_DIR", "costtrack.E013", ["", "spool", "./spool", 7, True]),
    ("SPOOL_MAX_BYTES", "costtrack.E014", [0, -1, (1 << 20) - 1, 2.0**30, "1073741824", None, True]),
    ("SPOOL_FSYNC", "costtrack.E015", ["", "ALWAYS", "often", None, True]),
    ("ORGANIZATION_RESOLVER", "costtrack.E006", ["", "nodots", "no.such.module", "math.no_such", "math.pi", len, 7]),
    ("RATE_CACHE_SECONDS", "costtrack.E007", [-1, -0.1, float("nan"), float("inf"), "2", None, True]),
    ("MAX_PROJECTS", "costtrack.E008", [0, -1, 10.0, "10", None, True]),
    ("MAX_AGENTS", "costtrack.E009", [0, -1, 10.0, "10", None, True]),
    ("METADATA_MAX_BYTES", "costtrack.E010", [255, -1, 8192.0, "8192", None, True]),
    ("MAX_FUTURE_SECONDS", "costtrack.E011", [31_622_401, 10**30, -1, 0.5, "300", None, False]),
    ("INGEST_MAX_AGE_DAYS", "costtrack.E025", [0, -1, 36_501, 40.0, "40", None, True]),
    ("INGEST_MAX_BYTES", "costtrack.E026", [0, 1023, 5e6, "5242880", None, True]),
    ("INGEST_RATE", "costtrack.E027", ["", "600", "0/minute", "600/m", "600/fortnight", "600/minute ", 600, True]),
    ("READ_TIMEOUT_MS", "costtrack.E029", [-1, 3_600_001, 10e3, "10000", None, False]),
    ("BUDGET_LOCK_TIMEOUT_MS", "costtrack.E017", [3_600_001, 10**30, 0, -1, 250.0, "250", None, True]),
    ("ON_UNKNOWN_BUDGETS", "costtrack.E028", ["", "DENY", "refuse", None, True]),
    ("HOLD_TTL_SECONDS", "costtrack.E018", [31_622_401, 10**30, 0, -1, 900.0, "900", None, True]),
    ("RUN_IDLE_HOURS", "costtrack.E031", [0, 0.9, -1, 8785, "24", None, True, float("nan")]),
    ("MAX_OUTPUT_TOKENS", "costtrack.E019", [0, -1, 10**11 + 1, 4096.0, "4096", True]),
    ("TOKEN_COUNTER", "costtrack.E020", ["", "nodots", "no.such.module", "math.pi", len, 7]),
    ("BUDGET_BACKEND", "costtrack.E021", ["", "REDIS", "postgres", None, True]),
    ("REDIS_URL", "costtrack.E022", ["", "localhost:6379", "http://localhost", "Redis://localhost", 6379, True]),
    ("REDIS_TIMEOUT_MS", "costtrack.E023", [3_600_001, 10**30, 0, -1, 100.0, "100", None, True]),
    (
        "WEBHOOK_PRIVATE_HOSTS",
        "costtrack.E030",
        [None, "localhost", ["http://a"], [""], [7], ["a:b"], {"a": 1}],
    ),
    ("BATCHABLE_ENDPOINTS", "costtrack.E035", ["nightly", [""], [7], {"a": 1}, True]),
    (
        "LITELLM_ATTRIBUTION",
        "costtrack.E038",
        [None, [], "tags", {"team": "tags"}, {"tags": ""}, {"tags": []}, {"tags": [""]}, {"tags": 7}, {"user": {"a"}}],
    ),
    ("METRICS_TOKEN", "costtrack.E040", ["", "short", "x" * 201, "a blank in the text", "ümlaut-" * 4, 7, b"x" * 20]),
    ("METRICS_MAX_SERIES", "costtrack.E041", [0, -1, 100_001, 10.0, "10", None, True]),
]


@pytest.mark.parametrize(
    ("key", "expected_id", "value"),
    [(key, expected_id, value) for key, expected_id, values in BAD_VALUES for value in values],
)
def test_a_value_out_of_its_range_is_an_error_that_shows_it(key: str, expected_id: str, value: object) -> None:
    with override_settings(COSTTRACK={key: value}):
        (message,) = messages()
    assert message.id == expected_id
    assert message.msg == f"COSTTRACK[{key!r}] is {value!r}."
    assert message.hint is not None
    assert message.hint.startswith("Use ")


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("shop.nope.x", "Its import says: No module named 'shop'."),
        ("os.nope", 'Its import says: Module "os" does not define a "nope" attribute/class.'),
        (".x", "Its import says: Empty module name."),
        ("math.pi", "It is no function, but a float."),
    ],
)
def test_a_resolver_that_cannot_be_imported_is_an_error_that_says_why(path: str, cause: str) -> None:
    with override_settings(COSTTRACK={"ORGANIZATION_RESOLVER": path}):
        (message,) = messages()
    assert message.id == "costtrack.E006"
    assert message.hint is not None
    assert message.hint.endswith(f"returns an organization's slug. {cause}")


def test_every_key_is_shown_refusing_something() -> None:
    assert [key for key, _, _ in BAD_VALUES] == list(DEFAULTS)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DEFAULT_ORGANIZATION", "Acme_2-x"),
        ("DEFAULT_ORGANIZATION", "x" * 100),
        ("TRANSPORT", "inline"),
        ("TRANSPORT", "spool"),
        ("DATABASE", "default"),
        ("SPOOL_DIR", None),
        ("SPOOL_DIR", "/var/lib/site/spool"),
        ("SPOOL_DIR", Path("/var/lib/site/spool")),
        ("SPOOL_MAX_BYTES", 1 << 20),
        ("SPOOL_FSYNC", "interval"),
        ("ORGANIZATION_RESOLVER", None),
        ("ORGANIZATION_RESOLVER", "os.path.join"),
        ("RATE_CACHE_SECONDS", 0),
        ("RATE_CACHE_SECONDS", 0.25),
        ("MAX_PROJECTS", 1),
        ("MAX_AGENTS", 1),
        ("METADATA_MAX_BYTES", 256),
        ("MAX_FUTURE_SECONDS", 0),
        ("INGEST_MAX_AGE_DAYS", 1),
        ("INGEST_MAX_AGE_DAYS", 36_500),
        ("INGEST_MAX_BYTES", 1024),
        ("INGEST_RATE", None),
        ("INGEST_RATE", "1/day"),
        ("READ_TIMEOUT_MS", 0),
        ("READ_TIMEOUT_MS", 3_600_000),
        ("BUDGET_LOCK_TIMEOUT_MS", 1),
        ("HOLD_TTL_SECONDS", 1),
        ("RUN_IDLE_HOURS", 1),
        ("RUN_IDLE_HOURS", 1.5),
        ("RUN_IDLE_HOURS", 8784),
        ("LITELLM_ATTRIBUTION", {}),
        ("LITELLM_ATTRIBUTION", {"customer": "user", "project": ["team", "team_id"], "tags": ("tags",)}),
        ("BUDGET_BACKEND", "database"),
        ("ON_UNKNOWN_BUDGETS", "allow"),
        ("REDIS_URL", None),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("REDIS_TIMEOUT_MS", 1),
        ("METRICS_TOKEN", None),
        ("METRICS_TOKEN", "0123456789abcdef"),
        ("METRICS_MAX_SERIES", 1),
        ("BATCHABLE_ENDPOINTS", None),
        ("BATCHABLE_ENDPOINTS", []),
        ("BATCHABLE_ENDPOINTS", {"nightly-digest"}),
        ("WEBHOOK_PRIVATE_HOSTS", []),
        ("WEBHOOK_PRIVATE_HOSTS", ("localhost", "10.0.0.5:8080", "hooks.internal", "::1")),
        ("MAX_OUTPUT_TOKENS", None),
        ("MAX_OUTPUT_TOKENS", 1),
        ("MAX_OUTPUT_TOKENS", 10**11),
        ("TOKEN_COUNTER", None),
        ("TOKEN_COUNTER", "os.path.join"),
    ],
)
def test_a_value_at_the_edge_of_its_range_is_accepted(key: str, value: object) -> None:
    with override_settings(COSTTRACK={key: value}):
        assert messages() == []


def test_several_mistakes_are_all_reported() -> None:
    with override_settings(COSTTRACK={"TRANSPORT": "post", "MAX_AGENTS": 0, "NOPE": 1}):
        assert ids() == ["costtrack.E002", "costtrack.E004", "costtrack.E009"]


def test_a_spool_that_can_not_be_written_is_a_warning_that_says_why(tmp_path: Path) -> None:
    no_directory = tmp_path / "file"
    no_directory.write_text("")
    with override_settings(COSTTRACK={"TRANSPORT": "spool", "SPOOL_DIR": no_directory / "spool"}):
        (message,) = messages()
    assert message.id == "costtrack.W002"
    assert message.msg == f"The spool can not be used: {no_directory} is no directory."
    assert message.hint is not None
    assert 'COSTTRACK["SPOOL_DIR"]' in message.hint
    with override_settings(COSTTRACK={"TRANSPORT": "inline", "SPOOL_DIR": no_directory / "spool"}):
        assert messages() == []


def spool_warnings(path: Path) -> list[str]:
    with override_settings(COSTTRACK={"TRANSPORT": "spool", "SPOOL_DIR": path}):
        found = messages()
    assert {message.id for message in found} <= {"costtrack.W002"}
    return [message.msg for message in found]


@pytest.mark.parametrize("inside", ["", "spool"])
def test_a_file_or_a_link_to_nothing_in_the_way_of_the_spool_is_said(tmp_path: Path, inside: str) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("")
    link.symlink_to(tmp_path / "nowhere")
    for way in (file, link):
        assert spool_warnings(way / inside) == [f"The spool can not be used: {way} is no directory."]
    assert sorted(tmp_path.iterdir()) == [file, link]


def test_a_spool_whose_path_can_not_be_is_said_and_breaks_no_check(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    assert spool_warnings(path / "a") == [
        f"The spool can not be used: {path / 'a'} can not be looked at (File name too long)."
    ]


def test_a_directory_that_others_use_is_refused_by_the_check_as_by_the_spool(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert spool_warnings(shared) == []  # empty: the spool closes it
    (shared / "theirs").write_text("")
    reason = f"{shared} is open to others and holds 'theirs': give the spool one of its own."
    assert spool_warnings(shared) == [f"The spool can not be used: {reason}"]
    with pytest.raises(SpoolUnusable, match="is open to others and holds 'theirs'"):
        prepared_directory(shared)
    assert shared.stat().st_mode & 0o777 == 0o777


def test_a_spool_that_is_not_there_yet_is_fine_and_the_check_makes_nothing(tmp_path: Path) -> None:
    with override_settings(COSTTRACK={"TRANSPORT": "spool", "SPOOL_DIR": tmp_path / "a" / "b"}):
        assert messages() == []
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_autocommit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "costs", "AUTOCOMMIT": False}
    monkeypatch.setattr(django_settings, "DATABASES", {"default": database})
    assert ids() == ["costtrack.E016"]


def test_times_without_zones_are_an_error() -> None:
    with override_settings(USE_TZ=False):
        assert ids() == ["costtrack.E012"]


@pytest.mark.parametrize("options", [{}, {"transaction_mode": None}, {"transaction_mode": "DEFERRED"}])
def test_an_sqlite_that_takes_its_lock_late_is_a_warning(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django_settings, "DATABASES", {"default": {**SQLITE, "OPTIONS": options}})
    (message,) = messages()
    assert message.id == "costtrack.W001"
    assert message.hint is not None
    assert '["transaction_mode"] = "IMMEDIATE"' in message.hint


@pytest.mark.parametrize("mode", ["IMMEDIATE", "immediate", "EXCLUSIVE"])
def test_an_sqlite_that_takes_its_lock_first_is_fine(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = {**SQLITE, "OPTIONS": {"transaction_mode": mode}}
    monkeypatch.setattr(django_settings, "DATABASES", {"default": database})
    assert messages() == []


def test_only_the_database_that_holds_the_tables_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    databases = {"default": SQLITE, "costs": {"ENGINE": "django.db.backends.postgresql", "NAME": "costs"}}
    monkeypatch.setattr(django_settings, "DATABASES", databases)
    assert ids() == ["costtrack.W001"]
    with override_settings(COSTTRACK={"DATABASE": "costs"}):
        assert messages() == []


def test_the_site_passes_djangos_own_checks() -> None:
    assert run_checks() == []
    assert django_settings.USE_TZ


def test_budgets_by_redis_need_to_know_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(COSTTRACK={"BUDGET_BACKEND": "redis", "REDIS_URL": "redis://127.0.0.1/0"}):
        assert messages() == []
    with override_settings(COSTTRACK={"BUDGET_BACKEND": "redis"}):
        (message,) = messages()
    assert message.id == "costtrack.E024"
    assert message.hint is not None
    assert 'COSTTRACK["REDIS_URL"]' in message.hint
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with override_settings(COSTTRACK={"BUDGET_BACKEND": "redis", "REDIS_URL": "redis://127.0.0.1/0"}):
        (message,) = messages()
    assert message.hint == "Install the package redis: pip install 'costtrack[redis]'."
