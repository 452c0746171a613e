"""Budgets: matching, admission, holds and counters. The only writer of budgets, counters and holds."""
