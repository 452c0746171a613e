"""The recurring jobs: plain functions, which a command and a Celery task each call. Two runs at once are safe."""
