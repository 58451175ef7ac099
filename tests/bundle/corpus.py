"""Broken bundles in `tests/data/bundles`, each named by its defect, and the check that finds it.

They are made from one sound bundle under a fixed key: `python -m tests.bundle.corpus` writes them
anew, which is only needed when the format changes.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from infra.bench.sample import Keys, Sample, sample
from pipelines.bundle import Bundle
from pipelines.bundle.layout import (
    BLOCK,
    CARD,
    LEAF,
    LOG,
    MEDIA_TYPE,
    PROOF,
    REPORT,
    SUMS,
    sums_of,
    write_tar,
)
from pipelines.bundle.layout import POLICY as BROUGHT
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.publickey import ed25519_key

FOLDER = Path(__file__).parents[1] / "data" / "bundles"
SOUND, TRUSTED, POLICY = "sound.tar", "trusted.pub", "policy.dsse.json"
NOW, EXPIRES = datetime(2026, 3, 1, tzinfo=UTC), datetime(2126, 3, 1, tzinfo=UTC)
_ATTEMPT = "statements/attempt-1.dsse.json"
_COMPARISON = "statements/comparison-1.dsse.json"
_END = 2 * BLOCK
Break = Callable[[bytes], bytes]


def fixed_key(first: int = 0) -> PrivateKey:
    """Return a key that everybody knows: 32 bytes that count from `first`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(bytes(range(first, first + 32)))
    public = ed25519_key(private.public_key().public_bytes_raw())
    return PrivateKey(public=public, signer=private.sign)


def fixed_sample() -> Sample:
    """Return the sound bundle and its policy."""
    keys = Keys(statements=fixed_key(), log=fixed_key(1), operator=fixed_key(2))
    return sample(keys, expires=EXPIRES)


def members(data: bytes) -> list[tuple[str, bytes]]:
    """Return all members, mark and digests among them."""
    bundle = Bundle.from_bytes(data)
    mark = data[BLOCK : BLOCK + len(MEDIA_TYPE) + 1]
    return [("mimetype", mark), (SUMS, bundle.sums), *bundle.members.items()]


def _header(offset: int, at: int, field: bytes) -> Break:
    """Put a field into the header at a block, with the right checksum."""

    def broken(data: bytes) -> bytes:
        header = bytearray(data[offset : offset + BLOCK])
        header[at : at + len(field)] = field
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        return data[:offset] + bytes(header) + data[offset + BLOCK :]

    return broken


def _members(change: Callable[[list[tuple[str, bytes]]], object]) -> Break:
    def broken(data: bytes) -> bytes:
        found = members(data)
        change(found)
        return write_tar(found)

    return broken


def _sums(change: Callable[[bytes], bytes]) -> Break:
    return lambda data: Bundle(
        members=Bundle.from_bytes(data).members, sums=change(Bundle.from_bytes(data).sums)
    ).to_bytes()


def _content(member: str, change: Callable[[bytes], bytes]) -> Break:
    """Change a member, and its digest with it."""

    def broken(data: bytes) -> bytes:
        found = dict(Bundle.from_bytes(data).members)
        found[member] = change(found.get(member, b""))
        return Bundle(members=found, sums=sums_of(found)).to_bytes()

    return broken


def _zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members(data):
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def _swap(found: list[tuple[str, bytes]], one: int, two: int) -> None:
    found[one], found[two] = found[two], found[one]


def _named(found: list[tuple[str, bytes]], index: int, name: str) -> None:
    found[index] = (name, found[index][1])


def _deep(data: bytes) -> bytes:
    return b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"


