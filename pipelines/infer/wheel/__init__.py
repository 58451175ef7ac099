"""Recipes for Python wheels, inferred from the wheel and its source distribution.

Imports the modules of `infer` above this folder and what they import, and nothing of `debian`.
"""
