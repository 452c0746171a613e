"""Alerts: thresholds of budgets and other findings, raised once each, delivered to channels, acknowledged by people."""
