"""The real engine does not do all that it was asked for: no build begins."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docker.types import Mount as DockerMount

from builders.container.spec import ContainerLimits, ContainerSpec, Mount
from builders.core.errors import EngineError
from builders.images.provide import ProvidedImage
from pipelines.verify.session import Session
from tests.lab import Lab

LACKS: dict[str, tuple[dict[str, Any], str]] = {
    "no-new-privileges": ({"security_opt": []}, "NoNewPrivs; got 0; expected 1"),
    "bounding set": ({"cap_add": ["NET_RAW"]}, "CapBnd; got 0000000000002000"),
    "network": ({"network_mode": "host"}, "net namespace; got that of this machine"),
    "read-only root": ({"read_only": False}, "mount /; got rw; expected ro"),
    "volume": (
        {"mounts": [DockerMount("/data", None, type="volume")]},
        "mount /data; got a writable",
    ),
}


@pytest.mark.parametrize("lack", LACKS)
def test_a_run_under_an_engine_without_it_is_refused(
    session: Session,
    build_image: ProvidedImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lack: str,
) -> None:
    lab = Lab(session, build_image, tmp_path)
    tmp_path.chmod(0o755)
    os.mkfifo(tmp_path / "gate")
    changed, words = LACKS[lack]
    make: Callable[..., Any] = session.engine._api.create_host_config

    def create(**options: Any) -> Any:
        mounts = [*options["mounts"], *changed.get("mounts", ())]
        return make(**{**options, **changed, "mounts": mounts})

    monkeypatch.setattr(session.engine._api, "create_host_config", create)
    spec = ContainerSpec(
        image=build_image.reference,
        command=("/bin/sh", "-ec", "read -r word < /samebits/gate; echo began"),
        environment={"PATH": "/usr/bin:/bin"},
        hostname="builder",
        workdir="/",
        mounts=(Mount(source=tmp_path, target="/samebits"),),
        limits=ContainerLimits(cpus=1, memory=64 << 20, pids=32, seconds=60),
        labels=lab.labels(),
        gate=tmp_path / "gate",
    )
    with pytest.raises(EngineError, match=words):
        session.engine.run(spec, log=tmp_path / "log", cancelled=lab.cancelled)
    assert (tmp_path / "log").read_bytes() == b""
    lab.assert_nothing_left()
