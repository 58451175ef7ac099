"""Recipes for Python wheels, inferred from the wheel and its source distribution."""
