"""The S3 store beside plain boto3: the same file, the same server, in turn."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from builders.core.digest import CHUNK
from builders.core.errors import InfrastructureError
from infra.bench.show import spread
from pipelines.storage.s3client import connect
from pipelines.storage.s3settings import S3Place

_SCRIPT = Path(__file__).resolve().parents[2] / "infra/object-store.sh"


def measure(size: int, *, records: int, pairs: int) -> dict[str, Any]:
    """Return seconds, memory and ratios for an object of `size` bytes and `records` small ones.

    The server is the one that AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL names, else a gateway of its
    own, in memory, that lives as long as the measurement. Raises `InfrastructureError`.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        folder = Path(name)
        with _server(folder), _bucket() as bucket:
            rounds = [_round(bucket, folder, size, turn) for turn in range(pairs)]
            put = _transfer("put-records", bucket, folder, str(records))
            read = _transfer("read-records", bucket, folder)
    return {
        "bytes": size,
        "pairs": pairs,
        "up": _figures(rounds, "up"),
        "down": _figures(rounds, "down"),
        "records": {
            "count": read["result"],
            "put_seconds": round(put["seconds"], 1),
            "put_above_mib": _mib(put["above_bytes"]),
            "list_and_read_seconds": round(read["seconds"], 1),
            "list_and_read_above_mib": _mib(read["above_bytes"]),
        },
    }


def _round(bucket: str, folder: Path, size: int, turn: int) -> dict[str, dict[str, Any]]:
    """Send and fetch one file of new bytes, ours and plain; who is first changes with each turn."""
    path, back = folder / "up", folder / "down"
    with path.open("wb") as out:
        for _ in range(0, size, CHUNK):
            out.write(os.urandom(CHUNK))
        os.fsync(out.fileno())  # or the first transfer would share the disk with it
    done: dict[str, dict[str, Any]] = {}
    for way in ("up", "down"):
        for who in (("", "plain-"), ("plain-", ""))[turn % 2]:
            name = "plain" if who or way == "up" else done["up"]["result"]
            done[who + way] = _transfer(who + way, bucket, path if way == "up" else back, name)
    path.unlink()
    back.unlink()
    _empty(bucket)
    return done


def _figures(rounds: list[dict[str, dict[str, Any]]], way: str) -> dict[str, Any]:
    ours = [done[way]["seconds"] for done in rounds]
    plain = [done[f"plain-{way}"]["seconds"] for done in rounds]
    return {
        "samebits_seconds": spread(ours),
        "boto3_seconds": spread(plain),
        "speed_ratio": round(median(p / o for o, p in zip(ours, plain, strict=True)), 3),
        "samebits_above_mib": max(_mib(done[way]["above_bytes"]) for done in rounds),
        "boto3_above_mib": max(_mib(done[f"plain-{way}"]["above_bytes"]) for done in rounds),
    }


def _transfer(what: str, bucket: str, path: Path, *rest: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "infra.bench.transfer", what, bucket, str(path), *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InfrastructureError(f"the transfer `{what}` failed", got=done.stderr[-300:])
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@contextmanager
def _server(folder: Path) -> Iterator[None]:
    """Make sure that the environment names a server."""
    if os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        yield
        return
    home = folder / "server"
    before = dict(os.environ)
    try:
        for line in _script("start", str(home), str(_free_port()), "memory").splitlines():
            name, _, value = line.partition("=")
            os.environ[name] = value
        yield
    finally:
        _script("stop", str(home))
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _bucket() -> Iterator[str]:
    """Make a bucket, and take it away with all that is in it."""
    name = f"samebits-bench-{secrets.token_hex(6)}"
    client = connect(S3Place(bucket=name))
    client.create_bucket(Bucket=name)
    try:
        yield name
    finally:
        _empty(name)
        client.delete_bucket(Bucket=name)


def _empty(bucket: str) -> None:
    client = connect(S3Place(bucket=bucket))
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=entry["Key"])


def _script(*words: str) -> str:
    done = subprocess.run(
        ["/bin/bash", str(_SCRIPT), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InfrastructureError("the object store does not start", got=done.stderr[-300:])
    return done.stdout


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _mib(count: int) -> float:
    return round(count / (1 << 20), 1)
