"""What lets a third party repeat the judgement: records, and the store that keeps them."""

from pipelines.evidence.directory import DirectoryStore
from pipelines.evidence.keys import Visibility
from pipelines.evidence.records import DamagedRun, RunName, RunSummary, find_run, read_report, runs
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.store import DamagedError, Store, TooLargeError, Version

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
