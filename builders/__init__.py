"""From a recipe to sealed outputs, on a machine that cannot reach the shipped bytes.

Imports nothing of `pipelines`. Nothing in this package has seen the shipped files of the release
under test: a rebuild must be possible without them.
"""
