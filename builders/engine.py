"""The container engine: the only file that knows Docker.

Containers are created and started, never `run`; they have no network, a read-only root, no
capabilities and hard limits, which are verified in the kernel's own files before the first byte of
a recipe runs. Whatever happens, a container is removed before the call that made it returns.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
from docker.types import LogConfig
from docker.types import Mount as DockerMount
from docker.utils import kwargs_from_env
from docker.utils.socket import frames_iter

from builders.cgroup import Cgroup
from builders.container import (
    LABEL_CENTER,
    LABEL_DEADLINE,
    LABEL_RUN,
    ContainerResult,
    ContainerSpec,
    Ended,
)
from builders.digest import Digest
from builders.errors import EngineError, ImageMismatchError, ImageUnavailableError
from builders.watch import LogPump, Watch, open_gate

_POLL = 0.1
_GRACE = 10.0
_SPARE = timedelta(minutes=5)
_ENGINE_FAULTS = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)
_HOW_TO_START = "Start one: `bash infra/bootstrap.sh`, or set DOCKER_HOST"


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

    def __init__(self, api: Any) -> None:
        """Use a connection that was checked; see `connect`."""
        self._api = api  # docker-py's low-level client, half of which has no types

    @classmethod
    def connect(cls, host: str | None = None) -> Engine:
        """Connect to the engine at `host`, by default that of DOCKER_HOST or the usual socket.

        Raises `EngineError`.
        """
        try:
            options = kwargs_from_env()
            if host is not None:
                options["base_url"] = host
            api = docker.APIClient(version="auto", timeout=120, **options)
            api.ping()
        except _ENGINE_FAULTS as error:
            raise EngineError(
                "no container engine answers", got=_reason(error), todo=_HOW_TO_START
            ) from error
        return cls(api)

    def close(self) -> None:
        """Close the connection."""
        self._api.close()

    def facts(self) -> EngineFacts:
        """Ask the engine what it is."""
        with _faults("the engine does not describe itself"):
            info = self._api.info()
        return EngineFacts(
            version=str(info["ServerVersion"]),
            kernel=str(info["KernelVersion"]),
            cgroup=f"v{info.get('CgroupVersion', '1')} {info.get('CgroupDriver', '?')}",
            cpus=int(info["NCPU"]),
            memory=int(info["MemTotal"]),
        )

    # Images

    def has_image(self, reference: str) -> bool:
        """Say whether the engine holds the image of that id or `name@sha256:` reference."""
        with _faults("the engine does not answer about images"):
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
        with _faults("the engine does not load the image"), tar.open("rb") as stream:
            for line in self._api.load_image(stream):
                if "error" in line:
                    raise ImageUnavailableError("the engine refused the image", got=line["error"])
        for image_id in (f"sha256:{d}" for d in ids):
            if self.has_image(image_id):
                with _faults("the engine does not describe the image"):
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
        except _ENGINE_FAULTS as error:
            raise ImageUnavailableError(
                f"image {reference} cannot be pulled",
                got=_reason(error),
                todo="Load it into the engine, or use a definition in recipes/images",
            ) from error

    def remove_image(self, reference: str) -> None:
        """Remove an image where it exists."""
        with _faults("image not removed"), contextlib.suppress(docker.errors.ImageNotFound):
            self._api.remove_image(reference, force=True)

    # Containers

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
        with (
            self.created(spec) as container,
            self._logged(container, log, spec.limits.log) as output,
        ):
            start = clock()
            with _faults("the engine does not start the container", todo=_HOW_TO_START):
                self._api.start(container)
                waiter = _Waiter(self._api, container)
                state = self._api.inspect_container(container)["State"]
            watch = Watch(scratch)
            if not waiter.done.is_set() and state["Pid"]:
                watch.cgroup = Cgroup.of(int(state["Pid"]))
                watch.cgroup.verify(spec.limits)
            open_gate(spec.gate, waiter.done, seconds=_GRACE)
            ended = _wait(waiter, watch, start + spec.limits.seconds, cancelled, clock)
            if ended is not Ended.EXITED:
                self._kill(container, waiter)
            wall = clock() - start
            waiter.raise_fault()
            with _faults("the engine does not say how the container ended"):
                state = self._api.inspect_container(container)["State"]
            output.join(_GRACE)
            code = int(state["ExitCode"]) if ended is Ended.EXITED else None
            return ContainerResult(
                ended=ended,
                exit_code=code,
                signal=code - 128 if code is not None and code > 128 else None,
                oom_killed=bool(state["OOMKilled"]),
                pids_limit_hit=watch.pids_limit_hit,
                scratch_full=watch.scratch_full,
                peak_memory=watch.peak_memory,
                wall_seconds=round(wall, 3),
                log_bytes=output.count,
                log_truncated=output.truncated,
            )

    @contextmanager
    def created(self, spec: ContainerSpec, *, terminal: bool = False) -> Iterator[str]:
        """Create a container and yield its id; it is removed on every path out."""
        limits = spec.limits
        deadline = datetime.now(UTC) + timedelta(seconds=limits.seconds) + _SPARE
        host = self._api.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            ipc_mode="private",
            init=True,
            pids_limit=limits.pids,
            nano_cpus=int(limits.cpus * 1e9),
            mem_limit=limits.memory,
            memswap_limit=limits.memory,
            auto_remove=False,
            log_config=LogConfig(type=LogConfig.types.NONE),
            mounts=[
                DockerMount(m.target, str(m.source), type="bind", read_only=m.read_only)
                for m in spec.mounts
            ],
        )
        with _faults("the engine does not create the container", todo=_HOW_TO_START):
            answer = self._api.create_container(
                spec.image,
                command=list(spec.command),
                environment=dict(spec.environment),
                hostname=spec.hostname,
                user=spec.user,
                working_dir=spec.workdir,
                labels=spec.labels.to_dict(deadline),
                entrypoint=[],
                tty=terminal,
                stdin_open=terminal,
                host_config=host,
            )
        container = str(answer["Id"])
        try:
            if warnings := answer.get("Warnings"):
                raise EngineError("the engine does not keep every limit", got="; ".join(warnings))
            yield container
        finally:
            self._remove(container)

    def containers(self, *, center: str | None = None, run: str | None = None) -> list[Leftover]:
        """List every container with our labels, running or not."""
        wanted = [LABEL_RUN if run is None else f"{LABEL_RUN}={run}"]
        if center is not None:
            wanted.append(f"{LABEL_CENTER}={center}")
        with _faults("the engine does not list containers", todo=_HOW_TO_START):
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
            self._remove(leftover.id)
        return len(found)

    @contextmanager
    def _logged(self, container: str, log: Path, cap: int) -> Iterator[LogPump]:
        """Drain what the container prints into `log` until it ends, or the block fails."""
        wanted = {"stdout": 1, "stderr": 1, "stream": 1}
        with _faults("the engine does not attach to the container"):
            stream = self._api.attach_socket(container, params=wanted)
        pieces = (piece for _, piece in frames_iter(stream, tty=False))  # type: ignore[no-untyped-call]
        pump = LogPump(pieces, log, cap=cap, faults=_ENGINE_FAULTS)
        try:
            yield pump
        except BaseException:
            with contextlib.suppress(*_ENGINE_FAULTS):
                self._api.kill(container, signal="SIGKILL")  # ends the stream
            raise
        finally:
            pump.join(_GRACE)
            # In this order: the response owns the connection that the stream reads from.
            with contextlib.suppress(*_ENGINE_FAULTS, ValueError):
                stream._response.close()  # noqa: SLF001  # docker-py keeps it there for this
            stream.close()

    def _kill(self, container: str, waiter: _Waiter) -> None:
        with _faults("the container was not killed"), contextlib.suppress(docker.errors.APIError):
            self._api.kill(container, signal="SIGKILL")  # refused where it has just ended
        if not waiter.done.wait(_GRACE):
            raise EngineError("the container survived SIGKILL", got=container[:12])

    def _remove(self, container: str) -> None:
        try:
            self._api.remove_container(container, force=True, v=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if error.status_code != requests.codes.conflict:  # conflict: its removal is under way
                raise EngineError(
                    "a container was not removed",
                    got=_reason(error),
                    todo="`samebits reap` removes it later",
                ) from error
        except _ENGINE_FAULTS as error:
            raise EngineError(
                "the engine is gone, and a container may be left",
                got=_reason(error),
                todo="`samebits reap` removes it once the engine is back",
            ) from error


class _Waiter:
    """Waits for the end of a container in a thread of its own."""

    def __init__(self, api: Any, container: str) -> None:
        self.done = threading.Event()
        self._fault: Exception | None = None
        self._api, self._container = api, container
        threading.Thread(target=self._wait, name="samebits-wait", daemon=True).start()

    def _wait(self) -> None:
        try:
            self._api.wait(self._container)
        except _ENGINE_FAULTS as error:
            self._fault = error
        finally:
            self.done.set()

    def raise_fault(self) -> None:
        if self._fault is not None:
            raise EngineError(
                "the engine went away in mid-build", got=_reason(self._fault), todo=_HOW_TO_START
            ) from self._fault


def _wait(
    waiter: _Waiter,
    watch: Watch,
    deadline: float,
    cancelled: threading.Event,
    clock: Callable[[], float],
) -> Ended:
    while True:
        watch.sample()
        if waiter.done.wait(_POLL):
            watch.sample()
            return Ended.EXITED
        if cancelled.is_set():
            return Ended.CANCELLED
        if clock() >= deadline:
            return Ended.DEADLINE


@contextmanager
def _faults(what: str, *, todo: str | None = None) -> Iterator[None]:
    try:
        yield
    except _ENGINE_FAULTS as error:
        raise EngineError(what, got=_reason(error), todo=todo) from error


def _reason(error: Exception) -> str:
    if isinstance(error, docker.errors.APIError) and error.explanation:
        return str(error.explanation)
    text = str(error) or type(error).__name__
    return text[:300]


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
