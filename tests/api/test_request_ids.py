"""Every answer of the API tells the request's id, with and without the middleware."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from costtrack.metering.context import current_attribution
from costtrack.models import Organization
from tests.api.callers import GET_PATHS, POST_PATHS, ROOT, person, robot
from tests.factories import make_organization

pytestmark = pytest.mark.django_db
OURS = "costtrack.middleware.CostTrackMiddleware"
A_NEW_ONE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture(params=[True, False], ids=["middleware", "no middleware"])
def acme(request: pytest.FixtureRequest, settings: Any) -> Organization:
    """In a site with CostTrackMiddleware, and in one without."""
    if not request.param:
        settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != OURS]
    return make_organization()


@pytest.mark.parametrize("kind", ["nobody", "viewer", "key", "superuser"])
def test_every_answer_tells_the_id_that_was_given(acme: Organization, kind: str) -> None:
    client = {
        "nobody": Client(),
        "viewer": person("viewer", roles={acme: "viewer"}),
        "key": robot(acme),
        "superuser": person("root", is_superuser=True),
    }[kind]
    given = {"X-Request-ID": "trace-4bf92f35.7_A"}
    asked = [("get", one) for one in (*GET_PATHS.values(), "usage?from=x", "usage?format=csv", "daily?format=x")]
    asked += [("head", one) for one in GET_PATHS.values()] + [("post", one) for one in POST_PATHS.values()]
    asked += [("delete", "daily")] if kind == "superuser" else [("options", "daily")]
    statuses = set()
    for method, path in asked:
        answer = getattr(client, method)(ROOT + path, headers=given)
        assert answer["X-Request-ID"] == "trace-4bf92f35.7_A", (method, path)
        statuses.add(answer.status_code)
        list(answer)  # read to its end, as servers do
    told = {"nobody": {401}, "viewer": {200, 400, 403, 404}, "key": {200, 400, 403, 404}, "superuser": {200, 400, 405}}
    assert statuses >= told[kind]


def test_without_one_each_request_gets_one_of_its_own(acme: Organization) -> None:
    client = robot(acme)
    found = [client.get(f"{ROOT}{path}")["X-Request-ID"] for path in ("daily", "daily", "me?x=y", "me?x=y")]
    assert len(set(found)) == 4
    assert all(A_NEW_ONE.fullmatch(one) for one in found)


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 101, "é", "a\x00", "a/b", "a\x0bb", "<script>", "a;b", '"a"'])
def test_one_that_is_not_sane_is_replaced(acme: Organization, given: str) -> None:
    answer = robot(acme).get(f"{ROOT}daily", headers={"X-Request-ID": given})
    assert A_NEW_ONE.fullmatch(answer["X-Request-ID"])


@pytest.mark.parametrize("given", ["x" * 100, "0", "A-z_0.9"])
def test_one_at_the_edge_is_kept(acme: Organization, given: str) -> None:
    assert robot(acme).get(f"{ROOT}daily?x=y", headers={"X-Request-ID": given})["X-Request-ID"] == given


def test_with_the_middleware_it_is_the_one_that_usage_is_attributed_with(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert OURS in settings.MIDDLEWARE
    seen: list[str] = []

    def trend(*args: object, **options: object) -> tuple[()]:
        seen.append(current_attribution().request_id)
        return ()

    monkeypatch.setattr("costtrack.api.views.trend", trend)
    client = robot(make_organization())
    for headers in ({}, {"X-Request-ID": "given"}, {"X-Request-ID": "not sane"}):
        assert client.get(f"{ROOT}trend", headers=headers)["X-Request-ID"] == seen[-1]
    assert seen[1] == "given"
    assert len(set(seen)) == 3


def test_the_body_of_an_error_does_not_depend_on_it(acme: Organization) -> None:
    client = robot(acme)
    bodies = {client.get(f"{ROOT}daily?x=y", headers={"X-Request-ID": one}).content for one in ("a", "b")}
    assert len(bodies) == 1
