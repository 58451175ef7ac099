"""One rebuild of a recipe: plan, run in a container, collect outputs, seal them.

The top of `builders`: imports every other package of it.
"""
