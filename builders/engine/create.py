"""Create and remove containers.

Every container has no network, a read-only root, no capabilities and hard limits, and is removed
when the block that created it is left, on every path out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import docker.errors
import requests
from docker.types import LogConfig
from docker.types import Mount as DockerMount

from builders.container.spec import ContainerSpec
from builders.core.errors import EngineError
from builders.engine.docker_client import ENGINE_ERRORS, HOW_TO_START, engine_errors, error_text

_SPARE = timedelta(minutes=5)


@contextmanager
def created_container(
    api: Any, spec: ContainerSpec, *, terminal: bool = False, attached: bool = False
) -> Iterator[str]:
    """Create a container and yield its id; it is removed on every path out.

    An `attached` one reads the input of whoever attaches to it. Raises `EngineError`.
    """
    limits = spec.limits
    deadline = datetime.now(UTC) + timedelta(seconds=limits.seconds) + _SPARE
    host = api.create_host_config(
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
    with engine_errors("the engine does not create the container", todo=HOW_TO_START):
        answer = api.create_container(
            spec.image,
            command=list(spec.command),
            environment=dict(spec.environment),
            hostname=spec.hostname,
            user=str(spec.user),
            working_dir=spec.workdir,
            labels=spec.labels.to_dict(deadline),
            entrypoint=[],
            tty=terminal,
            stdin_open=attached,
            host_config=host,
        )
    container = str(answer["Id"])
    try:
        if warnings := answer.get("Warnings"):
            raise EngineError("the engine does not set every limit", got="; ".join(warnings))
        yield container
    finally:
        remove_container(api, container)


def remove_container(api: Any, container: str) -> None:
    """Remove a container if it exists, running or not; raises `EngineError`."""
    todo = "`samebits reap` removes it once the engine answers"
    try:
        api.remove_container(container, force=True, v=True)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != requests.codes.conflict:  # conflict: its removal is in progress
            what = "a container was not removed"
            raise EngineError(what, got=error_text(error), todo=todo) from error
    except ENGINE_ERRORS as error:
        what = "the engine is gone, and a container may be left"
        raise EngineError(what, got=error_text(error), todo=todo) from error
