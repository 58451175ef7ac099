"""Recipes of the method `script`: the environment in which a vendor's own build made its files.

Imports the search and what all kinds of release share.
"""
