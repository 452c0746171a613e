"""The tables. Who may write which is said in each module; everyone else reads."""

from costtrack.models.alerts import AlertAction, BudgetAlert
from costtrack.models.budgets import Budget, BudgetChange
from costtrack.models.channels import AlertChannel
from costtrack.models.counters import BudgetCounter, Hold
from costtrack.models.deliveries import AlertDelivery, ReportDelivery, UsageDelivery
from costtrack.models.installation import Installation
from costtrack.models.jobs import JobRun
from costtrack.models.keys import AgentKey
from costtrack.models.leases import BudgetLease
from costtrack.models.ledger import ResourceUsage, UsageKey
from costtrack.models.plans import CostPlan, PlannedWorkflow
from costtrack.models.rates import Rate, RateTier
from costtrack.models.recommendations import FoundRecommendations
from costtrack.models.runs import RunStatus, RunWorkflow, UsageRun
from costtrack.models.severity import Severity
from costtrack.models.summaries import DailyCostSummary
from costtrack.models.tenancy import Agent, Membership, Organization, OrganizationZone, Project
from costtrack.models.thresholds import BudgetThreshold

__all__ = [
    "Agent",
    "AgentKey",
    "AlertAction",
    "AlertChannel",
    "AlertDelivery",
    "Budget",
    "BudgetAlert",
    "BudgetChange",
    "BudgetCounter",
    "BudgetLease",
    "BudgetThreshold",
    "CostPlan",
    "DailyCostSummary",
    "FoundRecommendations",
    "Hold",
    "Installation",
    "JobRun",
    "Membership",
    "Organization",
    "OrganizationZone",
    "PlannedWorkflow",
    "Project",
    "Rate",
    "RateTier",
    "ReportDelivery",
    "ResourceUsage",
    "RunStatus",
    "RunWorkflow",
    "Severity",
    "UsageDelivery",
    "UsageKey",
    "UsageRun",
]
