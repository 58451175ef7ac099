"""Verdicts: what one center found for each artefact, and why.

Imports builders alone. Nothing here reaches an engine, a scheduler or the network: bytes come
through an opener, tools through a runner, and without one there is no explanation, never another
verdict.
"""
