"""The services of a center: its Prefect server, signer and workers, in the foreground or started.

Imports flows by name alone, since Prefect starts them, and everything from nightly down.
"""
