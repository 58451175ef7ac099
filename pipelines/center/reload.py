"""The file of a center while its services run: an edited one counts at the next look.

A file that cannot be used changes nothing: the error goes to the log, and the center keeps its
settings. For flow runs, which are processes of their own, the last usable file is kept as a copy,
whose path the services hand on in the environment.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import SamebitsError, UsageError
from pipelines.center.center import Center, load_center
from pipelines.center.keys import policy_file
from pipelines.storage import files as durable

COPY = "SAMEBITS_CENTER_COPY"
"""The variable with the path of the copy."""
_FIXED = ("id", "home", "store", "signer", "prefect", "pool")
"""Fields of which a change counts from the next `center up` on."""
_LOG = logging.getLogger("samebits")


class CenterReader:
    """Reads the file of a center again whenever it has changed; safe with several threads."""

    def __init__(self, center: Center) -> None:
        """Begin with `center`, and read its file at the first look."""
        self._center, self._lock = center, threading.Lock()
        self._seen: Digest | None = None
        self.fault: str | None = None
        """Why the file as it is now cannot be used."""

    def current(self) -> Center:
        """Return the center by its newest usable file; the same object while nothing changed."""
        with self._lock:
            file, now = self._center.file, file_digest(self._center)
            if file is None or now == self._seen:
                return self._center
            self._seen = now
            try:
                new = _checked(load_center(file), self._center)
                self.fault = None
                if new != self._center:
                    self._center = new
                    _LOG.info("%s has changed, and is in use", file)
            except UsageError as error:
                self.fault = str(error)
                _log_fault(file, error)
            return self._center


def load_running(path: Path | None) -> Center:
    """Return the center of a flow run: by its file, or by the last usable copy of that.

    Raises `RecipeError` where there is neither.
    """
    copy = Path(os.environ[COPY]) if os.environ.get(COPY) else None
    before = None
    if path is None or copy is None:
        return load_center(path)
    if copy.is_file():
        before = load_center(copy, stands_for=path)
    try:
        center = _checked(load_center(path), before)
    except UsageError as error:
        if before is None:
            raise
        _log_fault(path, error)
        return before
    keep_copy(center)
    return center


def check_takeover(center: Center) -> None:
    """Refuse a file that services begun with an earlier one cannot take over; `UsageError`."""
    copy = copy_of(center)
    if center.file is not None and copy.is_file():
        _check_fixed(center, load_center(copy, stands_for=center.file))


def copy_of(center: Center) -> Path:
    """Return where the copy of a center's file is kept."""
    return center.home / "standing" / "center.yaml"


def note_deployed(center: Center) -> None:
    """Note that the deployments are those of the center's file as it is now."""
    durable.replace(_deployed(center), str(file_digest(center)).encode())


def deployed_digest(center: Center) -> Digest | None:
    """Return the digest of the file that was deployed last; None where that is not known."""
    try:
        return Digest(_deployed(center).read_text())
    except (OSError, ValueError):
        return None


def file_digest(center: Center) -> Digest | None:
    """Return the digest of a center's file; None for a center without one that can be read."""
    try:
        return None if center.file is None else Digest.of(center.file.read_bytes())
    except OSError:
        return None


def _checked(new: Center, old: Center | None) -> Center:
    """Return `new`, which may follow `old`; raises `UsageError` for what cannot be used so."""
    policy_file(new)
    if old is not None:
        _check_fixed(new, old)
    return new


def _check_fixed(new: Center, old: Center) -> None:
    changed = [name for name in _FIXED if getattr(new, name) != getattr(old, name)]
    if changed:
        raise UsageError(
            "services that run cannot take over this change",
            got=f"another {', '.join(changed)}",
            expected="the same as when they were started",
            todo="`samebits center down` with the file as it was, then `samebits center up`",
        )


def keep_copy(center: Center) -> None:
    """Keep a copy of the file that a center was read from, for `load_running`.

    The file may have been edited since: what cannot be used is never kept.
    """
    if center.file is None:
        return
    copy = copy_of(center)
    try:
        data = center.file.read_bytes()
        if copy.is_file() and copy.read_bytes() == data:
            return
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=copy.parent, prefix=".center-") as new:
            new.write(data)
            new.flush()
            _checked(load_center(Path(new.name), stands_for=center.file), None)
        durable.replace(copy, data)
    except (OSError, SamebitsError) as error:
        _LOG.warning("no copy of %s could be kept: %s", center.file, error)


def _deployed(center: Center) -> Path:
    return center.home / "standing" / "deployed"


def _log_fault(file: Path, error: UsageError) -> None:
    _LOG.error("%s cannot be used, and the center keeps its settings: %s", file, error)
