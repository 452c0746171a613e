"""Faults on purpose: killed processes, a database that goes away, full disks, damaged files; no event is ever lost."""
