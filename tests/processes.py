"""Which process of a test run takes which files of tests, and in which order.

A service that takes long to start is shared by all tests of one process, so the files that need it
go to the same one. What takes longest begins first, so that no process is last with a long file.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

_TOGETHER = {
    "center": (
        "tests/flows/test_automations.py",
        "tests/flows/test_center.py",
        "tests/flows/test_changed_file.py",
        "tests/flows/test_center_faults.py",
        "tests/flows/test_engine_faults.py",
    ),
    "store": ("tests/walks/test_operator.py", "tests/portal/test_site_in_s3.py", "tests/storage/"),
}
"""Files and folders that share a service: a center that stands, and an object store."""
_LONG = (
    *_TOGETHER["center"],
    *_TOGETHER["store"],
    "tests/walks/",
    "tests/flows/",
    "tests/verify/",
    "tests/browser/",
    "tests/builders/images/",
    "tests/infer/",
)
"""What takes long, the longest first; all other files take seconds."""


def place_in_order(nodeid: str) -> int:
    """Return the place of a test among all: the tests of one place keep the order they have."""
    found = (place for place, path in enumerate(_LONG) if nodeid.startswith(path))
    return next(found, len(_LONG))


class FilesTogether(LoadFileScheduling):  # type: ignore[misc]
    """Gives a process one file of tests after the other, or all files that share a service."""

    def _split_scope(self, nodeid: str) -> str:
        """Return what is given to one process as a whole."""
        for service, paths in _TOGETHER.items():
            if nodeid.startswith(paths):
                return service
        return nodeid.partition("::")[0]
