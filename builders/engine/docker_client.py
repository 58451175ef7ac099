"""Connect to Docker, and turn its errors into `EngineError`."""

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
"""Seconds to wait for an answer."""
ENGINE_ERRORS = (
    docker.errors.DockerException,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,  # a stream that breaks
    OSError,
)
HOW_TO_START = "Start one: `bash infra/bootstrap.sh`, or set DOCKER_HOST"


def connect_client(host: str | None) -> Any:
    """Return a new low-level client of `host`, by default that of DOCKER_HOST or the usual socket.

    Raises one of `ENGINE_ERRORS`.
    """
    options = kwargs_from_env()
    if host is not None:
        options["base_url"] = host
    return docker.APIClient(version="auto", timeout=TIMEOUT, **options)


def url(api: Any, path: str) -> str:
    """Return the URL of an API path, for requests that docker-py has no function for."""
    return f"{api.base_url}/v{api.api_version}/{path}"


@contextmanager
def engine_errors(what: str, *, todo: str | None = None) -> Iterator[None]:
    """Turn any of `ENGINE_ERRORS` into an `EngineError` that says `what`."""
    try:
        yield
    except ENGINE_ERRORS as error:
        raise EngineError(what, got=error_text(error), todo=todo) from error


def error_text(error: Exception) -> str:
    """Return the engine's own explanation of an error, or else that of docker-py."""
    if isinstance(error, docker.errors.APIError) and error.explanation:
        return str(error.explanation)
    text = str(error) or type(error).__name__
    return text[:300]
