"""The offline check of a bundle: bytes in, the result of each check out.

May import the audit, policy, the log and evidence; it reads no file, store or network. Whether a
statement counts is found out by the audit.
"""

from pipelines.bundle.check.checker import check_bundle
from pipelines.bundle.check.opened import GivenFile, Trust
from pipelines.bundle.check.result import CheckResult, CheckStatus

__all__ = ["CheckResult", "CheckStatus", "GivenFile", "Trust", "check_bundle"]