BROKEN: dict[str, tuple[str, Break]] = {
    "empty": ("form", lambda _: b""),
    "zeros-only": ("form", lambda _: bytes(10240)),
    "a-zip": ("form", _zipped),
    "gzipped": ("form", lambda d: gzip.compress(d, mtime=0)),
    "an-envelope-alone": ("form", lambda d: Bundle.from_bytes(d).members[_ATTEMPT]),
    "media-type-of-version-1": ("form", lambda d: d.replace(b"bundle.v2+tar", b"bundle.v1+tar", 1)),
    "media-type-with-more": (
        "form",
        _members(lambda m: m.__setitem__(0, (m[0][0], m[0][1] + b"!"))),
    ),
    "media-type-second": ("form", _members(lambda m: _swap(m, 0, 1))),
    "digests-not-second": ("form", _members(lambda m: _swap(m, 1, 2))),
    "without-digests": ("form", _members(lambda m: m.pop(1))),
    "members-out-of-order": ("form", _members(lambda m: _swap(m, 3, 4))),
    "member-twice": ("form", _members(lambda m: m.insert(2, m[2]))),
    "truncated-in-a-header": ("form", lambda d: d[: BLOCK + BLOCK + 100]),
    "truncated-in-a-member": ("form", lambda d: d[: len(d) // 2 + 7]),
    "without-an-end": ("form", lambda d: d[:-_END]),
    "one-empty-block": ("form", lambda d: d[:-BLOCK]),
    "blocked-as-tar-does": ("form", lambda d: d + bytes(-len(d) % 10240 or 10240)),
    "something-after-the-end": ("form", lambda d: d + b"more"),
    "a-bundle-after-the-end": ("form", lambda d: d + d),
    "padding-not-zero": ("form", lambda d: d[: 2 * BLOCK - 1] + b"x" + d[2 * BLOCK :]),
    "checksum-wrong": ("form", lambda d: d[:148] + b"000000" + d[154:]),
    "mode-setuid": ("form", _header(2 * BLOCK, 100, b"0004755")),
    "owner-not-zero": ("form", _header(2 * BLOCK, 108, b"0001750")),
    "time-not-zero": ("form", _header(2 * BLOCK, 136, b"14000000000")),
    "magic-of-gnu": ("form", _header(2 * BLOCK, 257, b"ustar  \0")),
    "a-symbolic-link": ("form", _header(2 * BLOCK, 156, b"2/etc/passwd")),
    "a-folder": ("form", _header(2 * BLOCK, 156, b"5")),
    "a-pax-header": ("form", _header(2 * BLOCK, 156, b"x")),
    "size-huge": ("form", _header(2 * BLOCK, 124, b"77777777777")),
    "size-in-base-256": ("form", _header(2 * BLOCK, 124, b"\x80" + bytes(10))),
    "size-with-spaces": ("form", _header(2 * BLOCK, 124, b"       1000")),
    "size-negative": ("form", _header(2 * BLOCK, 124, b"-0000000001")),
    "name-with-a-line-break": ("form", _header(2 * BLOCK, 0, b"SHA256\nSUMS")),
    "name-not-ascii": ("form", _header(2 * BLOCK, 0, b"SHA256S\xc3\x9cMS")),
    "name-absolute": ("members", _members(lambda m: m.insert(2, ("/etc/passwd", b"x")))),
    "name-upwards": ("members", _members(lambda m: m.insert(2, ("../center.json", b"x")))),
    "name-in-another-case": ("members", _members(lambda m: _named(m, 2, "Center.json"))),
    "member-unknown": ("members", _content("zz-later", lambda _: b"x")),
    "nothing-but-marks": ("members", _members(lambda m: m.__delitem__(slice(2, None)))),
    "digest-of-another": ("digests", _sums(lambda s: b"0" * 64 + s[64:])),
    "digests-in-upper-case": ("digests", _sums(lambda s: s.upper())),
    "digests-with-a-line-more": ("digests", _sums(lambda s: s + s.splitlines(keepends=True)[0])),
    "digests-with-a-line-less": ("digests", _sums(lambda s: s[s.index(b"\n") + 1 :])),
    "digests-in-binary-mode": ("digests", _sums(lambda s: s.replace(b"  ", b" *"))),
    "digests-empty": ("digests", _sums(lambda _: b"")),
    "card-nested-too-deep": ("card", _content(CARD, _deep)),
    "card-key-twice": ("card", _content(CARD, lambda c: c.replace(b"{", b'{"id":"x",', 1))),
    "key-of-nothing": ("keys", _content("keys/statements.pub", lambda _: b"")),
    "key-private": (
        "keys",
        _content("keys/statements.pub", lambda k: k.replace(b"PUBLIC", b"PRIVATE")),
    ),
    "envelope-empty": ("envelopes", _content(_ATTEMPT, lambda _: b"")),
    "envelope-nested-too-deep": ("envelopes", _content(_ATTEMPT, _deep)),
    "envelope-unsigned": (
        "envelopes",
        _content(_ATTEMPT, lambda e: e[: e.index(b'"signatures":')] + b'"signatures":[]}'),
    ),
    "envelope-of-another-statement": (
        "envelopes",
        lambda d: _content(_ATTEMPT, lambda _: Bundle.from_bytes(d).members[_COMPARISON])(d),
    ),
    "signature-of-another-statement": (
        "signatures",
        lambda d: _content(
            _ATTEMPT,
            lambda e: (
                e[: e.index(b'"signatures":')]
                + (c := Bundle.from_bytes(d).members[_COMPARISON])[c.index(b'"signatures":') :]
            ),
        )(d),
    ),
    "policy-empty": ("given-policy", _content(BROUGHT, lambda _: b"")),
    "policy-nested-too-deep": ("given-policy", _content(BROUGHT, _deep)),
    "leaf-empty": ("leaves", _content(f"{LOG}1{LEAF}", lambda _: b"")),
    "leaf-indented": ("leaves", _content(f"{LOG}1{LEAF}", lambda d: d.replace(b",", b", "))),
    "leaf-with-a-field-twice": (
        "leaves",
        _content(f"{LOG}1{LEAF}", lambda d: d.replace(b"{", b'{"v":1,', 1)),
    ),
    "leaf-nested-too-deep": ("leaves", _content(f"{LOG}1{LEAF}", lambda d: _deep(d)[:4096])),
    "proof-empty": ("leaves", _content(f"{LOG}1{PROOF}", lambda _: b"")),
    "proof-truncated": ("leaves", _content(f"{LOG}1{PROOF}", lambda d: d[: d.index(b"\n\n")])),
    "proof-not-utf-8": (
        "leaves",
        _content(f"{LOG}1{PROOF}", lambda d: d.replace(b"index", b"ind\xff", 1)),
    ),
    "proof-of-version-2": (
        "leaves",
        _content(f"{LOG}1{PROOF}", lambda d: d.replace(b"@v1", b"@v2", 1)),
    ),
    "report-empty": ("report", _content(REPORT, lambda _: b"")),
    "report-nested-too-deep": ("report", _content(REPORT, _deep)),
    "report-not-utf-8": ("report", _content(REPORT, lambda r: r.replace(b"sample", b"\xff", 1))),
    "report-key-twice": ("report", _content(REPORT, lambda r: r.replace(b"{", b'{"run":"x",', 1))),
    "report-with-nan": ("report", _content(REPORT, lambda r: r.replace(b"3.0", b"NaN", 1))),
}


def write(folder: Path = FOLDER) -> None:
    """Write the sound bundle, the key that it is signed with, and every broken one."""
    folder.mkdir(exist_ok=True)
    made = fixed_sample()
    (folder / SOUND).write_bytes(made.bundle)
    (folder / POLICY).write_bytes(made.policy)
    (folder / TRUSTED).write_bytes(fixed_key().public.to_pem())
    for name, (_, broken) in BROKEN.items():
        (folder / f"{name}.tar").write_bytes(broken(made.bundle))


if __name__ == "__main__":
    write()
