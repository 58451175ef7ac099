"""The life of one container, from its start to its end.

Its limits are verified in the kernel's own files before the first byte of a recipe runs.

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
from pathlib import Path
from typing import Any

import docker.errors
from docker.utils.socket import frames_iter

from builders.container.cgroup import Cgroup
from builders.container.container import ContainerResult, ContainerSpec, Ended
from builders.container.watch import LogPump, Waiter, Watch, lives, open_gate
from builders.core.errors import EngineError
from builders.engine.daemon import (
    ENGINE_FAULTS,
    HOW_TO_START,
    TIMEOUT,
    dial,
    faults,
    reason,
    url,
)

_GRACE = 10.0


class Life:
    """A container that was created and not yet started."""

    def __init__(self, api: Any, host: str | None, container: str, spec: ContainerSpec) -> None:
        """Know a container by its id; `api` is a connection to `host`."""
        self._api, self._host = api, host
        self._container, self._spec = container, spec

    def to_end(
        self,
        log: Path,
        *,
        cancelled: threading.Event,
        scratch: Path | None,
        clock: Callable[[], float],
    ) -> ContainerResult:
        """Start the container and see it end, by itself or by force; see `Engine.run`."""
        with self._logged(log) as output:
            start = clock()
            with faults("the engine does not start the container", todo=HOW_TO_START):
                self._api.start(self._container)
            waiter = Waiter(self._ask_for_end, faults=ENGINE_FAULTS)
            watch = Watch(scratch)
            begun = self._begin(waiter, watch)
            ended = waiter.wait(watch, start + self._spec.limits.seconds, cancelled, clock)
            if ended is not Ended.EXITED:
                self._kill(waiter)
            wall = clock() - start
            if waiter.fault is not None:
                raise _went_away(reason(waiter.fault)) from waiter.fault
            with faults("the engine does not say how the container ended"):
                # In this order: an engine that tells the last state has told the event, too.
                state = self._api.inspect_container(self._container)["State"]
                if ended is Ended.EXITED and not self._saw_end():
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

    @contextmanager
    def _logged(self, log: Path) -> Iterator[LogPump]:
        """Drain what the container prints into `log` until it ends, or the block fails."""
        wanted = {"stdout": 1, "stderr": 1, "stream": 1}
        with faults("the engine does not attach to the container"):
            stream = self._api.attach_socket(self._container, params=wanted)
        pieces = (piece for _, piece in frames_iter(stream, tty=False))  # type: ignore[no-untyped-call]
        pump = LogPump(pieces, log, cap=self._spec.limits.log, faults=ENGINE_FAULTS)
        try:
            yield pump
        except BaseException:
            with contextlib.suppress(*ENGINE_FAULTS):
                self._api.kill(self._container, signal="SIGKILL")  # ends the stream
            raise
        finally:
            pump.join(_GRACE)
            # In this order: the response owns the connection that the stream reads from.
            with contextlib.suppress(*ENGINE_FAULTS, ValueError):
                stream._response.close()  # noqa: SLF001  # docker-py keeps it there for this
            stream.close()

    def _begin(self, waiter: Waiter, watch: Watch) -> bool:
        """See that the limits hold and that the end will be told, and only then open the gate.

        Returns False for a container that ended before: how it ended is its true outcome, whatever
        could not be seen of it any more. Raises `EngineError`.
        """
        with faults("the engine does not describe the container"):
            pid = int(self._api.inspect_container(self._container)["State"]["Pid"])
        try:
            if pid:  # 0 for one that has ended
                watch.cgroup = Cgroup.of(pid)
                watch.cgroup.verify(self._spec.limits)
                waiter.promised(seconds=_GRACE)
                return open_gate(self._spec.gate, waiter.done, seconds=_GRACE)
        except EngineError:
            # A container whose end nobody tells of has not ended: this machine cannot see it.
            if lives(pid) or not waiter.done.wait(_GRACE):
                raise
            return False
        if not waiter.done.wait(_GRACE):
            raise EngineError(
                "the engine does not notice the end of a container", got=self._container[:12]
            )
        return False

    def _ask_for_end(self) -> Callable[[], object]:
        """Return what waits for the end, once the engine that answers has promised to tell of it.

        A crash breaks that promise. An engine that is asked only after the crash of another one
        tells of the end that it gave to whatever it found running.
        """
        question = url(self._api, f"containers/{self._container}/wait")
        answer = self._api.post(question, stream=True)
        answer.raise_for_status()
        return answer.json  # type: ignore[no-any-return]

    def _saw_end(self) -> bool:
        """Say whether the engine that answers now has seen the container end.

        One that is stopped in order kills its containers, and the next one tells of their ends as
        of any other; but what an engine has seen is forgotten with it. It is asked over a new
        connection, which an engine that is about to end takes no more.
        """
        wanted = {"container": [self._container], "event": ["die"]}
        told = {"until": f"{time.time():.9f}", "filters": json.dumps(wanted)}
        with contextlib.closing(dial(self._host)) as api:
            answer = api.get(url(api, "events"), params=told, timeout=TIMEOUT)
            answer.raise_for_status()
        return bool(answer.content.strip())

    def _kill(self, waiter: Waiter) -> None:
        with faults("the container was not killed"), contextlib.suppress(docker.errors.APIError):
            self._api.kill(self._container, signal="SIGKILL")  # refused where it has just ended
        if not waiter.done.wait(_GRACE):
            raise EngineError("the container survived SIGKILL", got=self._container[:12])


def _went_away(got: str) -> EngineError:
    return EngineError("the engine went away in mid-build", got=got, todo=HOW_TO_START)
