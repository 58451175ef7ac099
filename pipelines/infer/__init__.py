"""Infers the recipe of a release from its shipped files and its source, by trial rebuilds.

Imports `verify`, `explain`, `judge` and `evidence`, and the builders.
"""
