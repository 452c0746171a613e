"""Which budgets the usage of an attribution counts in, and how subjects are written for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import Q

from costtrack.domain.budget_rules import SEPARATOR, TEXT_SCOPE, BudgetRule, Facts, Per
from costtrack.domain.events import Attribution
from costtrack.metering.ledger.owners import project_slug
from costtrack.models import Agent, Budget, Organization, Project

OF_THE_CALL = ("endpoint", "provider", "model", "resource_type")
"""What each call says for itself: where an attribution does not, any value is possible."""
LONGEST_SLUG = 100
"""Of a project or agent."""
Slugs = Mapping[str, str]
"""`project`, or `project` and `agent`, each with its slug."""


def facts_of_attribution(attribution: Attribution, *, organization: Organization, using: str) -> Facts:
    """What budgets can be about, of the calls of an attribution (at most two queries); "" and None: not said."""
    facts: dict[str, object] = {name: getattr(attribution, name, "") for name in TEXT_SCOPE}
    project_id = agent_id = None
    if slug := project_slug(attribution):
        projects = Project.objects.using(using).filter(organization=organization, slug=slug)
        project_id = projects.values_list("id", flat=True).first()
        if attribution.agent and project_id is not None:
            agents = Agent.objects.using(using).filter(project=project_id, slug=attribution.agent)
            agent_id = agents.values_list("id", flat=True).first()
    return {**facts, "project_id": project_id, "agent_id": agent_id}


def may_count(rule: BudgetRule, facts: Facts) -> bool:
    """Whether calls of these facts count in the budget, or could: a budget of one model counts calls of that model."""
    fits = (facts[name] == value or (name in OF_THE_CALL and not facts[name]) for name, value in rule.scope)
    return all(fits) and rule.subject(facts) is not None


def has_subject(rule: BudgetRule, subject: str) -> bool:
    """Whether a text is the subject of a counter that the budget can have."""
    try:
        facts = rule.subject_facts(subject)
    except ValueError:
        return False
    scope = dict(rule.scope)
    is_within = all(value and scope.get(name, value) == value for name, value in facts.items())
    return is_within and bool(subject) is (rule.per is not Per.WHOLE)


def subjects_written(budgets: Sequence[Budget], text: str, *, using: str) -> list[tuple[Budget, str]]:
    """The subjects that are written so for people, with the budgets that can have them (at most two queries)."""
    kind, _, key = text.partition(" ")
    as_stored = {Per.THREAD: text, Per.CUSTOMER: text, Per.ENTITY: f"{kind}{SEPARATOR}{key}"}
    owners = {budget.organization_id for budget in budgets if budget.per in (Per.PROJECT, Per.AGENT)}
    projects = dict(
        Project.objects.using(using).filter(organization__in=owners, slug=text).values_list("organization_id", "id")
    )
    agents = _agents_written(text, organizations=owners, using=using)
    found: list[tuple[Budget, str]] = []
    for budget in budgets:
        per = Per(budget.per)
        if per in as_stored:
            found.append((budget, as_stored[per]))
        elif per is Per.PROJECT and budget.organization_id in projects:
            found.append((budget, str(projects[budget.organization_id])))
        elif per is Per.AGENT:
            found += [
                (budget, str(agent.pk))
                for agent in agents
                if agent.project.organization_id == budget.organization_id
                and budget.project_id in (None, agent.project_id)
            ]
    return found


def _agents_written(text: str, *, organizations: Collection[int], using: str) -> list[Agent]:
    """The agents that are written so: `project/agent`, of which either may have slashes of its own."""
    is_written = Q()
    for place, character in enumerate(text):
        if character == "/" and 0 < place <= LONGEST_SLUG >= len(text) - place - 1:
            is_written |= Q(project__slug=text[:place], slug=text[place + 1 :])
    if not is_written or not organizations:
        return []
    rows = Agent.objects.using(using).filter(is_written, project__organization__in=organizations)
    return list(rows.select_related("project"))


def subject_owners(subjects: Iterable[tuple[BudgetRule, str]], *, using: str) -> Mapping[tuple[Per, str], Slugs]:
    """The `project` of subjects that are projects, `project` and `agent` of agents (at most two queries)."""
    ids: dict[Per, set[str]] = {Per.PROJECT: set(), Per.AGENT: set()}
    for rule, subject in subjects:
        if rule.per in ids:
            ids[rule.per].add(subject)
    found: dict[tuple[Per, str], Slugs] = {}
    if ids[Per.PROJECT]:
        projects = Project.objects.using(using).filter(id__in=ids[Per.PROJECT]).values_list("id", "slug")
        found |= {(Per.PROJECT, str(key)): {"project": slug} for key, slug in projects}
    if ids[Per.AGENT]:
        rows = Agent.objects.using(using).filter(id__in=ids[Per.AGENT]).values_list("id", "project__slug", "slug")
        found |= {(Per.AGENT, str(key)): {"project": project, "agent": slug} for key, project, slug in rows}
    return found


def subject_text(subject: str, owners: Slugs) -> str:
    """How it is written for people: an agent as `website/writer`, an entity as `job 42`."""
    return "/".join(owners.values()) or subject.replace(SEPARATOR, " ")
