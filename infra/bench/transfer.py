"""One transfer in a process of its own, so that its memory is its own.

`python -m infra.bench.transfer WHAT BUCKET FILE [KEY]` prints one JSON document: seconds, and
the peak of resident memory above what the process had once it was connected.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from builders.core.digest import Digest, canonical_json, chunks, digest_file
from pipelines.storage.names import Visibility, cas
from pipelines.storage.s3 import S3Store
from pipelines.storage.s3settings import S3Settings

_RECORD = "public/bench/{:05d}.json"


def main(what: str, bucket: str, file: str, key: str = "") -> None:
    """Do one transfer and print its figures."""
    store = S3Store(S3Settings(url=f"s3://{bucket}"))
    store.capabilities()
    plain = boto3.client("s3")
    plain.head_bucket(Bucket=bucket)
    path = Path(file)
    # As in a run, whose outputs were hashed when they were taken from the container.
    digest = digest_file(path) if what == "up" else None
    actions: dict[str, Callable[[], Any]] = {
        "up": lambda: _up(store, digest, path),
        "down": lambda: _down(store, cas(Visibility.PRIVATE, Digest(key)), path),
        "plain-up": lambda: plain.upload_file(str(path), bucket, key),
        "plain-down": lambda: plain.download_file(bucket, key, str(path)),
        "put-records": lambda: _put_records(store, int(key)),
        "read-records": lambda: _read_records(store),
    }
    before = _resident("VmRSS:")
    start = time.perf_counter()
    result = actions[what]()
    seconds = time.perf_counter() - start
    above = max(0, _resident("VmHWM:") - before)
    sys.stdout.write(json.dumps({"seconds": seconds, "above_bytes": above, "result": result}))


def _up(store: S3Store, digest: Digest | None, path: Path) -> str:
    if digest is None:
        message = "no digest"
        raise ValueError(message)
    store.put_file(cas(Visibility.PRIVATE, digest), path)
    return digest.hex


def _down(store: S3Store, key: str, path: Path) -> None:
    with store.open(key) as stream, path.open("wb") as out:
        for piece in chunks(stream):
            out.write(piece)


def _put_records(store: S3Store, count: int) -> None:
    for number in range(count):
        store.put_record(_RECORD.format(number), canonical_json({"number": number}))


def _read_records(store: S3Store) -> int:
    """List and read in one pass; returns how many there were."""
    number = -1
    for number, key in enumerate(store.list("public/bench/")):
        if store.get(key, 1000) != canonical_json({"number": number}):
            raise AssertionError(key)
    return number + 1


def _resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) << 10
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
