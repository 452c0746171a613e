"""Signals that costtrack sends to hosts, after commit."""
