"""The container engine: the only file that knows Docker.

Containers are created and started, never `run`; they have no network, a read-only root, no
capabilities and hard limits, which are verified in the kernel's own files before the first byte of
a recipe runs. Whatever happens, a container is removed before the call that made it returns.

An engine that is stopped kills what runs. So the end of a container counts only where the engine
that answers has seen it: no build is blamed for the end of an engine.
"""

from __future__ import annotations

import contextlib
import json
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
import urllib3
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
from builders.watch import LogPump, Waiter, Watch, lives, open_gate

_GRACE = 10.0
_TIMEOUT = 120
_SPARE = timedelta(minutes=5)
_ENGINE_FAULTS = (
    docker.errors.DockerException,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,  # a stream that breaks
    OSError,
)
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
            api = _dial(host)
            api.ping()
        except _ENGINE_FAULTS as error:
            raise EngineError(
                "no container engine answers", got=_reason(error), todo=_HOW_TO_START
            ) from error
        return cls(api, host=host)

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
            waiter = Waiter(lambda: self._ask_for_end(container), faults=_ENGINE_FAULTS)
            watch = Watch(scratch)
            begun = self._begin(container, spec, waiter, watch)
            ended = waiter.wait(watch, start + spec.limits.seconds, cancelled, clock)
            if ended is not Ended.EXITED:
                self._kill(container, waiter)
            wall = clock() - start
            if waiter.fault is not None:
                raise _went_away(_reason(waiter.fault)) from waiter.fault
            with _faults("the engine does not say how the container ended"):
                # In this order: an engine that tells the last state has told the event, too.
                state = self._api.inspect_container(container)["State"]
                if ended is Ended.EXITED and not self._saw_end(container):
                    raise _went_away("another one than began it")
            output.join(_GRACE)
            code = int(state["ExitCode"]) if ended is Ended.EXITED else None
            if not begun and not state["OOMKilled"] and (not code or code > 128):
                raise EngineError(
                    "the container ended before its build began", got=f"exit code {code}"
                )
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

    def _begin(self, container: str, spec: ContainerSpec, waiter: Waiter, watch: Watch) -> bool:
        """See that the limits hold and that the end will be told, and only then open the gate.

        Returns False for a container that ended before: how it ended is its true outcome, whatever
        could not be seen of it any more. Raises `EngineError`.
        """
        with _faults("the engine does not describe the container"):
            pid = int(self._api.inspect_container(container)["State"]["Pid"])
        try:
            if pid:  # 0 for one that has ended
                watch.cgroup = Cgroup.of(pid)
                watch.cgroup.verify(spec.limits)
                waiter.promised(seconds=_GRACE)
                return open_gate(spec.gate, waiter.done, seconds=_GRACE)
        except EngineError:
            # A container whose end nobody tells of has not ended: this machine cannot see it.
            if lives(pid) or not waiter.done.wait(_GRACE):
                raise
            return False
        if not waiter.done.wait(_GRACE):
            raise EngineError(
                "the engine does not notice the end of a container", got=container[:12]
            )
        return False

    def _ask_for_end(self, container: str) -> Callable[[], object]:
        """Return what waits for the end, once the engine that answers has promised to tell of it.

        A crash breaks that promise. An engine that is asked only after the crash of another one
        tells of the end that it gave to whatever it found running.
        """
        answer = self._api.post(_url(self._api, f"containers/{container}/wait"), stream=True)
        answer.raise_for_status()
        return answer.json  # type: ignore[no-any-return]

    def _saw_end(self, container: str) -> bool:
        """Say whether the engine that answers now has seen the container end.

        One that is stopped in order kills its containers, and the next one tells of their ends as
        of any other; but what an engine has seen is forgotten with it. It is asked over a new
        connection, which an engine that is about to end takes no more.
        """
        wanted = {"container": [container], "event": ["die"]}
        told = {"until": f"{time.time():.9f}", "filters": json.dumps(wanted)}
        with contextlib.closing(_dial(self._host)) as api:
            answer = api.get(_url(api, "events"), params=told, timeout=_TIMEOUT)
            answer.raise_for_status()
        return bool(answer.content.strip())

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
            cpuset_cpus=None if spec.core is None else str(spec.core),
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
                user=str(spec.user),
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

    def _kill(self, container: str, waiter: Waiter) -> None:
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


def _dial(host: str | None) -> Any:
    options = kwargs_from_env()
    if host is not None:
        options["base_url"] = host
    return docker.APIClient(version="auto", timeout=_TIMEOUT, **options)


def _url(api: Any, path: str) -> str:
    """Return what docker-py itself asks, for questions that it asks in another way."""
    return f"{api.base_url}/v{api.api_version}/{path}"


@contextmanager
def _faults(what: str, *, todo: str | None = None) -> Iterator[None]:
    try:
        yield
    except _ENGINE_FAULTS as error:
        raise EngineError(what, got=_reason(error), todo=todo) from error


def _went_away(got: str) -> EngineError:
    return EngineError("the engine went away in mid-build", got=got, todo=_HOW_TO_START)


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
