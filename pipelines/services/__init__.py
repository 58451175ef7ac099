"""The services of a center: its Prefect server, signer and workers, in the foreground or started.

Imports of flows their server alone, since Prefect starts the flows, and all from nightly down.
"""
