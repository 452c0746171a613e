"""Organizations, projects and agents."""

from __future__ import annotations

from costtrack.api import agents, organizations, projects
from costtrack.api.openapi.columns import page, row
from costtrack.api.openapi.described import Operation

OPERATIONS = (
    Operation(
        view=organizations.OrganizationsView,
        id="list_organizations",
        tag="account",
        answers={200: page("OrganizationPage", row("Organization", organizations.COLUMNS), "The organizations.")},
    ),
    Operation(
        view=projects.ProjectsView,
        id="list_projects",
        tag="account",
        answers={200: page("ProjectPage", row("Project", projects.COLUMNS), "The projects, oldest first.")},
    ),
    Operation(
        view=agents.AgentsView,
        id="list_agents",
        tag="account",
        answers={200: page("AgentPage", row("Agent", agents.COLUMNS), "The agents, oldest first.")},
    ),
)
