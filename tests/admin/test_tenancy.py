"""Organizations, projects, agents and memberships: what may be changed, and what becomes of the used ones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django.test import Client

from costtrack.models import Agent, Membership, Organization, Project
from tests.admin.rows import adding, changing, deleting, form_of, listing, page

pytestmark = pytest.mark.django_db

NO_MEMBERS = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


def told(response: object) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))  # type: ignore[attr-defined]


def test_an_organization_is_created_with_its_people(browser: Client) -> None:
    person = get_user_model().objects.get()
    sent = {
        **{"slug": "acme", "name": "Acme", "timezone": "Europe/Berlin", "is_active": "on"},
        **{"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0"},
        **{"memberships-0-user": str(person.pk), "memberships-0-role": "manager"},
    }

    assert browser.post(adding("organization"), sent).status_code == 302

    assert Organization.objects.get().timezone == "Europe/Berlin"
    assert not Organization.objects.get().zones.exists()
    assert Membership.objects.get().role == "manager"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe/Berlin\x00", "x" * 65])
def test_a_time_zone_that_does_not_exist_is_a_form_error(browser: Client, acme: Organization, zone: str) -> None:
    sent = {"slug": "other", "name": "", "timezone": zone, "is_active": "on", **NO_MEMBERS}

    created = browser.post(adding("organization"), sent)
    changed = browser.post(changing(acme), form_of(browser, changing(acme), timezone=zone))

    assert "timezone" in created.context["adminform"].form.errors
    assert "timezone" in changed.context["adminform"].form.errors
    assert Organization.objects.get().timezone == "Europe/Berlin"


def test_a_new_time_zone_begins_at_the_next_midnight(browser: Client, acme: Organization) -> None:
    with time_machine.travel(datetime(2026, 3, 3, 12, tzinfo=UTC), tick=False):
        sent = form_of(browser, changing(acme), timezone="America/New_York", name="Acme Inc.")
        response = browser.post(changing(acme), sent)

    assert response.status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.timezone) == ("Acme Inc.", "America/New_York")
    # Midnight of March 4th in Berlin (UTC+1) is 23:00 UTC on the 3rd.
    assert list(acme.zones.values_list("timezone", "effective_from")) == [
        ("Europe/Berlin", None),
        ("America/New_York", datetime(2026, 3, 3, 23, tzinfo=UTC)),
    ]
    assert "follow America/New_York from 2026-03-03 23:00 UTC on" in told(response)
    assert "America/New_York from 2026-03-03 23:00:00+00:00" in page(browser, changing(acme))


def test_a_change_of_other_fields_leaves_the_zone_history_alone(browser: Client, acme: Organization) -> None:
    assert browser.post(changing(acme), form_of(browser, changing(acme), name="Other")).status_code == 302

    assert not acme.zones.exists()


def test_a_slug_that_is_taken_is_a_form_error(browser: Client, acme: Organization) -> None:
    response = browser.post(adding("organization"), {"slug": "acme", "timezone": "UTC", **NO_MEMBERS})

    assert "slug" in response.context["adminform"].form.errors


def test_slugs_and_owners_stay_once_they_exist(browser: Client, agent: Agent) -> None:
    other = Organization.objects.create(slug="other")
    project = agent.project
    for obj in (project.organization, project, agent):
        sent = form_of(browser, changing(obj), slug="renamed", organization=str(other.pk))
        assert browser.post(changing(obj), sent).status_code == 302

    assert list(Organization.objects.values_list("slug", flat=True)) == ["acme", "other"]
    assert Project.objects.get().organization.slug == "acme"
    assert (Project.objects.get().slug, Agent.objects.get().slug) == ("search", "planner")


def test_one_with_usage_cannot_be_deleted_and_says_why(browser: Client, agent: Agent) -> None:
    for obj in (agent, agent.project, agent.project.organization):
        assert deleting(obj) not in page(browser, changing(obj))
        for response in (browser.get(deleting(obj)), browser.post(deleting(obj), {"post": "yes"})):
            assert response.status_code == 302
            assert response.headers["Location"] == changing(obj)
            assert "Deactivate it instead" in told(response)

    assert Agent.objects.exists()


def test_one_without_usage_can_be_deleted(browser: Client, acme: Organization) -> None:
    project = acme.projects.create(slug="search")
    agent = project.agents.create(slug="planner")
    for obj in (agent, project, acme):
        assert deleting(obj) in page(browser, changing(obj))
        assert browser.post(deleting(obj), {"post": "yes"}).status_code == 302

    assert not Organization.objects.exists()


def test_an_organization_with_projects_is_not_deleted_with_them(browser: Client, acme: Organization) -> None:
    acme.projects.create(slug="search")

    response = browser.post(deleting(acme), {"post": "yes"})

    assert "would require deleting the following protected related objects" in response.content.decode()
    assert Project.objects.exists()


@pytest.mark.parametrize("model", ["organization", "project", "agent"])
def test_many_are_deactivated_and_activated_again_but_never_deleted_at_once(
    browser: Client, agent: Agent, model: str
) -> None:
    obj = {"organization": agent.project.organization, "project": agent.project, "agent": agent}[model]
    chosen = {"_selected_action": str(obj.pk)}

    assert 'value="delete_selected"' not in page(browser, listing(model))
    response = browser.post(listing(model), {"action": "deactivate", **chosen})
    obj.refresh_from_db()
    assert not obj.is_active
    assert "1 deactivated." in told(response)

    browser.post(listing(model), {"action": "activate", **chosen})
    obj.refresh_from_db()
    assert obj.is_active
    browser.post(listing(model), {"action": "delete_selected", "post": "yes", **chosen})
    obj.refresh_from_db()


def test_a_second_membership_of_one_person_is_a_form_error(browser: Client, acme: Organization) -> None:
    person = get_user_model().objects.get()
    sent = {"user": str(person.pk), "organization": str(acme.pk), "role": "viewer"}

    assert browser.post(adding("membership"), sent).status_code == 302
    assert browser.post(adding("membership"), sent).context["adminform"].form.errors
    assert Membership.objects.count() == 1
