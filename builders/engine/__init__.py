"""The container engine: the only package that knows Docker.

Containers are created and started, never `run`: `creation` says what none of them may do, and
`life` sees one to its end.
"""

from builders.engine.engine import Engine, EngineFacts, Leftover

__all__ = ["Engine", "EngineFacts", "Leftover"]
