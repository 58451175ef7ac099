"""The deployments of a center, brought up to date when its file has changed.

Schedules and limits are in Prefect, where `samebits center deploy` puts them. It is called as a
process of its own: whoever deploys needs another environment than a flow run has.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.center.reload import CenterReader, deployed_digest, file_digest

EVERY = 10.0
"""Seconds between two looks at the file."""
_SECONDS = 180
_LOG = logging.getLogger("samebits")


@contextmanager
def redeploying(reader: CenterReader) -> Iterator[None]:
    """Deploy in a thread whenever the file of a center has changed and can be used.

    What fails is tried again at the next look.
    """
    over, deployed = threading.Event(), deployed_digest(reader.current())

    def watch() -> None:
        nonlocal deployed
        while not over.wait(EVERY):
            center = reader.current()
            now = file_digest(center)
            if reader.fault is None and now != deployed and deploy(str(center.file)):
                deployed = now

    threading.Thread(target=watch, name="samebits-redeploy", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def deploy(file: str) -> bool:
    """Bring the deployments of a center up to date; say whether that was done, and log why not."""
    command = [sys.executable, "-m", "pipelines.cli", "center", "deploy", "--center", file]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.CalledProcessError as error:
        _LOG.error("the deployments were not brought up to date: %s", error.stderr.strip()[-500:])
    except (OSError, subprocess.TimeoutExpired) as error:
        _LOG.error("the deployments were not brought up to date: %s", error)
    else:
        return True
    return False
