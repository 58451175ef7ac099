"""Recipes for Debian source packages, inferred from the signed lists of their suite."""
