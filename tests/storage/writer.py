"""A process of its own that writes: `writer STORE record KEY TEXT` or `writer STORE file PATH`."""

from __future__ import annotations

import sys
from pathlib import Path

from builders.core.errors import StoreConflictError
from pipelines.storage.names import Visibility
from pipelines.storage.opening import open_store


def main(root: str, what: str, *rest: str) -> int:
    store = open_store(root)
    if what == "file":
        store.put_cas(Visibility.PRIVATE, Path(rest[0]))
        return 0
    key, text = rest
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        store.put_record(key, text.encode())
    except StoreConflictError:
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
