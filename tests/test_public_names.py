"""Everything that the package promises can be imported from `costtrack` itself."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import costtrack
from costtrack import exceptions

PROMISED = {
    "attribute",
    "budget_status",
    "reserve",
    "meter",
    "track_api_call",
    "record_usage",
    "record_api_call",
    "void_usage",
    "adjust_usage",
    "calculate_cost",
    "calculate_cost_breakdown",
    "estimate_cost",
    "get_model_pricing",
    "flush",
    "subscribe",
    "unsubscribe",
    "what_if",
    "record_plan",
    "usage_run",
    "run_variance",
}
ERRORS = {
    name
    for name, value in vars(exceptions).items()
    if isinstance(value, type) and issubclass(value, exceptions.CostTrackError)
}


def test_all_names_the_promised_functions_and_every_error() -> None:
    assert set(costtrack.__all__) == PROMISED | ERRORS
    assert costtrack.__all__ == sorted(costtrack.__all__)


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_promised_name_is_the_function_of_its_module(name: str) -> None:
    function = getattr(costtrack, name)
    assert (function.__name__, callable(function)) == (name, True)
    assert getattr(importlib.import_module(function.__module__), name) is function
    assert function.__doc__


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_an_error_is_the_class_of_the_exceptions_module(name: str) -> None:
    assert getattr(costtrack, name) is getattr(exceptions, name)


def test_editors_and_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(costtrack.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert set(seen) == set(costtrack.__all__)
    for name, module in seen.items():
        assert getattr(importlib.import_module(str(module)), name) is getattr(costtrack, name)


def test_dir_lists_them_and_an_unknown_name_is_an_attribute_error() -> None:
    assert set(costtrack.__all__) <= set(dir(costtrack))
    assert "__version__" in dir(costtrack)
    with pytest.raises(AttributeError, match="module 'costtrack' has no attribute 'track'"):
        costtrack.track  # noqa: B018
