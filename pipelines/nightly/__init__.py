"""What a center does by itself: its nights, and joining, witnessing and heartbeats between them.

Imports `verify` and what stands below it; no Prefect.
"""
