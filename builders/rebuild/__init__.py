"""One rebuild of a recipe: plan it, run it in a container, collect the outputs, seal them.

The top package of `builders`: imports all the others.
"""
