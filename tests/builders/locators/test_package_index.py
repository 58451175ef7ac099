from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from builders.core.digest import Digest, digest_file
from builders.core.errors import InfrastructureError, InputUnavailableError
from builders.locators import FetchRequest, parse_locator
from builders.locators.package_index import IndexSettings, index_session, pip_settings
from builders.locators.pypi import IndexFetcher

SIX = "six-1.17.0-py2.py3-none-any.whl"
SIX_DIGEST = Digest("4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274")
CONTENT = b"a wheel of sorts"


def want(locator: str, sha256: Digest = SIX_DIGEST, name: str = "x") -> FetchRequest:
    return FetchRequest(locator=parse_locator(locator), name=name, sha256=sha256)


@pytest.mark.network
def test_a_file_comes_from_the_index_that_pip_is_set_to(tmp_path: Path) -> None:
    wants = [
        want(f"pkg:pypi/six@1.17.0?file_name={SIX}"),
        want("pkg:pypi/six@1.17.0"),  # by digest
        want("pkg:pypi/six@1.17.0", Digest.of(b""), SIX),  # by the input's own name
    ]
    paths = IndexFetcher().fetch(wants, tmp_path)
    assert {digest_file(path) for path in paths} == {SIX_DIGEST}


class _Handler(BaseHTTPRequestHandler):
    pages: dict[str, tuple[int, bytes]]
    busy = 0
    """How many more requests are answered with 503."""

    def do_GET(self) -> None:
        status, body = self.pages.get(self.path, (404, b"gone"))
        if _Handler.busy:
            _Handler.busy -= 1
            status = 503
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def index() -> Iterator[str]:
    """An old index (PEP 503) on this machine that serves one project, and breaks for another."""
    links = "".join(f'<a href="/files/{n}">{n}</a>' for n in ("tool-1.0.tar.gz", "tool-2.0.tar.gz"))
    _Handler.busy = 0
    _Handler.pages = {
        "/simple/tool/": (200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode()),
        "/simple/broken/": (500, b""),
        "/files/tool-1.0.tar.gz": (200, CONTENT),
    }
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


def test_an_old_index_serves_too(index: str, tmp_path: Path) -> None:
    fetcher = IndexFetcher(IndexSettings(indexes=(index,)))
    (path,) = fetcher.fetch([want("pkg:pypi/tool@1.0?file_name=tool-1.0.tar.gz")], tmp_path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "locator",
    [
        "pkg:pypi/tool@2.0?file_name=tool-2.0.tar.gz",  # in the page, and gone
        "pkg:pypi/tool@3.0?file_name=tool-3.0.tar.gz",  # not in the page
        "pkg:pypi/other@1.0?file_name=other-1.0.tar.gz",  # no page
    ],
)
def test_what_the_index_lacks_is_unavailable(index: str, tmp_path: Path, locator: str) -> None:
    with pytest.raises(InputUnavailableError) as caught:
        IndexFetcher(IndexSettings(indexes=(index,))).fetch([want(locator)], tmp_path)
    assert locator in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_the_next_index_is_asked(index: str, tmp_path: Path) -> None:
    settings = IndexSettings(indexes=(index.replace("simple", "nothing"), index))
    wants = [want("pkg:pypi/tool@1.0?file_name=tool-1.0.tar.gz")]
    assert IndexFetcher(settings).fetch(wants, tmp_path)[0].read_bytes() == CONTENT


def test_a_broken_index_is_worth_a_retry(index: str, tmp_path: Path) -> None:
    fetcher = IndexFetcher(IndexSettings(indexes=(index,)))
    with pytest.raises(InfrastructureError, match="HTTP status 500"):
        fetcher.fetch([want("pkg:pypi/broken@1.0")], tmp_path)


def test_an_unreachable_index_is_worth_a_retry(tmp_path: Path) -> None:
    fetcher = IndexFetcher(IndexSettings(indexes=("http://127.0.0.1:9/simple",), timeout=5))
    with pytest.raises(InfrastructureError, match="ConnectionError") as caught:
        fetcher.fetch([want("pkg:pypi/tool@1.0")], tmp_path)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(("busy", "served"), [(2, True), (4, False)])
def test_a_busy_index_is_asked_again_a_few_times(
    index: str, tmp_path: Path, busy: int, served: bool
) -> None:
    _Handler.busy = busy
    fetcher = IndexFetcher(IndexSettings(indexes=(index,)))
    wants = [want("pkg:pypi/tool@1.0?file_name=tool-1.0.tar.gz")]
    if served:
        assert fetcher.fetch(wants, tmp_path)[0].read_bytes() == CONTENT
    else:
        with pytest.raises(InfrastructureError, match="HTTP status 503"):
            fetcher.fetch(wants, tmp_path)
    assert _Handler.busy == 0


def test_an_index_by_https_leads_nowhere_else(index: str) -> None:
    settings = IndexSettings(indexes=("https://one.example/simple",))
    for scheme in (index, f"file://{__file__}", "ftp://127.0.0.1/x"):
        with index_session(settings) as session, pytest.raises(requests.exceptions.InvalidSchema):
            session.get(scheme, timeout=5)
    with index_session(IndexSettings(indexes=(index,))) as session:
        assert session.get(f"{index}/tool/", timeout=5).ok


def test_a_file_without_end_is_cut_short(index: str, tmp_path: Path) -> None:
    fetcher = IndexFetcher(IndexSettings(indexes=(index,)), max_bytes=len(CONTENT) - 1)
    with pytest.raises(InputUnavailableError, match="too large"):
        fetcher.fetch([want("pkg:pypi/tool@1.0?file_name=tool-1.0.tar.gz")], tmp_path)


def test_pips_settings_are_used_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://one.example/simple\ntimeout = 7\n"
        "extra-index-url = https://two.example/simple\n    https://three.example/simple\n"
    )
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    configured = {**plain, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_CERT": "/ca.pem"}
    assert pip_settings(configured) == IndexSettings(
        indexes=(
            "https://one.example/simple",
            "https://two.example/simple",
            "https://three.example/simple",
        ),
        certificates="/ca.pem",
        timeout=7,
    )
    found = pip_settings({**configured, "PIP_INDEX_URL": "https://four.example/simple"})
    assert found.indexes[0] == "https://four.example/simple"
    (default,) = pip_settings({**plain, "PIP_CONFIG_FILE": os.devnull}).indexes
    assert default.startswith("https://")


def test_a_broken_pip_configuration_is_said(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("index-url\n")
    with pytest.raises(InfrastructureError, match="pip cannot say"):
        pip_settings({**os.environ, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})
