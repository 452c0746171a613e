"""Who may see what: the one place that API, admin and dashboard ask."""
