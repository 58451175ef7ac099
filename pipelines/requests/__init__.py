"""Signed requests: a reviewer asks a center to verify one release now, and gets receipts.

Imports `verify` and what stands below it; no Prefect.
"""
