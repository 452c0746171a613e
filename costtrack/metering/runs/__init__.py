"""Runs of usage: the only writer of UsageRun and RunWorkflow."""
