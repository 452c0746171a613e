"""What `costtrack_key` makes, shows and revokes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from costtrack.access.keys import valid_key
from costtrack.models import Agent, AgentKey, Organization, Project
from tests.factories import NOON, make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("costtrack_key", *arguments, stdout=out)
    return out.getvalue()


def create(*arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        run("create", "--organization", "acme", "--name", "robot", "--json", *arguments)
    )
    return answer


def test_a_key_is_made_for_both_scopes_and_its_token_is_shown_once(acme: Organization) -> None:
    text = run("create", "--organization", "acme", "--name", "build robot")
    key = AgentKey.objects.get()
    token = next(line.strip() for line in text.splitlines() if line.startswith("  ctk_"))
    assert text.startswith(
        f"Made the key {key.prefix} for acme, ingest and read, valid until it is revoked.\nThis is shown once, now:\n"
    )
    assert text.count(token) == 1
    assert valid_key(token, now=NOON) == key
    assert (key.name, key.organization, key.project, key.agent) == ("build robot", acme, None, None)
    assert token not in run("list") + run("list", "--json")


def test_json_has_all_of_it(acme: Organization) -> None:
    answer = create("--scope", "ingest", "--days", "90", "--project", "website", "--agent", "writer", "--create")
    found = valid_key(answer.pop("token"), now=NOON)
    assert found is not None
    assert answer == {
        "prefix": found.prefix,
        "name": "robot",
        "organization": "acme",
        "project": "website",
        "agent": "writer",
        "scopes": ["ingest"],
        "state": "active",
        "created_at": "2026-11-20T12:00:00+00:00",
        "expires_at": "2027-02-18T12:00:00+00:00",  # 10 more days of November, 31, 31 and 18: 90
        "revoked_at": None,
        "last_used_at": None,
    }
    assert found.expires_at == NOON + timedelta(days=90)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--project", "webiste"], "Organization 'acme' has no project 'webiste'. Known ones: website."),
        (["--project", "theirs"], "Organization 'acme' has no project 'theirs'. Known ones: website."),
        (["--project", "website", "--agent", "writre"], "Project 'website' has no agent 'writre'. Known ones: writer."),
        (
            ["--agent", "writer"],
            "Organization 'acme' has no project 'default'. Known ones: website. Without --project an agent is of "
            "'default': name its project.",
        ),
        (["--project", "\x00"], "Organization 'acme' has no project '\\x00'. Known ones: website."),
    ],
)
def test_a_mistyped_project_or_agent_is_said_and_not_made(
    acme: Organization, arguments: list[str], message: str
) -> None:
    acme.projects.create(slug="website").agents.create(slug="writer")
    make_organization("globex").projects.create(slug="theirs")
    with pytest.raises(CommandError) as refused:
        create(*arguments)
    assert str(refused.value) == f"{message} To make it with the key, add --create."
    assert (Project.objects.count(), Agent.objects.count(), AgentKey.objects.count()) == (2, 1, 0)


def test_an_organization_without_projects_says_so(acme: Organization) -> None:
    with pytest.raises(CommandError, match=r"has no project 'app'\. It has none\. To make it"):
        create("--project", "app")


def test_a_new_project_or_agent_is_made_and_said(acme: Organization) -> None:
    text = run("create", "--organization", "acme", "--name", "robot", "--agent", "writer", "--create")
    assert text.startswith("Made the project default.\nMade the agent writer.\nMade the key ")
    agent = Agent.objects.get()
    assert AgentKey.objects.get().agent == agent
    again = run("create", "--organization", "acme", "--name", "robot", "--agent", "writer")
    assert again.startswith("Made the key ")
    assert (Agent.objects.count(), Project.objects.count()) == (1, 1)


def test_scopes_may_be_given_twice(acme: Organization) -> None:
    assert create("--scope", "read", "--scope", "ingest")["scopes"] == ["ingest", "read"]
    assert create("--scope", "read")["scopes"] == ["read"]


def test_an_unknown_organization_is_said_and_not_made(acme: Organization) -> None:
    with pytest.raises(CommandError, match=r"Organization 'acne' does not exist. Known ones: acme."):
        run("create", "--organization", "acne", "--name", "robot")
    with pytest.raises(CommandError, match="does not exist"):
        run("list", "--organization", "acne")
    assert Organization.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--days", "0"], "expected a whole number of days from 1 to 36,500"),
        (["--days", "1.5"], "expected a whole number of days"),
        (["--days", "99999"], "expected a whole number of days"),
        (["--scope", "write"], "invalid choice"),
        (["--name", ""], "expected one line of 1 to 100 characters"),
        (["--name", "x" * 101], "expected one line"),
        (["--name", "a\nb"], "expected one line"),
        (["--project", "x" * 101, "--create"], "--project"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(acme: Organization, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        create(*arguments)
    assert not AgentKey.objects.exists()


@pytest.mark.parametrize("arguments", [["create"], ["create", "--organization", "acme"], ["revoke"], [], ["destroy"]])
def test_what_is_missing_is_said(acme: Organization, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"required|invalid choice"):
        run(*arguments)


def test_a_key_is_revoked_by_its_prefix_or_as_a_whole(acme: Organization) -> None:
    one, other = create(), create()
    assert run("revoke", one["prefix"]) == f"Revoked the key {one['prefix']} (robot) of acme.\n"
    answer = json.loads(run("revoke", other["token"], "--json"))
    assert (answer["state"], answer["revoked_at"]) == ("revoked", "2026-11-20T12:00:00+00:00")
    assert valid_key(one["token"], now=NOON) is None
    assert valid_key(other["token"], now=NOON) is None
    assert run("revoke", one["prefix"]) == f"The key {one['prefix']} was revoked already, at 2026-11-20 12:00 UTC.\n"


@pytest.mark.parametrize("prefix", ["unknown", "", "ctk_unknown_secret", "\x00"])
def test_an_unknown_key_can_not_be_revoked(acme: Organization, prefix: str) -> None:
    with pytest.raises(CommandError, match="There is no key") as failure:
        run("revoke", prefix)
    assert "secret" not in str(failure.value)


def test_the_list_is_a_table(acme: Organization) -> None:
    make_organization("globex")
    first = create("--project", "website", "--create", "--scope", "read", "--days", "1")
    second = json.loads(run("create", "--organization", "globex", "--name", "other", "--json"))
    run("revoke", second["prefix"])
    AgentKey.objects.filter(prefix=first["prefix"]).update(last_used_at=NOON)
    titles, *lines = run("list").splitlines()
    assert titles.split() == "key name of scopes state expires last used".split()
    assert [line.split() for line in lines] == [
        f"{first['prefix']} robot acme/website read active 2026-11-21 12:00 2026-11-20 12:00".split(),
        f"{second['prefix']} other globex ingest read revoked never never".split(),
    ]
    assert [key["prefix"] for key in json.loads(run("list", "--organization", "globex", "--json"))["keys"]] == [
        second["prefix"]
    ]


def test_an_expired_key_is_shown_as_such(acme: Organization) -> None:
    create("--days", "1")
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        assert json.loads(run("list", "--json"))["keys"][0]["state"] == "expired"


def test_without_keys_it_says_how_to_make_one(acme: Organization) -> None:
    assert run("list") == "There are no keys. Make one with: manage.py costtrack_key create\n"
    assert json.loads(run("list", "--json")) == {"keys": []}


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("costtrack_key", "--help")
    assert 'costtrack_key create --organization acme --name "build robot"' in capsys.readouterr().out
