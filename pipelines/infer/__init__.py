"""Infers the recipe of a release from its shipped files and its source, by trial rebuilds.

Imports `verify`, `explain`, `judge` and `evidence`, and the builders.
"""

from pipelines.infer.inference import infer_release, read_record
from pipelines.infer.journal import SearchJournal
from pipelines.infer.search import SearchLimits
from pipelines.infer.target import Target
from pipelines.infer.wheel.distributions import files_on_disk, find_release
from pipelines.infer.wheel.search import infer_wheel

__all__ = [
    "SearchJournal",
    "SearchLimits",
    "Target",
    "files_on_disk",
    "find_release",
    "infer_release",
    "infer_wheel",
    "read_record",
]
