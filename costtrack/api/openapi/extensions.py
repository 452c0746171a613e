"""What costtrack brings to drf-spectacular: how its views are described, and its keys. Imported once apps are ready."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
from rest_framework.views import APIView


class CostViewExtension(OpenApiViewExtension):
    """Describes each CostView by CostSchema, whatever the host's DEFAULT_SCHEMA_CLASS is."""

    target_class = "costtrack.api.base.CostView"
    match_subclasses = True

    def view_replacement(self) -> type[APIView]:
        """The view, with a schema of its own."""
        from costtrack.api.openapi.auto_schema import CostSchema

        view: type[APIView] = type(self.target.__name__, (self.target,), {"schema": CostSchema()})
        return view


class AgentKeyScheme(OpenApiAuthenticationExtension):
    """Keys as bearer tokens."""

    target_class = "costtrack.api.authentication.AgentKeyAuthentication"
    name = "costtrackKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """For the section `securitySchemes`."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ctk_...",
            "description": "A key of a program, made by `manage.py costtrack_key` or in the admin.",
        }
