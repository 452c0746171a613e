"""The demo of `manage.py costtrack_demo`: two invented organizations whose traffic is metered as a host would."""
