"""Recipes for Debian packages, inferred from the source package and the archive."""
