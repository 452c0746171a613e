"""Who may see and do what: the one place that API, admin and dashboard ask."""
