"""The container engine: the only package that uses Docker.

Imports `builders.container` and `builders.core`. Containers are created and started, never `run`:
`create` defines what no container may do, and `run` starts one and waits for its end.
"""

from builders.engine.engine import Engine, EngineInfo, LabelledContainer

__all__ = ["Engine", "EngineInfo", "LabelledContainer"]
