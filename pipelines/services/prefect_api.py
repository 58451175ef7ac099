"""The few calls of Prefect's REST API that need no import of Prefect, which takes a second."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from builders.core.errors import InfrastructureError
from pipelines.center.center import Center
from pipelines.services.secrets import auth_is_made, read_auth

_SECONDS = 10
_RETRY = Retry(
    total=4,
    connect=0,
    read=0,
    backoff_factor=0.4,
    status_forcelist=[HTTPStatus.SERVICE_UNAVAILABLE],  # a busy database
    allowed_methods=None,
    raise_on_status=False,
)


class PrefectApi:
    """The Prefect API of one center."""

    def __init__(self, center: Center) -> None:
        """Use the API that the center's file names; raises `UsageError` for a bad password file."""
        self.url = center.prefect.url if center.prefect else ""
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of this machine cannot reach its loopback
        self._http.mount("http", HTTPAdapter(max_retries=_RETRY))
        auth = read_auth(center) if auth_is_made(center) else None
        if auth is not None:
            user, _, password = auth.partition(":")
            self._http.auth = (user, password)

    def answers(self) -> bool:
        """Say whether the API answers, and accepts the password."""
        try:
            self.get("/admin/version")
        except InfrastructureError:
            return False
        return True

    def get(self, path: str) -> Any:
        """Return the JSON at `path`; raises `InfrastructureError`."""
        return self._call("GET", path, None)

    def post(self, path: str, **body: Any) -> Any:
        """Send a JSON body and return the answer; raises `InfrastructureError`."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        try:
            with self._http.request(
                method, f"{self.url}{path}", json=body, timeout=_SECONDS, allow_redirects=False
            ) as answer:
                answer.raise_for_status()
                return answer.json() if answer.content else None
        except requests.RequestException as error:
            raise InfrastructureError(
                "Prefect's API does not answer as it should",
                got=f"{error}"[:200],
                todo="`samebits center status` says what runs; `samebits center up` starts it",
            ) from error
