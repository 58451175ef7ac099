"""The engine's interface: its description, its images, and the containers that it runs for us."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker.errors

from builders.container.spec import (
    LABEL_CENTER,
    LABEL_DEADLINE,
    LABEL_RUN,
    ContainerResult,
    ContainerSpec,
)
from builders.core.digest import Digest
from builders.core.errors import EngineError, ImageMismatchError, ImageUnavailableError
from builders.engine.container_run import ContainerRun
from builders.engine.create import created_container, remove_container
from builders.engine.docker_client import (
    ENGINE_ERRORS,
    HOW_TO_START,
    connect_client,
    engine_errors,
    error_text,
)

_NAMES = "samebits/"
"""With which the names of loaded images begin."""


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """The engine's description of itself."""

    version: str
    kernel: str
    cgroup: str
    cpus: int
    memory: int


@dataclass(frozen=True, kw_only=True)
class LabelledContainer:
    """A container with our labels."""

    id: str
    run: str
    deadline: datetime | None


@dataclass(frozen=True, kw_only=True)
class NamedImage:
    """An image that has a name of ours."""

    name: str
    """`samebits/<definition>:<the first 12 digits of its config digest>`."""
    size: int
    """Bytes of its layers."""


class Engine:
    """A connection to one Docker engine on this machine."""

    def __init__(self, api: Any, *, host: str | None = None) -> None:
        """Use a connection to `host`; see `connect`."""
        self._api = api  # docker-py's low-level client, half of which has no types
        self._host = host

    @classmethod
    def connect(cls, host: str | None = None) -> Engine:
        """Connect to the engine at `host`, by default that of DOCKER_HOST or the usual socket.

        Raises `EngineError`.
        """
        try:
            api = connect_client(host)
            api.ping()
        except ENGINE_ERRORS as error:
            raise EngineError(
                "no container engine answers", got=error_text(error), todo=HOW_TO_START
            ) from error
        return cls(api, host=host)

    def close(self) -> None:
        """Close the connection."""
        self._api.close()

    def info(self) -> EngineInfo:
        """Return the engine's description of itself."""
        with engine_errors("the engine does not describe itself"):
            info = self._api.info()
        return EngineInfo(
            version=str(info["ServerVersion"]),
            kernel=str(info["KernelVersion"]),
            cgroup=f"v{info.get('CgroupVersion', '1')} {info.get('CgroupDriver', '?')}",
            cpus=int(info["NCPU"]),
            memory=int(info["MemTotal"]),
        )

    def has_image(self, reference: str) -> bool:
        """Say whether the engine has the image with this id or `name@sha256:` reference."""
        with engine_errors("the engine does not answer about images"):
            try:
                self._api.inspect_image(reference)
            except docker.errors.ImageNotFound:
                return False
        return True

    def load(
        self, tar: Path, *, ids: tuple[Digest, ...], layers: tuple[Digest, ...], name: str
    ) -> str:
        """Load an image and return its id, which must be one of `ids`.

        It gets the name `samebits/<name>`, so that `docker image prune` keeps it; only the id is
        ever used. Up to version 28, Docker's id is the config digest; later it is the manifest
        digest. Raises `ImageMismatchError` if the engine has another image afterwards.
        """
        with engine_errors("the engine does not load the image"), tar.open("rb") as stream:
            for line in self._api.load_image(stream):
                if "error" in line:
                    raise ImageUnavailableError("the engine refused the image", got=line["error"])
        for image_id in (f"sha256:{d}" for d in ids):
            if self.has_image(image_id):
                with engine_errors("the engine does not describe the image"):
                    got = tuple(self._api.inspect_image(image_id)["RootFS"]["Layers"])
                wanted = tuple(f"sha256:{d}" for d in layers)
                if got == wanted:
                    with engine_errors("the engine does not name the image"):
                        self._api.tag(image_id, f"{_NAMES}{name}", tag=ids[0].hex[:12])
                    return image_id
                raise ImageMismatchError(
                    "the loaded image has other layers", got=got, expected=wanted
                )
        raise ImageMismatchError(
            "the engine shows the loaded image under no known id",
            expected=" or ".join(map(str, ids)),
        )

    def named_images(self) -> list[NamedImage]:
        """Return the images that `load` has named, in order of their names."""
        with engine_errors("the engine does not list images", todo=HOW_TO_START):
            images = self._api.images(filters={"reference": f"{_NAMES}*"})
        found = [
            NamedImage(name=str(name), size=int(image["Size"]))
            for image in images
            for name in image["RepoTags"] or ()
            if name.startswith(_NAMES)
        ]
        return sorted(found, key=lambda image: image.name)

    def remove_image(self, name: str) -> None:
        """Remove the name of an image, and the image with its last one; raises `EngineError`.

        An image in use by a container stays, and is an error.
        """
        with engine_errors(f"the engine does not remove the image {name}"):
            self._api.remove_image(name, noprune=False)

    def pull(self, reference: str) -> None:
        """Pull `name@sha256:...`; raises `ImageUnavailableError`."""
        name, _, digest = reference.partition("@")
        try:
            self._api.pull(name, tag=digest)
        except ENGINE_ERRORS as error:
            raise ImageUnavailableError(
                f"image {reference} cannot be pulled",
                got=error_text(error),
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

        Its output is written to `log`, up to the limit. `scratch` is the file system whose free
        space is sampled. Raises `EngineError` if the engine fails or a limit is not set.
        """
        with created_container(self._api, spec) as container:
            life = ContainerRun(self._api, self._host, container, spec)
            return life.to_end(log, cancelled=cancelled, scratch=scratch, clock=clock)

    def attach(self, spec: ContainerSpec, *, terminal: bool) -> int:
        """Run one container on the terminal of this process, or its standard streams; remove it.

        Returns the exit code of its first process. Raises `EngineError` if the engine fails or a
        limit is not set.
        """
        with created_container(self._api, spec, terminal=terminal, attached=True) as container:
            return ContainerRun(self._api, self._host, container, spec).attached()

    def containers(
        self, *, center: str | None = None, run: str | None = None
    ) -> list[LabelledContainer]:
        """List all containers with our labels, running or not."""
        wanted = [LABEL_RUN if run is None else f"{LABEL_RUN}={run}"]
        if center is not None:
            wanted.append(f"{LABEL_CENTER}={center}")
        with engine_errors("the engine does not list containers", todo=HOW_TO_START):
            found = self._api.containers(all=True, filters={"label": wanted})
        return [
            LabelledContainer(
                id=str(c["Id"]),
                run=c["Labels"].get(LABEL_RUN, ""),
                deadline=_time(c["Labels"].get(LABEL_DEADLINE, "")),
            )
            for c in found
        ]

    def remove(self, container: str) -> None:
        """Remove a container if it exists, running or not; raises `EngineError`."""
        remove_container(self._api, container)

    def sweep(self, run: str) -> int:
        """Remove all containers of a run, and return their number."""
        found = self.containers(run=run)
        for leftover in found:
            remove_container(self._api, leftover.id)
        return len(found)


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
