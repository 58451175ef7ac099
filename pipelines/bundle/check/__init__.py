"""Checking a bundle offline: bytes in, one step a check out. Reads no file, store or network."""

from pipelines.bundle.check.checker import CHECKS, check_bundle
from pipelines.bundle.check.opened import GivenFile, Trust
from pipelines.bundle.check.result import CheckResult, FileAnswer, Status, Step

__all__ = [
    "CHECKS",
    "CheckResult",
    "FileAnswer",
    "GivenFile",
    "Status",
    "Step",
    "Trust",
    "check_bundle",
]
