"""The configuration, keys, local policy and logs of one center.

Imports `consensus`, `bundle` and the packages below them; not the signer and not the engine.
"""
