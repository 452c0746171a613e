"""The REST API of costs. Include `costtrack.api.urls` wherever the host wants it, say under `api/costs/`."""
