"""Prefect's REST API, as much of it as looking needs; no Prefect is imported, which takes long."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

from builders.core.errors import InfrastructureError
from pipelines.center.center import Center
from pipelines.services.secret import auth_is_made, read_auth

_PAUSES = (0.2, 1.0, 2.0, 4.0)
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PrefectApi:
    """The API of one center."""

    def __init__(self, center: Center) -> None:
        """Talk to the API that the center's file names; raises `UsageError` for a bad secret."""
        self.url = center.prefect.url if center.prefect else ""
        auth = read_auth(center) if auth_is_made(center) else None
        self._headers = {"Content-Type": "application/json"}
        if auth is not None:
            word = base64.b64encode(auth.encode()).decode()
            self._headers["Authorization"] = f"Basic {word}"

    def answers(self) -> bool:
        """Say whether it answers, and lets us in."""
        try:
            self.get("/admin/version")
        except InfrastructureError:
            return False
        return True

    def get(self, path: str) -> Any:
        """Read something; raises `InfrastructureError`."""
        return self._ask(path, None)

    def post(self, path: str, **body: Any) -> Any:
        """Ask with a body; raises `InfrastructureError`."""
        return self._ask(path, body)

    def _ask(self, path: str, body: dict[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers=self._headers,
        )
        try:
            text = self._send(request)
            return json.loads(text) if text else None
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise InfrastructureError(
                "Prefect's API does not answer as it should",
                got=f"{error}"[:200],
                todo="`samebits center status` says what runs; `samebits center up` starts it",
            ) from error

    def _send(self, request: urllib.request.Request) -> bytes:
        """Send a request; one that a busy database has refused is sent again."""
        for pause in _PAUSES:
            try:
                return self._once(request)
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                time.sleep(pause)
        return self._once(request)

    @staticmethod
    def _once(request: urllib.request.Request) -> bytes:
        with _DIRECT.open(request, timeout=10) as answer:
            data: bytes = answer.read()
        return data
