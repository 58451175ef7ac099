"""Imports what the commands import, before `tests.command` forks a process for each of them."""

import gc
import importlib
import pkgutil

import pipelines

_LATE = "pipelines.flows"
"""Imports Prefect, which reads its settings from the environment when it is imported."""

for module in pkgutil.walk_packages(pipelines.__path__, "pipelines."):
    if not module.name.startswith(_LATE) and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
gc.freeze()  # what is never collected is not copied into every process
