"""The API as OpenAPI describes it: data beside data, one file per subject, and what drf-spectacular makes of them.

Only `extensions` and `auto_schema` import drf-spectacular, which is the extra `openapi`; the app does without.
"""
