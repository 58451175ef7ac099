"""What lets a third party repeat the judgement: records, and the store that keeps them.

Names are imported when they are first asked for: who only checks a bundle opens no store.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.evidence.records import (
        DamagedRun,
        RunName,
        RunSummary,
        find_run,
        read_report,
        runs,
    )
    from pipelines.evidence.release import ReleaseName
    from pipelines.storage.directory import DirectoryStore
    from pipelines.storage.names import Visibility
    from pipelines.storage.store import DamagedError, Store, TooLargeError, Version

__all__ = [
    "DamagedError",
    "DamagedRun",
    "DirectoryStore",
    "ReleaseName",
    "RunName",
    "RunSummary",
    "Store",
    "TooLargeError",
    "Version",
    "Visibility",
    "find_run",
    "read_report",
    "runs",
]

_MODULES = {
    "DirectoryStore": "directory",
    "ReleaseName": "release",
    "Visibility": "keys",
    **dict.fromkeys(("DamagedError", "Store", "TooLargeError", "Version"), "store"),
    **dict.fromkeys(
        ("DamagedRun", "RunName", "RunSummary", "find_run", "read_report", "runs"), "records"
    ),
}


def __getattr__(name: str) -> object:
    """Import the module of a name of ours."""
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
