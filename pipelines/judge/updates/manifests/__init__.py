"""Manifests of updates, as their readers in the jail return them.

What they say is compared with our bytes elsewhere. Imports signatures and the faults of updates.
"""
