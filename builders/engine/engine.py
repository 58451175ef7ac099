"""The engine: what it is, the images that it holds, and the containers that it runs for us."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import docker.errors

from builders.container.container import (
    LABEL_CENTER,
    LABEL_DEADLINE,
    LABEL_RUN,
    ContainerResult,
    ContainerSpec,
)
from builders.core.digest import Digest
from builders.core.errors import EngineError, ImageMismatchError, ImageUnavailableError
from builders.engine.creation import created, remove
from builders.engine.daemon import ENGINE_FAULTS, HOW_TO_START, dial, faults, reason
from builders.engine.life import Life


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What the engine says of itself."""

    version: str
    kernel: str
    cgroup: str
    cpus: int
    memory: int


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A container that carries our labels."""

    id: str
    run: str
    center: str
    deadline: datetime | None


class Engine:
    """A connection to one Docker engine on this machine."""

    def __init__(self, api: Any, *, host: str | None = None) -> None:
        """Use a connection to `host` that was checked; see `connect`."""
        self._api = api  # docker-py's low-level client, half of which has no types
        self._host = host

    @classmethod
    def connect(cls, host: str | None = None) -> Engine:
        """Connect to the engine at `host`, by default that of DOCKER_HOST or the usual socket.

        Raises `EngineError`.
        """
        try:
            api = dial(host)
            api.ping()
        except ENGINE_FAULTS as error:
            raise EngineError(
                "no container engine answers", got=reason(error), todo=HOW_TO_START
            ) from error
        return cls(api, host=host)

    def close(self) -> None:
        """Close the connection."""
        self._api.close()

    def facts(self) -> EngineFacts:
        """Ask the engine what it is."""
        with faults("the engine does not describe itself"):
            info = self._api.info()
        return EngineFacts(
            version=str(info["ServerVersion"]),
            kernel=str(info["KernelVersion"]),
            cgroup=f"v{info.get('CgroupVersion', '1')} {info.get('CgroupDriver', '?')}",
            cpus=int(info["NCPU"]),
            memory=int(info["MemTotal"]),
        )

    def has_image(self, reference: str) -> bool:
        """Say whether the engine holds the image of that id or `name@sha256:` reference."""
        with faults("the engine does not answer about images"):
            try:
                self._api.inspect_image(reference)
            except docker.errors.ImageNotFound:
                return False
        return True

    def load(self, tar: Path, *, ids: tuple[Digest, ...], layers: tuple[Digest, ...]) -> str:
        """Load an image and return its id; `ids` are those it may have, by engine.

        Docker up to 28 shows the config digest as the id, later ones the manifest digest. Raises
        `ImageMismatchError` when the engine holds something else afterwards.
        """
        with faults("the engine does not load the image"), tar.open("rb") as stream:
            for line in self._api.load_image(stream):
                if "error" in line:
                    raise ImageUnavailableError("the engine refused the image", got=line["error"])
        for image_id in (f"sha256:{d}" for d in ids):
            if self.has_image(image_id):
                with faults("the engine does not describe the image"):
                    got = tuple(self._api.inspect_image(image_id)["RootFS"]["Layers"])
                wanted = tuple(f"sha256:{d}" for d in layers)
                if got == wanted:
                    return image_id
                raise ImageMismatchError(
                    "the loaded image has other layers", got=got, expected=wanted
                )
        raise ImageMismatchError(
            "the engine shows the loaded image under no known id",
            expected=" or ".join(map(str, ids)),
        )

    def pull(self, reference: str) -> None:
        """Pull `name@sha256:...`; raises `ImageUnavailableError`."""
        name, _, digest = reference.partition("@")
        try:
            self._api.pull(name, tag=digest)
        except ENGINE_FAULTS as error:
            raise ImageUnavailableError(
                f"image {reference} cannot be pulled",
                got=reason(error),
                todo="Load it into the engine, or use a definition in recipes/images",
            ) from error

    def run(
        self,
        spec: ContainerSpec,
        *,
        log: Path,
        cancelled: threading.Event,
        scratch: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> ContainerResult:
        """Run one container to its end and remove it.

        `log` receives what it prints, capped; `scratch` is watched for being full. Raises
        `EngineError` when the engine fails or a limit does not hold.
        """
        with self.created(spec) as container:
            life = Life(self._api, self._host, container, spec)
            return life.to_end(log, cancelled=cancelled, scratch=scratch, clock=clock)

    def created(
        self, spec: ContainerSpec, *, terminal: bool = False
    ) -> AbstractContextManager[str]:
        """Create a container and yield its id; it is removed on every path out."""
        return created(self._api, spec, terminal=terminal)

    def containers(self, *, center: str | None = None, run: str | None = None) -> list[Leftover]:
        """List every container with our labels, running or not."""
        wanted = [LABEL_RUN if run is None else f"{LABEL_RUN}={run}"]
        if center is not None:
            wanted.append(f"{LABEL_CENTER}={center}")
        with faults("the engine does not list containers", todo=HOW_TO_START):
            found = self._api.containers(all=True, filters={"label": wanted})
        return [
            Leftover(
                id=str(c["Id"]),
                run=c["Labels"].get(LABEL_RUN, ""),
                center=c["Labels"].get(LABEL_CENTER, ""),
                deadline=_time(c["Labels"].get(LABEL_DEADLINE, "")),
            )
            for c in found
        ]

    def sweep(self, run: str) -> int:
        """Remove every container of a run; returns how many there were."""
        found = self.containers(run=run)
        for leftover in found:
            remove(self._api, leftover.id)
        return len(found)


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
