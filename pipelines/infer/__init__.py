"""Recipes that write themselves: from a shipped file and its source to the build that made it."""

from pipelines.infer.release import infer_release, record_of
from pipelines.infer.search import Limits, infer
from pipelines.infer.target import Target, files_on_disk, find_release
from pipelines.infer.trail import Trail

__all__ = [
    "Limits",
    "Target",
    "Trail",
    "files_on_disk",
    "find_release",
    "infer",
    "infer_release",
    "record_of",
]
