"""Who asks, what there is, and that every answer is one of the contract."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import Resolver404

from costtrack.models import Organization, Project
from tests.api.callers import ROOT, person
from tests.api.contract import METHODS, check_answer
from tests.factories import make_organization


@pytest.fixture
def acme(db: None) -> Organization:
    """An organization."""
    return make_organization()


@pytest.fixture
def website(acme: Organization) -> Project:
    """A project of acme, with the agent `writer`."""
    project = Project.objects.create(organization=acme, slug="website")
    project.agents.create(slug="writer")
    return project


@pytest.fixture
def manager(acme: Organization) -> Client:
    """A client that is logged in as mary, a manager of acme."""
    return person("mary", roles={acme: "manager"})


@pytest.fixture
def superuser(db: None) -> Client:
    """A client that is logged in as a superuser."""
    return person("root", is_superuser=True)


@pytest.fixture
def somebody(db: None) -> Client:
    """A client that is logged in, but belongs to no organization."""
    return person("somebody")


@pytest.fixture(autouse=True)
def answers_keep_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold what any test here is answered against docs/openapi.yaml.

    Faults that a test makes itself are none of it, nor are methods and paths that there are not.
    """
    ask = Client.request

    def request(self: Client, **asked: Any) -> HttpResponseBase:
        answer = ask(self, **asked)
        path, method = asked.get("PATH_INFO", ""), asked.get("REQUEST_METHOD", "GET").lower()
        if path.startswith(ROOT) and method in METHODS and answer.status_code not in (405, 500):
            with suppress(Resolver404):
                check_answer(path, method, answer)
        return answer

    monkeypatch.setattr(Client, "request", request)
