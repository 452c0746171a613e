from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.urls import include, path
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.test import APIRequestFactory

from costtrack.api.event_input import EVENT
from costtrack.api.holds import RESERVE, SETTLE
from costtrack.api.openapi.events import DATA_FIELDS, EVENT_FIELDS
from costtrack.api.openapi.holds import RESERVE_FIELDS, SETTLE_FIELDS
from costtrack.api.openapi.older import as_openapi_3_0
from costtrack.api.urls import urlpatterns as routes
from tests.api.contract import COMMAND, METHODS, PATH, contract, documented, resolved

ROOT = "/api/costs/"
OLDER = {"OAS_VERSION": "3.0.3"}
NEWER = {"OAS_VERSION": "3.1.1"}


def generated(folder: Path, **options: Any) -> dict[str, Any]:
    """What `manage.py spectacular` writes; it fails where there is a warning, or what is no OpenAPI."""
    file = folder / "openapi.yaml"
    call_command("spectacular", file=str(file), fail_on_warn=True, validate=True, **options)
    data: dict[str, Any] = yaml.safe_load(file.read_text())
    return data


def test_the_contract_in_the_docs_is_that_of_the_code(tmp_path: Path) -> None:
    generated(tmp_path)
    is_same = (tmp_path / "openapi.yaml").read_text() == PATH.read_text()
    assert is_same, f"docs/openapi.yaml is old. Renew it, and look at the difference: {COMMAND}"


def methods_of(view: Any) -> set[str]:
    return {name for name in METHODS if hasattr(view, name) and name in view.http_method_names}


def documented_path(route: Any) -> str:
    return ROOT + documented(route.pattern)


def test_every_route_and_method_is_in_it_and_nothing_else() -> None:
    mounted = {(documented_path(route), method) for route in routes for method in methods_of(route.callback.view_class)}
    assert mounted == {(name, method) for name, item in contract()["paths"].items() for method in item}


@pytest.mark.parametrize("route", routes, ids=lambda route: route.name)
def test_the_parameters_that_a_view_takes_are_those_that_are_described(route: Any) -> None:
    for method in methods_of(route.callback.view_class):
        view = route.callback.view_class()
        view.request = view.initialize_request(getattr(APIRequestFactory(), method)("/"))
        parameters = [resolved(one) for one in contract()["paths"][documented_path(route)][method]["parameters"]]
        assert {one["name"] for one in parameters if one["in"] == "query"} == set(view.known_parameters)
        assert all(one["description"] for one in parameters)


def test_the_fields_that_bodies_may_have_are_those_that_are_described() -> None:
    assert EVENT_FIELDS.keys() == EVENT.keys()
    assert DATA_FIELDS.keys() == EVENT.keys() - {"idempotency_key"}
    assert RESERVE_FIELDS.keys() == RESERVE.keys()
    assert SETTLE_FIELDS.keys() == SETTLE.keys()


class AlbumSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=["draft", "printed"])
    metric = serializers.ChoiceField(choices=["inch", "metre"])
    period = serializers.ChoiceField(choices=["baroque", "romantic"])


class AlbumsView(ListAPIView[Any]):
    """A view of the host's own."""

    serializer_class = AlbumSerializer


urlpatterns = [path("albums/", AlbumsView.as_view()), path("money/", include("costtrack.api.urls"))]
"""A host that has names of its own for what ours are called."""


@pytest.mark.parametrize("version", ["OLDER", "NEWER"])
def test_a_host_s_own_views_and_settings_do_not_change_how_ours_are_described(
    version: str, tmp_path: Path, settings: Any
) -> None:
    settings.ROOT_URLCONF = __name__
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
    found = generated(tmp_path, custom_settings=f"{__name__}.{version}")
    assert found["openapi"] == globals()[version]["OAS_VERSION"]
    assert found["paths"].pop("/albums/")["get"]["operationId"] == "albums_list"
    expected = contract() if version == "NEWER" else as_openapi_3_0(contract())
    assert {name.replace("/money/", ROOT): item for name, item in found["paths"].items()} == expected["paths"]
    for section, parts in expected["components"].items():
        assert {name: found["components"][section][name] for name in parts} == parts


def test_what_the_older_dialect_can_not_say_is_said_otherwise_or_left_out() -> None:
    assert as_openapi_3_0({"type": ["string", "null"], "examples": ["a", "b"]}) == {
        "type": "string",
        "nullable": True,
        "example": "a",
    }
    assert as_openapi_3_0({"type": ["string", "integer", "null"], "pattern": "^a"}) == {
        "anyOf": [{"type": "string", "nullable": True}, {"type": "integer", "nullable": True}],
        "pattern": "^a",
    }
    assert as_openapi_3_0({"anyOf": [{"$ref": "#/a"}, {"type": "null"}]}) == {
        "nullable": True,
        "allOf": [{"$ref": "#/a"}],
    }
    assert as_openapi_3_0({"anyOf": [{"const": "a"}, {"const": "b"}, {"type": "null"}]}) == {
        "nullable": True,
        "anyOf": [{"allOf": [{"enum": ["a"]}]}, {"allOf": [{"enum": ["b"]}]}],
    }
    assert as_openapi_3_0({"exclusiveMaximum": 5, "minimum": 1, "propertyNames": {"pattern": "^a"}}) == {
        "maximum": 5,
        "exclusiveMaximum": True,
        "minimum": 1,
    }
    assert as_openapi_3_0({"properties": {"type": {"type": "integer"}}, "items": [{"const": 1}]}) == {
        "properties": {"type": {"type": "integer"}},
        "items": [{"allOf": [{"enum": [1]}]}],
    }


WITHOUT = """
import sys
sys.modules["drf_spectacular"] = None  # as if it were not installed: importing it raises
import django, os
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
django.setup()
import costtrack.api.openapi.operations, costtrack.api.urls
from django.apps import apps
print(apps.is_installed("drf_spectacular"), len(costtrack.api.urls.urlpatterns))
"""


def test_the_app_does_without_drf_spectacular() -> None:
    told = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert (told.stdout.split(), told.stderr) == (["False", str(len(routes))], "")
