"""Peers that mean harm: an HTTP server that talks like S3, and stores of records and of a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from infra.bench.madeup import MadeUpKey
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.merkle import leaf_hash
from pipelines.log.note import NoteSigner, sign_note
from pipelines.log.tiles import CHECKPOINT, WIDTH, pack_entries, subtree_root
from pipelines.storage.store import not_found

_PIECE = bytes(1 << 20)
_ODD = "%ff"
_RECORDS = 20_000


class Attack(StrEnum):
    """What a server does to whoever reads it."""

    STALLS = "stalls"
    """It takes requests, and answers nothing."""
    DRIPS = "drips"
    """It sends an object, one byte at a time."""
    NAMES = "names"
    """It lists names without end."""
    ODD_NAMES = "odd-names"
    """It lists names without end, none of which a record can have."""
    LARGE = "large"
    """Each object has 10 GB."""


class _Handler(BaseHTTPRequestHandler):
    attack: Attack
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer as S3 does, in part."""
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        with suppress(OSError):
            if "versioning" in query:
                self._xml("<VersioningConfiguration/>")
            elif "list-type" in query:
                self._list(query)
            else:
                self._object()

    def _list(self, query: dict[str, list[str]]) -> None:
        if self.attack is Attack.STALLS:
            time.sleep(60)
        prefix, page = query["prefix"][0], int(query.get("continuation-token", ["0"])[0])
        endless = self.attack in {Attack.NAMES, Attack.ODD_NAMES}
        names = [f"{prefix}run/attempt-1.dsse.json"]
        if endless:
            odd = _ODD if self.attack is Attack.ODD_NAMES else ""
            numbers = range(1000 * page, 1000 * page + 1000)
            names = [f"{prefix}{odd}{n:012d}/attempt-1.dsse.json" for n in numbers]
        contents = "".join(f"<Contents><Key>{n}</Key><Size>2</Size></Contents>" for n in names)
        more = f"<NextContinuationToken>{page + 1}</NextContinuationToken>" if endless else ""
        cut = str(endless).lower()
        self._xml(
            f"<ListBucketResult><IsTruncated>{cut}</IsTruncated>{more}{contents}</ListBucketResult>"
        )

    def _object(self) -> None:
        if self.attack is Attack.STALLS:
            time.sleep(60)
        self.send_response(200)
        self.send_header("ETag", '"0"')
        self.send_header("Content-Length", str(10_000_000_000))
        self.end_headers()
        piece, pause = (_PIECE, 0.0) if self.attack is Attack.LARGE else (b"{", 0.05)
        while True:
            self.wfile.write(piece)
            time.sleep(pause)

    def _xml(self, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hostile_server(attack: Attack) -> Iterator[str]:
    """Serve on loopback, and yield the URL of the server."""
    handler = type("Handler", (_Handler,), {"attack": attack})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class TinyRecords:
    """A store of tiny records, a million of fifty releases."""

    def get(self, _key: str, _limit: int) -> bytes:
        """Return a record that says nothing."""
        return b"{}"

    def list(self, prefix: str) -> Iterator[str]:
        """Yield as many names as one release may have."""
        return (f"{prefix}{n:08d}/attempt-1.dsse.json" for n in range(_RECORDS))


class EqualLeaves:
    """A log of `WIDTH` ** `levels` equal leaves, each of which is verified."""

    def __init__(self, leaf: bytes, center: str, *, levels: int = 3) -> None:
        """Sign the tree with the made-up key of the log of `center`."""
        self._bundle = pack_entries([leaf] * WIDTH)
        self._hashes = [leaf_hash(leaf)]
        for _ in range(levels):
            self._hashes.append(subtree_root([self._hashes[-1]] * WIDTH))
        origin = f"samebits.example/centers/{center}"
        tree = Checkpoint(origin=origin, size=WIDTH**levels, root=self._hashes[-1])
        self._note = sign_note(tree.to_text(), NoteSigner(origin, MadeUpKey(f"log {center}")))

    def get(self, key: str, _limit: int) -> bytes:
        """Return the checkpoint, a bundle or a tile."""
        if key == CHECKPOINT:
            return self._note
        if "/tile/entries/" in key:
            return self._bundle
        if "/tile/" not in key:
            raise not_found(key)
        level, *_, last = key.split("/tile/")[1].split("/")
        width = int(last) if ".p/" in key else WIDTH
        return self._hashes[int(level)] * width

    def list(self, _prefix: str) -> Iterator[str]:
        """Yield nothing."""
        return iter(())
