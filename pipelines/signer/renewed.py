"""The signer of a center whose file may change while it runs: made anew when that happens."""

from __future__ import annotations

import threading
from collections.abc import Callable

from builders.core.errors import SamebitsError
from pipelines.center.center import Center
from pipelines.evidence.dsse import Envelope
from pipelines.log.signers import CheckpointSigner
from pipelines.signer.local_signer import LocalSigner
from pipelines.signer.orders import Evidence, StatusOrder


class RenewedSigner:
    """Signs as a `LocalSigner` of the center as it is now.

    Where none can be made of a changed file, the one before goes on.
    """

    def __init__(
        self,
        current: Callable[[], Center],
        make: Callable[[Center], LocalSigner],
        log: Callable[[str], None],
    ) -> None:
        """Make the first signer; `current` returns the same object while nothing has changed.

        `make` raises `SamebitsError` for a center that it cannot make a signer of.
        """
        self._current, self._make, self._log = current, make, log
        self._lock = threading.Lock()
        self._center = current()
        self._signer = make(self._center)

    @property
    def log(self) -> CheckpointSigner:
        """The signer of the log."""
        return self._renewed().log

    def sign(self, evidence: Evidence) -> list[Envelope]:
        """Return the signed statements of a run; raises `RefusedError` for false evidence."""
        return self._renewed().sign(evidence)

    def sign_status(self, order: StatusOrder) -> Envelope:
        """Return a signed statement of what the center states about itself."""
        return self._renewed().sign_status(order)

    def _renewed(self) -> LocalSigner:
        with self._lock:
            center = self._current()
            if center is not self._center:
                self._center = center
                try:
                    self._signer = self._make(center)
                    self._log("the changed center file is in use")
                except SamebitsError as error:
                    self._log(
                        f"the changed center file cannot be used, and changes nothing: {error}"
                    )
            return self._signer
