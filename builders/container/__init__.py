"""What a container is made of, without an engine: specification, limits, cgroup files, scratch.

Imports `builders.core` only.
"""
