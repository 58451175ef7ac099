"""From a recipe to sealed outputs.

Nothing in this package has seen, or can reach, the shipped bytes of the release under test: a
rebuild must be possible on a machine that cannot download them.
"""
