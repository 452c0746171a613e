"""Metering where calls are made: one module per client library, none of which costtrack itself needs."""
