"""Updates: whether a shipped delta makes our target of its base, and whether a manifest is right.

Deltas are applied in the jail. Its trusted client hashes what they gave, and compares that with the
target that was rebuilt. Imports what the judge does.
"""
