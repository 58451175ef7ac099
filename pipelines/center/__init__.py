"""A center: its file, keys, policy, logs, and where its data is stored.

Imports consensus, bundle and what is below them; no signer and no engine.
"""
