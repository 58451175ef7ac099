"""Run one container that was created, from its start to its end.

Its limits are verified in the kernel's own files before the first command of a recipe runs.

An engine that is stopped kills its containers. So the end of a container counts only if the engine
that answers has itself observed it: a build is never blamed for the end of an engine.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import docker.errors
from docker.utils.socket import frames_iter

from builders.container.cgroup import Cgroup
from builders.container.confinement import verify_confinement
from builders.container.idmap import IdMap, hides_root, host_id
from builders.container.monitor import ExitWaiter, OutputLog, UsageMonitor, is_running, open_gate
from builders.container.spec import ContainerResult, ContainerSpec, EndReason
from builders.core.errors import EngineError
from builders.engine.attach import attached_client
from builders.engine.docker_client import (
    ENGINE_ERRORS,
    HOW_TO_START,
    TIMEOUT,
    connect_client,
    engine_errors,
    error_text,
    url,
)

_GRACE = 10.0


class ContainerRun:
    """The run of a container that was created and not yet started."""

    def __init__(self, api: Any, host: str | None, container: str, spec: ContainerSpec) -> None:
        """Take the container's id; `api` is a connection to `host`."""
        self._api, self._host = api, host
        self._container, self._spec = container, spec
        self._uid_map: IdMap = ()
        self._refused = False

    def to_end(
        self,
        log: Path,
        *,
        cancelled: threading.Event,
        scratch: Path | None,
        clock: Callable[[], float],
    ) -> ContainerResult:
        """Start the container, and wait for its end or kill it; see `Engine.run`."""
        with self._logged(log) as output:
            start = clock()
            with engine_errors("the engine does not start the container", todo=HOW_TO_START):
                self._api.start(self._container)
            waiter = ExitWaiter(self._request_exit, errors=ENGINE_ERRORS)
            monitor = UsageMonitor(scratch)
            begun = self._begin(waiter, monitor)
            ended = waiter.wait(monitor, start + self._spec.limits.seconds, cancelled, clock)
            if ended is not EndReason.EXITED:
                self._kill(waiter)
            wall = clock() - start
            if waiter.error is not None:
                raise _engine_lost(error_text(waiter.error)) from waiter.error
            with engine_errors("the engine does not report how the container ended"):
                # In this order: an engine that knows the final state knows the event, too.
                state = self._api.inspect_container(self._container)["State"]
                if ended is EndReason.EXITED and not self._end_observed():
                    raise _engine_lost("another engine than the one that started the build")
            output.join(_GRACE)
            code = int(state["ExitCode"]) if ended is EndReason.EXITED else None
            if not begun and not state["OOMKilled"] and (not code or code > 128):
                raise EngineError(
                    "the container ended before its build began", got=f"exit code {code}"
                )
            return ContainerResult(
                ended=ended,
                exit_code=code,
                signal=_signal(code),
                oom_killed=bool(state["OOMKilled"]),
                pids_limit_hit=monitor.pids_limit_hit,
                scratch_full=monitor.scratch_full,
                peak_memory=monitor.peak_memory,
                wall_seconds=round(wall, 3),
                log_truncated=output.truncated,
                uid_map=self._uid_map,
            )

    def attached(self) -> int:
        """Run the container on this process's terminal, to the end; returns its exit code.

        The engine's own client attaches it. Limits and confinement are verified as for a build,
        before anything but the gate is read. No time ends it. Raises `EngineError`.
        """
        with attached_client(self._host, self._container) as client:
            pid = self._first_process(client)
            Cgroup.of(pid).verify(self._spec.limits)
            verify = partial(self._verify_confinement, pid)
            open_gate(self._spec.gate, threading.Event(), verify=verify, seconds=_GRACE)
            return client.wait()

    def _first_process(self, client: subprocess.Popen[bytes]) -> int:
        until = time.monotonic() + _GRACE
        while client.poll() is None and time.monotonic() < until:
            with engine_errors("the engine does not describe the container"):
                state = self._api.inspect_container(self._container)["State"]
            if pid := int(state["Pid"]):
                return pid
            time.sleep(0.02)
        raise EngineError("the engine does not start the container", todo=HOW_TO_START)

    @contextmanager
    def _logged(self, log: Path) -> Iterator[OutputLog]:
        """Copy the container's output to `log` until it ends, or the block fails."""
        wanted = {"stdout": 1, "stderr": 1, "stream": 1}
        with engine_errors("the engine does not attach to the container"):
            stream = self._api.attach_socket(self._container, params=wanted)
        pieces = (piece for _, piece in frames_iter(stream, tty=False))  # type: ignore[no-untyped-call]
        writer = OutputLog(pieces, log, cap=self._spec.limits.log, errors=ENGINE_ERRORS)
        try:
            yield writer
        except BaseException:
            with contextlib.suppress(*ENGINE_ERRORS):
                self._api.kill(self._container, signal="SIGKILL")  # ends the stream
            raise
        finally:
            writer.join(_GRACE)
            # In this order: the response owns the connection that the stream reads from.
            with contextlib.suppress(*ENGINE_ERRORS, ValueError):
                stream._response.close()  # noqa: SLF001  # docker-py keeps it there for this
            stream.close()

    def _begin(self, waiter: ExitWaiter, monitor: UsageMonitor) -> bool:
        """Verify limits and confinement, have the wait for the end accepted, then open the gate.

        Returns False for a container that has ended before: its exit status is its true outcome,
        even if its limits could no longer be read. Raises `EngineError`.
        """
        with engine_errors("the engine does not describe the container"):
            pid = int(self._api.inspect_container(self._container)["State"]["Pid"])
        try:
            if pid:  # 0 for a container that has ended
                monitor.cgroup = Cgroup.of(pid)
                monitor.cgroup.verify(self._spec.limits)
                waiter.await_acceptance(seconds=_GRACE)
                return open_gate(
                    self._spec.gate,
                    waiter.done,
                    verify=partial(self._verify_confinement, pid),
                    seconds=_GRACE,
                )
        except EngineError:
            # If the engine does not report an end, the container runs where we cannot see it.
            if self._refused or is_running(pid) or not waiter.done.wait(_GRACE):
                raise
            return False
        if not waiter.done.wait(_GRACE):
            raise EngineError(
                "the engine does not notice the end of a container", got=self._container[:12]
            )
        return False

    def _verify_confinement(self, pid: int) -> None:
        """Verify the confinement, and give the folders of the build to its user here."""
        try:
            uids, gids = verify_confinement(pid, self._spec)
        except EngineError:
            # Asked here, because a container ends when the gate is closed again.
            self._refused = is_running(pid)
            raise
        if hides_root(uids):
            user = self._spec.user
            owner = host_id(uids, user.uid), host_id(gids, user.gid)
            for mount in self._spec.mounts:
                if not mount.read_only:
                    os.chown(mount.source, *owner)
        self._uid_map = uids

    def _request_exit(self) -> Callable[[], object]:
        """Ask the engine to report the end; returns a function that waits for the answer.

        The request must be accepted before the build begins: if this engine crashes, the request
        fails with it. A request made after a crash would be accepted by the next engine, which
        reports the end that it gave itself to the containers that it found running.
        """
        request = url(self._api, f"containers/{self._container}/wait")
        answer = self._api.post(request, stream=True)
        answer.raise_for_status()
        return answer.json  # type: ignore[no-any-return]

    def _end_observed(self) -> bool:
        """Say whether the engine that answers now has itself observed the container's end.

        An engine that is stopped in order kills its containers, and the next one reports their ends
        like any other; but an engine's events are lost with it. The question uses a new connection,
        because an engine that is shutting down accepts none.
        """
        wanted = {"container": [self._container], "event": ["die"]}
        params = {"until": f"{time.time():.9f}", "filters": json.dumps(wanted)}
        with contextlib.closing(connect_client(self._host)) as api:
            answer = api.get(url(api, "events"), params=params, timeout=TIMEOUT)
            answer.raise_for_status()
        return bool(answer.content.strip())

    def _kill(self, waiter: ExitWaiter) -> None:
        refused = contextlib.suppress(docker.errors.APIError)  # when it has just ended
        with engine_errors("the container was not killed"), refused:
            self._api.kill(self._container, signal="SIGKILL")
        if not waiter.done.wait(_GRACE):
            raise EngineError("the container survived SIGKILL", got=self._container[:12])


def _signal(code: int | None) -> int | None:
    """Return the signal that an exit code stands for: a shell reports signal N as 128 + N."""
    number = (code or 0) - 128
    return number if number in signal.valid_signals() else None


def _engine_lost(got: str) -> EngineError:
    return EngineError("the engine went away during the build", got=got, todo=HOW_TO_START)
