"""How often Python looks for garbage."""

from __future__ import annotations

import atexit
import gc

_COLLECT_EVERY = 10_000
"""Objects; at Python's 700 the collector takes a tenth of the imports, which leave no garbage."""


def collect_rarely() -> None:
    """Let the collector of garbage run less often than by default, in all of this process.

    It does not run when the process ends: it would look through all modules twice, for 0.1 s, while
    the system is about to take back their memory.
    """
    gc.set_threshold(_COLLECT_EVERY)
    atexit.register(gc.freeze)
