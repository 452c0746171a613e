"""Recording plans: the only writer of CostPlan and PlannedWorkflow."""
