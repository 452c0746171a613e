from __future__ import annotations

from costtrack.extraction.spans import attribution_of
from tests.extraction.spans.spans import make_span


def test_costtracks_own_attributes_say_every_field_the_span_over_its_resource() -> None:
    found = attribution_of(
        make_span(
            attributes={
                "costtrack.project": "website",
                "costtrack.sprint": "s-7",
                "costtrack.entity_type": "job",
                "costtrack.entity_id": 42,
                "costtrack.tags.team": "search",
                "costtrack.nothing": "known",
                "costtrack.run": "",
            },
            resource={"costtrack.organization": "acme", "costtrack.project": "other", "costtrack.tags.tier": "gold"},
        )
    )
    assert found.said == {
        "organization": "acme",
        "project": "website",
        "sprint": "s-7",
        "entity_type": "job",
        "entity_id": "42",
    }
    assert found.tags == {"team": "search", "tier": "gold"}


def test_what_opentelemetry_knows_is_derived_where_nobody_says_it() -> None:
    found = attribution_of(
        make_span(
            attributes={
                "costtrack.agent": "writer",
                "gen_ai.agent.name": "other",
                "gen_ai.conversation.id": "t1",
                "session.id": "t2",
                "user.id": "u9",
                "enduser.id": "c5",
                "traceloop.workflow.name": "digest",
            },
            resource={"service.name": "website", "deployment.environment.name": "production"},
        )
    )
    assert found.said == {"agent": "writer"}
    assert found.derived == {
        "project": "website",
        "workflow": "digest",
        "thread_id": "t1",
        "user": "u9",
        "customer": "c5",
    }
    assert found.tags == {"environment": "production"}


def test_what_openllmetry_associates_is_derived() -> None:
    prefix = "traceloop.association.properties."
    found = attribution_of(make_span(attributes={f"{prefix}session_id": "t1", f"{prefix}user_id": 7}))
    assert found.derived == {"thread_id": "t1", "user": "7"}


def test_a_service_without_a_name_is_no_project() -> None:
    assert attribution_of(make_span(resource={"service.name": "unknown_service:python"})).derived == {}
