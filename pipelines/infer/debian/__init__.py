"""Recipes for Debian source packages, inferred from the signed lists of their suite.

Imports the modules of `infer` above this folder and what they import, and nothing of `wheel`.
"""
