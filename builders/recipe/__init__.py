"""Recipes: read from YAML, validated, and reduced to the claim that they make.

Imports methods, preload, locators and `builders.core`.
"""
