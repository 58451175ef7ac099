"""The signer as a process: a Unix socket, callers identified by uid, one thread a connection."""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from builders.core.errors import SamebitsError, UsageError
from builders.core.escaping import escaped
from pipelines.evidence.errors import EvidenceError, KeyFileError, SignerError
from pipelines.signer import wire
from pipelines.signer.local_signer import LocalSigner
from pipelines.signer.orders import (
    CheckpointOrder,
    Evidence,
    NewestOrder,
    Order,
    StatusOrder,
    TreeHead,
    read_order,
)
from pipelines.signer.renewed import RenewedSigner
from pipelines.signer.wire import SignerAnswer

MAX_CALLERS = 8
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_BACKLOG = 32
_POLL = 0.5  # seconds between checks of whether to stop


class SignerServer:
    """Answers callers on one socket until it is stopped."""

    def __init__(
        self,
        path: Path,
        signer: LocalSigner | RenewedSigner,
        *,
        uids: Collection[int],
        group: int | None = None,
        log: Callable[[str], None],
        seconds: float = wire.SECONDS,
    ) -> None:
        """Listen on `path`, which is made with mode 0600, or 0660 for the group id `group`.

        Only processes of `uids` are answered. `seconds` bounds each message. Raises `UsageError`.
        """
        self._signer = signer
        self._uids = frozenset(uids)
        self._log = log
        self._seconds = seconds
        self._slots = threading.BoundedSemaphore(MAX_CALLERS)
        self._path = path
        self._socket = _listen(path, group)
        self._socket.settimeout(_POLL)
        self._stopped = threading.Event()

    def serve(self) -> None:
        """Answer callers until `stop`."""
        while not self._stopped.is_set():
            if not self._slots.acquire(timeout=_POLL):
                continue
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                self._slots.release()
                continue
            except OSError:  # stopped meanwhile, or no descriptor is free
                self._slots.release()
                self._stopped.wait(_POLL)
                continue
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def stop(self) -> None:
        """Remove the socket and answer no more callers."""
        self._stopped.set()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection:
                if self._is_allowed(connection):
                    self._serve_connection(connection)
        except EvidenceError as error:
            self._log(str(error))
        finally:
            self._slots.release()

    def _is_allowed(self, connection: socket.socket) -> bool:
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(data)
        if uid not in self._uids:
            self._log(f"process {pid} of user id {uid} may not call; it was not answered")
            return False
        return True

    def _serve_connection(self, connection: socket.socket) -> None:
        """Answer one message after the other; a malformed one ends the connection."""
        while not self._stopped.is_set():
            try:
                message = wire.receive(connection, patience=self._seconds, seconds=self._seconds)
                if message is None:
                    return
                order = read_order(message)
            except SignerError:
                raise
            except EvidenceError as error:
                self._log(str(error))
                wire.send(connection, wire.refusal(error).to_bytes())
                return
            wire.send(connection, self._reply(order))

    def _reply(self, order: Order) -> bytes:
        subject = escaped(order.about())[:300]
        try:
            answer, done = self._execute(order)
        except KeyFileError as error:  # of the signer: a token that was unplugged comes back
            answer, done = SignerAnswer(fault=str(error)[:4000]), str(error)
        except EvidenceError as error:
            answer, done = wire.refusal(error), str(error)
        except SamebitsError as error:
            answer, done = SignerAnswer(fault=str(error)[:4000]), str(error)
        except Exception as error:  # noqa: BLE001  # every caller gets an answer
            name = type(error).__name__
            answer, done = SignerAnswer(fault=name), f"{name}: {error}"
        self._log(f"{subject}: {done}")
        return answer.to_bytes()

    def _execute(self, order: Order) -> tuple[SignerAnswer, str]:
        """Return the answer, and what was done, for the signer's messages."""
        match order:
            case Evidence():
                envelopes = tuple(self._signer.sign(order))
                return SignerAnswer(envelopes=envelopes), f"{len(envelopes)} statements signed"
            case StatusOrder():
                return SignerAnswer(envelopes=(self._signer.sign_status(order),)), "signed"
            case NewestOrder():
                newest = self._signer.log.newest()
                return SignerAnswer(newest=newest and TreeHead.of(newest)), "returned"
            case CheckpointOrder():
                signature = self._signer.log.sign(*order.checkpoints(self._signer.log.key.name))
                return SignerAnswer(signature=signature.hex()), "signed"


def _listen(path: Path, group: int | None) -> socket.socket:
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        listening.bind(str(path))
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(0o660)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"the signer cannot listen on {path}",
            got=error.strerror or error,
            expected="a path of at most 107 bytes in a folder of its own",
        ) from error
    finally:
        os.umask(mask)
    return listening


def _remove_stale(path: Path) -> None:
    """Remove the socket of a signer that died; one that answers, or anything else, stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"{path} is no socket", todo="Choose another path")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise UsageError(f"a signer listens on {path} already", todo="Stop that one first")
