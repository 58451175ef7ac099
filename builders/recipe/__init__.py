"""Recipes: parsed, validated, and reduced to the claim that they make.

Imports methods, locators and `builders.core`.
"""
