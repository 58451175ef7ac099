"""How Docker is reached, and how its faults are told: as ours, in the engine's own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import docker.errors
import requests
import urllib3
from docker.utils import kwargs_from_env

from builders.core.errors import EngineError

TIMEOUT = 120
"""Seconds that an answer may take."""
ENGINE_FAULTS = (
    docker.errors.DockerException,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,  # a stream that breaks
    OSError,
)
HOW_TO_START = "Start one: `bash infra/bootstrap.sh`, or set DOCKER_HOST"


def dial(host: str | None) -> Any:
    """Return a new low-level client of `host`, by default that of DOCKER_HOST or the usual socket.

    Raises one of `ENGINE_FAULTS`.
    """
    options = kwargs_from_env()
    if host is not None:
        options["base_url"] = host
    return docker.APIClient(version="auto", timeout=TIMEOUT, **options)


def url(api: Any, path: str) -> str:
    """Return what docker-py itself asks, for questions that it asks in another way."""
    return f"{api.base_url}/v{api.api_version}/{path}"


@contextmanager
def faults(what: str, *, todo: str | None = None) -> Iterator[None]:
    """Turn any of `ENGINE_FAULTS` into an `EngineError` that says `what`."""
    try:
        yield
    except ENGINE_FAULTS as error:
        raise EngineError(what, got=reason(error), todo=todo) from error


def reason(error: Exception) -> str:
    """Return what the engine says of a fault, or else what docker-py says."""
    if isinstance(error, docker.errors.APIError) and error.explanation:
        return str(error.explanation)
    text = str(error) or type(error).__name__
    return text[:300]
