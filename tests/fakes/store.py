"""A store in memory that implements the production interface and can be told to fail."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import BinaryIO, Literal

from builders.core.digest import Digest
from builders.core.errors import StoreError
from pipelines.storage import names
from pipelines.storage.names import Visibility
from pipelines.storage.store import (
    check_content,
    check_limit,
    check_size,
    conflict,
    not_found,
    opened_source,
)

Operation = Literal["has", "open", "get", "put", "list", "remove"]


@dataclass
class _Fault:
    after: int
    times: int
    lost_reply: bool
    error: BaseException


class _Download(io.BytesIO):
    """A stream that is read once from its start to its end, as one from S3 is."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation("File or stream is not seekable.")


class MemoryStore:
    """Objects in a dict of versions, oldest first."""

    def __init__(self) -> None:
        self.objects: dict[str, list[bytes]] = {}
        self.calls: list[tuple[Operation, str]] = []
        self._faults: dict[Operation, _Fault] = {}
        self._lock = RLock()

    def fail_on(
        self,
        operation: Operation,
        *,
        after: int = 0,
        times: int = 1_000_000,
        lost_reply: bool = False,
        error: BaseException | None = None,
    ) -> None:
        """Let `after` calls pass, then fail `times` calls; a lost reply fails after its effect."""
        what = error or StoreError("the store is out of order", got=f"a fault in {operation}")
        self._faults[operation] = _Fault(after, times, lost_reply, what)

    def heal(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def overwrite(self, key: str, data: bytes) -> None:
        """Add a newer version, as somebody with write access to a bucket could."""
        self.objects.setdefault(key, []).append(data)

    def has(self, key: str) -> bool:
        self._call("has", names.check_key(key))
        return key in self.objects

    def open(self, key: str) -> BinaryIO:
        self._call("open", names.check_key(key))
        return _Download(self._truth(key))

    def get(self, key: str, limit: int) -> bytes:
        self._call("get", names.check_key(key))
        data = self._truth(key)
        check_limit(key, len(data), limit)
        if names.content_digest(key):
            check_content(key, Digest.of(data))
        return data

    def list(self, prefix: str) -> Iterator[str]:
        self._call("list", names.check_prefix(prefix))
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))

    def put_file(self, key: str, path: Path) -> None:
        names.check_immutable(key)
        with opened_source(path) as stream:
            data = stream.read()
        with self._lock:
            if key in self.objects:
                check_size(key, len(self._truth(key)), len(data))
            else:
                check_content(key, Digest.of(data))
            self._create(key, data)

    def put_cas(self, visibility: Visibility, content: Path | bytes) -> Digest:
        if isinstance(content, Path):
            with opened_source(content) as stream:
                content = stream.read()
        digest = Digest.of(content)
        key = names.cas(visibility, digest)
        with self._lock:
            self._create(key, content)
            check_size(key, len(self._truth(key)), len(content))
        return digest

    def put_record(self, key: str, data: bytes) -> None:
        names.check_immutable(key)
        with self._lock:
            self._create(key, data)
            there = self._truth(key)
        if there != data:
            raise conflict(key, got=f"sha256 {Digest.of(there)}", expected=Digest.of(data).hex)

    def put_latest(self, key: str, data: bytes) -> None:
        names.check_mutable(key)
        with self._lock:
            self._write(key, lambda: self.overwrite(key, data))

    def remove(self, key: str) -> None:
        self._call("remove", names.check_removable(key))
        self.objects.pop(key, None)

    def sweep(self) -> int:
        return 0

    def _create(self, key: str, data: bytes) -> None:
        self._write(key, lambda: self.objects.setdefault(key, [data]))

    def _write(self, key: str, effect: Callable[[], object]) -> None:
        fault = self._faults.get("put")
        if fault is None or fault.after > 0 or not fault.lost_reply:
            self._call("put", key)
            effect()
        else:
            effect()
            self._call("put", key)

    def _truth(self, key: str) -> bytes:
        if key not in self.objects:
            raise not_found(key)
        return self.objects[key][-1 if names.is_mutable(key) else 0]

    def _call(self, operation: Operation, key: str) -> None:
        with self._lock:
            self.calls.append((operation, key))
            fault = self._faults.get(operation)
            if fault is None:
                return
            if fault.after > 0:
                fault.after -= 1
            elif fault.times > 0:
                fault.times -= 1
                raise fault.error
