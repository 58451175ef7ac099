"""Recipes that write themselves: from a shipped file and its source to the build that made it."""

from pipelines.infer.release import infer_release, record_of
from pipelines.infer.trail import Trail
from pipelines.infer.wheel.search import Limits, infer
from pipelines.infer.wheel.target import Target, files_on_disk, find_release

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
