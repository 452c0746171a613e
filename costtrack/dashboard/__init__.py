"""The dashboard: what is spent, by whom, what is coming, and what is about to be blocked; plain Django views."""
