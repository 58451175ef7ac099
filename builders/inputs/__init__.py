"""Inputs of a rebuild: fetched, kept in the vault by digest, and read as source trees.

Imports recipes, methods, locators, archives and `builders.core`.
"""
