"""What the index says of a project, new form and old; the index is a server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from packaging.version import Version

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, InputUnavailableError
from builders.locators.package_index import IndexReader, IndexSettings

HEX = "1" * 64
FILES = [
    {"filename": "tool-1.0-py3-none-any.whl", "hashes": {"sha256": HEX}, "size": 7,
     "upload-time": "2022-06-01T10:00:00.5Z", "yanked": "broken", "requires-python": ">=3.8",
     "url": "/f/1"},
    {"filename": "tool-1.0.tar.gz", "hashes": {"sha256": HEX}, "url": "/f/2", "yanked": False},
    {"filename": "tool-1.0.egg", "hashes": {"sha256": HEX}, "url": "/f/3"},
    {"filename": "tool-2.0.zip", "hashes": {}, "url": "/f/4"},
]  # fmt: skip
PAGES = {
    "/simple/tool/": (
        "application/vnd.pypi.simple.v1+json",
        json.dumps({"meta": {"api-version": "1.1"}, "name": "tool", "files": FILES}),
    ),
    "/simple/old/": (
        "text/html",
        f'<!DOCTYPE html><html><body><a href="/f/old-1.0.tar.gz#sha256={HEX}">old-1.0.tar.gz</a>',
    ),
}


class _Handler(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        kind, text = PAGES.get(self.path, ("text/plain", ""))
        status = 200 if text else (500 if "broken" in self.path else 404)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def reader() -> Iterator[IndexReader]:
    _Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        index = f"http://127.0.0.1:{server.server_port}/simple"
        yield IndexReader(IndexSettings(indexes=(index,)))
        server.shutdown()
        thread.join()


def test_a_wheel_is_known_with_its_day_and_its_tags(reader: IndexReader) -> None:
    wheel, source = reader.project("Tool").files
    assert (wheel.version, wheel.kind, wheel.size) == (Version("1.0"), "wheel", 7)
    assert wheel.sha256 == Digest(HEX)
    assert wheel.uploaded == datetime(2022, 6, 1, 10, 0, 0, 500_000, tzinfo=UTC)
    assert (wheel.yanked, wheel.requires_python) == ("broken", ">=3.8")
    assert wheel.tags == {"py3-none-any"}
    assert (source.kind, source.yanked, source.uploaded) == ("sdist", None, None)


def test_eggs_and_files_without_a_digest_do_not_count(reader: IndexReader) -> None:
    assert len(reader.project("tool").of(Version("1.0"))) == 2
    assert reader.project("tool").of(Version("2.0")) == ()


def test_an_old_index_knows_no_days(reader: IndexReader) -> None:
    (source,) = reader.project("old").files
    assert (source.name, source.uploaded) == ("old-1.0.tar.gz", None)


def test_a_page_is_read_once(reader: IndexReader) -> None:
    assert reader.project("tool") == reader.project("TOOL")
    assert _Handler.asked == ["/simple/tool/"]


def test_no_page_is_one_finding_without_an_address(reader: IndexReader) -> None:
    with pytest.raises(InputUnavailableError, match="no project nothing") as caught:
        reader.project("nothing")
    assert "127.0.0.1" not in str(caught.value)


def test_an_index_that_fails_is_not_taken_for_absence(reader: IndexReader) -> None:
    with pytest.raises(InfrastructureError) as caught:
        reader.project("broken")
    assert "127.0.0.1" not in str(caught.value)
