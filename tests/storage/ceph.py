"""A real Ceph RADOS gateway for the tests, started once through `infra/object-store.sh`."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from pipelines.storage.s3 import PART
from pipelines.storage.s3client import connect
from pipelines.storage.s3settings import S3Place, S3Settings

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

KEY = "public/releases/v/p/1.0/center/run/report.json"
LARGE = (3 * PART) + 12_345
"""Bytes that take four parts."""
SCRIPT = Path(__file__).parents[2] / "infra/object-store.sh"
_numbers = itertools.count()


@dataclass
class Gateway:
    """A running gateway; `environment` is what a program needs to use it."""

    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        out = _script("start", self.folder, str(self.port), "memory").splitlines()
        self.environment = dict(line.split("=", 1) for line in out)

    def stop(self) -> None:
        _script("stop", self.folder)

    def kill(self) -> None:
        """Kill the gateway alone, as a crash would."""
        pid = int((self.folder / "rgw.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
            pass

    def client(self, **options: Any) -> S3Client:
        """Return a client of its own, for what the store must not do itself."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
            config=Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                **options,
            ),
        )

    def add_user(self, name: str, access: str, secret: str) -> None:
        command = ["radosgw-admin", "-c", str(self.folder / "ceph.conf"), "user", "create"]
        command += [f"--uid={name}", f"--display-name={name}"]
        command += [f"--access-key={access}", f"--secret-key={secret}"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _script(action: str, folder: Path, *rest: str) -> str:
    done = subprocess.run(
        ["bash", str(SCRIPT), action, str(folder), *rest],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    """Return a port that is free, as is the one above it."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@contextmanager
def running_gateway(folder: Path) -> Iterator[Gateway]:
    gateway = Gateway(folder, free_port())
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


def new_bucket(client: S3Client, *, lock: bool = False, versions: bool = False) -> str:
    """Make a bucket: plain, with versions, or with Object Lock (which brings versions)."""
    name = f"samebits-{next(_numbers)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
    if versions:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def settings(bucket: str, prefix: str = "", **more: Any) -> S3Settings:
    """Return a store with both parts in one place."""
    return S3Settings(url=f"s3://{bucket}/{prefix}", **more)


def broken(change: Callable[[Any], None]) -> Callable[[S3Place], S3Client]:
    """Connect as the store does, with one method of the client replaced."""

    def client(place: S3Place) -> S3Client:
        made = connect(place)
        change(made)
        return made

    return client
