"""Broken notes, checkpoints, proofs and forks, named by their defect, and why each is refused.

`python -m tests.log.corpus` writes the files from here; a test compares them.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

from pipelines.log.checkpoint import Checkpoint
from pipelines.log.fork import ForkProof
from pipelines.log.merkle import EMPTY_ROOT, inclusion_proof
from pipelines.log.note import NoteSigner, sign_note
from pipelines.log.proof import LogProof
from tests.log.keys import ORIGIN, log, witness
from tests.log.tree import Tree, mth, numbered

FOLDER = Path(__file__).parents[1] / "data" / "log"
ENTRIES = numbered(11)
INDEX = 6
LEAF = ENTRIES[INDEX]


def checkpoint(size: int = 11, *, last: bytes | None = None, origin: str = ORIGIN) -> Checkpoint:
    """The log's checkpoint, or a forked one whose last leaf is another."""
    entries = ENTRIES[:size] if last is None else [*ENTRIES[: size - 1], last]
    return Checkpoint(origin=origin, size=size, root=mth(entries))


TEXT = checkpoint().to_text()
GOOD = sign_note(TEXT, log(), witness())
_SIGNATURES = GOOD.split(b"\n\n")[1]
_LOG_LINE, _WITNESS_LINE, _ = _SIGNATURES.split(b"\n")
_PROOF = LogProof(
    index=INDEX,
    hashes=inclusion_proof(INDEX, 11, Tree.of(ENTRIES)),
    checkpoint=GOOD,
    extra=b"what nobody signs",
)
GOOD_PROOF = _PROOF.to_bytes()
FORKED = sign_note(checkpoint(last=b"another").to_text(), log(), witness())
GOOD_FORK = ForkProof(first=GOOD, second=FORKED).to_bytes()


def signed(text: bytes) -> bytes:
    """Whatever text, signed by the log without asking whether it is one."""
    signer = log()
    signature = b64encode(signer.key.id + signer.sign(text)).decode()
    return text + f"\n— {signer.key.name} {signature}\n".encode()


def _cosigned(signature: bytes) -> bytes:
    """The log's checkpoint, with these bytes as the witness's cosignature."""
    key = witness().key
    line = f"— {key.name} {b64encode(key.id + signature).decode()}\n"
    return TEXT.encode() + b"\n" + _LOG_LINE + b"\n" + line.encode()


def _resigned(line: bytes, change: int) -> bytes:
    """A signature line with one bit of its last byte, or of its id, changed."""
    dash, name, data = line.split(b" ")
    raw = bytearray(b64decode(data))
    raw[change] ^= 1
    return b" ".join([dash, name, b64encode(raw)])


def _of_urls(line: bytes) -> bytes:
    """A signature in the other alphabet of base64."""
    other = line.replace(b"+", b"-")
    assert other != line
    return other


def _loose(line: bytes) -> bytes:
    """A signature whose base64 says the same, with other bits left over."""
    digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    digit = digits[digits.index(line[-3]) ^ 1]
    other = line[:-3] + bytes([digit]) + b"=="
    assert b64decode(other.split(b" ")[2]) == b64decode(line.split(b" ")[2])
    return other


_NOTE = TEXT.encode() + b"\n"
_COSIGNED = b64decode(_WITNESS_LINE.split(b" ")[2])[4:]

NOTES: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "is not signed; got no blank line"),
    "text-alone": (TEXT.encode(), "is not signed; got no blank line"),
    "no-signature-line": (_NOTE, "ends within a line"),
    "no-last-newline": (GOOD[:-1], "ends within a line"),
    "blank-line-below": (GOOD + b"\n", "ends within a line"),
    "windows-line-endings": (GOOD.replace(b"\n", b"\r\n"), "control character; got U+000D"),
    "tab": (GOOD.replace(b"11\n", b"11\t\n", 1), "control character; got U+0009"),
    "nul": (b"\0" + GOOD, "control character; got U+0000 at 0"),
    "latin-1": (GOOD.replace("—".encode(), b"\x97"), "is not UTF-8; got byte 0x97"),
    "half-a-character": (b"\xed\xa0\x80" + GOOD, "is not UTF-8; got byte 0xed at 0"),
    "hyphen-for-dash": (GOOD.replace("—".encode(), b"-"), "is no signature"),
    "two-spaces": (GOOD.replace(b" ", b"  "), "is no signature"),
    "trailing-space": (GOOD[:-1] + b" \n", "is no signature"),
    "no-name": (_NOTE + b"\xe2\x80\x94  " + _LOG_LINE.split(b" ")[2] + b"\n", "cannot be used in"),
    "plus-in-name": (GOOD.replace(b" west.", b" we+st."), "cannot be used in a note"),
    "unicode-space-in-name": (
        GOOD.replace(b" west.", " we\N{NO-BREAK SPACE}st.".encode()),
        "cannot be used in a note",
    ),
    "base64-unpadded": (_NOTE + _LOG_LINE.rstrip(b"=") + b"\n", "is not base64 in its"),
    "base64-of-urls": (_NOTE + _of_urls(_LOG_LINE) + b"\n", "is not base64 in its"),
    "base64-loose-bits": (
        _NOTE + _LOG_LINE + b"\n" + _loose(_WITNESS_LINE) + b"\n",
        "is not base64 in its",
    ),
    "base64-not-ascii": (_NOTE + _LOG_LINE[:-4] + "é==".encode() + b"\n", "is not base64 in its"),
    "id-alone": (
        _NOTE + b"\xe2\x80\x94 x.example AAAAAA==\n",
        "cut off; got 4 bytes of key id and 0",
    ),
    "id-cut-off": (
        _NOTE + b"\xe2\x80\x94 x.example AAAA\n",
        "cut off; got 3 bytes of key id and 0",
    ),
    "too-many-signatures": (
        _NOTE + b"\n".join([_LOG_LINE] * 65) + b"\n",
        "too few or too many signatures; got 65",
    ),
    "stranger-alone": (
        sign_note(TEXT, log("samebits.example/centers/other")),
        "is not signed by a known key",
    ),
    "witness-alone": (sign_note(TEXT, witness()), "cosigned, but not signed by its log"),
    "same-name-other-key": (sign_note(TEXT, log(word="x")), "is not signed by a known key"),
    "signature-altered": (_NOTE + _resigned(_LOG_LINE, -1) + b"\n", "does not fit the text"),
    "text-altered": (GOOD.replace(b"\n11\n", b"\n12\n"), "does not fit the text"),
    "second-signature-of-a-key-bad": (
        GOOD + _resigned(_LOG_LINE, -1) + b"\n",
        "does not fit the text",
    ),
    "cosignature-altered": (
        _NOTE + _LOG_LINE + b"\n" + _resigned(_WITNESS_LINE, -1) + b"\n",
        "does not fit the text",
    ),
    "cosignature-time-altered": (
        _NOTE + _LOG_LINE + b"\n" + _resigned(_WITNESS_LINE, 11) + b"\n",
        "does not fit the text",
    ),
    "cosignature-without-time": (_cosigned(_COSIGNED[8:]), "cosignature has another length"),
    "cosignature-too-long": (_cosigned(_COSIGNED + b"\0"), "cosignature has another length"),
    "cosignature-beyond-time": (
        _cosigned(b"\x80" + _COSIGNED[1:]),
        "has a time that does not exist",
    ),
}

CHECKPOINTS: Mapping[str, tuple[bytes, str]] = {
    "two-lines": (f"{ORIGIN}\n0\n".encode(), "is incomplete; got 2 lines"),
    "no-origin": (b"\n" + TEXT.split("\n", 1)[1].encode(), "empty line"),
    "size-with-leading-zero": (TEXT.replace("\n11\n", "\n011\n").encode(), "the size of"),
    "size-with-sign": (TEXT.replace("\n11\n", "\n+11\n").encode(), "the size of"),
    "size-with-space": (TEXT.replace("\n11\n", "\n11 \n").encode(), "the size of"),
    "size-in-other-digits": (TEXT.replace("\n11\n", "\n\u0661\u0661\n").encode(), "the size of"),
    "size-empty": (TEXT.replace("\n11\n", "\n\n").encode(), "the size of"),
    "size-2-to-the-63": (TEXT.replace("\n11\n", f"\n{1 << 63}\n").encode(), "the size of"),
    "root-short": (f"{ORIGIN}\n11\nAAAA\n".encode(), "the root of the checkpoint has another"),
    "root-in-hex": (f"{ORIGIN}\n11\n{EMPTY_ROOT.hex()}\n".encode(), "has another length"),
    "root-unpadded": (TEXT.replace("=\n", "\n").encode(), "the root of the checkpoint is not base"),
    "empty-log-with-a-root": (TEXT.replace("\n11\n", "\n0\n").encode(), "not that of an empty log"),
    "empty-extension": (TEXT.encode() + b"\nmore\n", "empty line"),
    "blank-last-line": (TEXT.encode() + b"\n", "empty line"),
    "another-log": (
        checkpoint(origin="samebits.example/centers/other").to_text().encode(),
        "is of another log",
    ),
}

_LINES = GOOD_PROOF.split(b"\n\n", 1)[0].split(b"\n")
_BELOW = b"\n\n" + GOOD


def _lines(*lines: bytes) -> bytes:
    return b"\n".join(lines) + _BELOW


PROOFS: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "has no checkpoint"),
    "another-version": (_lines(b"c2sp.org/tlog-proof@v2", *_LINES[1:]), "of another form"),
    "no-header": (_lines(*_LINES[1:]), "of another form"),
    "no-index": (_lines(*_LINES[:2], *_LINES[3:]), "does not say which leaf"),
    "header-alone": (_lines(_LINES[0]), "which leaf it is of; got no line"),
    "index-with-leading-zero": (_lines(*_LINES[:2], b"index 06", *_LINES[3:]), "the index of"),
    "index-negative": (_lines(*_LINES[:2], b"index -6", *_LINES[3:]), "the index of"),
    "index-last-number": (
        _lines(*_LINES[:2], b"index 9223372036854775807", *_LINES[3:]),
        "is of a leaf that no log has",
    ),
    "index-of-another-leaf": (_lines(*_LINES[:2], b"index 7", *_LINES[3:]), "is not in the tree"),
    "index-beyond-the-tree": (_lines(*_LINES[:2], b"index 11", *_LINES[3:]), "has no such leaf"),
    "extra-twice": (_lines(*_LINES[:2], *_LINES[1:]), "does not say which leaf"),
    "extra-below-index": (_lines(_LINES[0], _LINES[2], _LINES[1], *_LINES[3:]), "a hash of"),
    "extra-empty": (_lines(_LINES[0], b"extra ", *_LINES[2:]), "too much or empty extra data"),
    "extra-not-base64": (_lines(_LINES[0], b"extra ?", *_LINES[2:]), "the extra data of"),
    "hash-not-base64": (_lines(*_LINES[:-1], _LINES[-1][:-1]), "a hash of the proof is not base"),
    "hash-short": (_lines(*_LINES[:-1], b"AAAA"), "hash of another length; got 3 bytes"),
    "hash-missing": (_lines(*_LINES[:-1]), "inclusion proof has another length; got 3"),
    "hash-altered": (_lines(*_LINES[:-1], b64encode(bytes(32))), "is not in the tree"),
    "hash-one-more": (_lines(*_LINES, _LINES[-1]), "inclusion proof has another length; got 5"),
    "hashes-swapped": (_lines(*_LINES[:3], _LINES[4], _LINES[3], *_LINES[5:]), "is not in the tre"),
    "hashes-too-many": (_lines(*_LINES[:3], *_LINES[3:4] * 64), "too many hashes; got 64"),
    "no-blank-line": (GOOD_PROOF.replace(b"\n\n", b"\n"), "has no checkpoint"),
    "two-blank-lines": (GOOD_PROOF.replace(b"\n\n", b"\n\n\n", 1), "does not fit the text"),
    "windows-line-endings": (GOOD_PROOF.replace(b"\n", b"\r\n"), "control character; got U+000D"),
    "checkpoint-unsigned": (b"\n".join(_LINES) + b"\n\n" + TEXT.encode(), "is not signed"),
    "checkpoint-altered": (GOOD_PROOF.replace(b"\n11\n", b"\n12\n"), "does not fit the text"),
    "checkpoint-of-another-tree": (b"\n".join(_LINES) + b"\n\n" + FORKED, "is not in the tree"),
}


def _fork(**changes: object) -> bytes:
    value = json.loads(GOOD_FORK) | changes
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()


def _note(checkpoint: Checkpoint, *signers: NoteSigner) -> str:
    return sign_note(checkpoint.to_text(), *(signers or (log(),))).decode()


FORKS: Mapping[str, tuple[bytes, str]] = {
    "not-json": (GOOD, "is malformed"),
    "another-type": (_fork(type="https://samebits.example/log-fork/v2"), "got other fields"),
    "one-field-more": (_fork(third=""), "got other fields"),
    "spaces": (json.dumps(json.loads(GOOD_FORK), ensure_ascii=False).encode(), "not canonical"),
    "escapes": (json.dumps(json.loads(GOOD_FORK)).replace(": ", ":").encode(), "not canonical"),
    "first-a-number": (_fork(first=1), "got first of type int"),
    "second-null": (_fork(second=None), "got second of type NoneType"),
    "half-a-character": (
        GOOD_FORK.replace(b'"second":"', b'"second":"\\ud800'),
        "is malformed",
    ),
    "first-unsigned": (_fork(first=TEXT), "is not signed"),
    "one-checkpoint-twice": (_fork(second=GOOD.decode()), "have one root"),
    "one-root-other-signatures": (_fork(second=_note(checkpoint())), "have one root"),
    "two-sizes": (_fork(second=_note(checkpoint(10))), "prove no fork; got 11 and 10 leaves"),
    "second-of-another-log": (
        _fork(second=_note(checkpoint(origin="samebits.example/centers/other", last=b"x"))),
        "is of another log",
    ),
    "second-by-a-stranger": (
        _fork(second=_note(checkpoint(last=b"x"), log(word="x"))),
        "is not signed by a known key",
    ),
    "second-by-a-witness-alone": (
        _fork(second=_note(checkpoint(last=b"x"), witness())),
        "cosigned, but not signed by its log",
    ),
}


def files() -> dict[Path, bytes]:
    """Return every file of the corpus."""
    good = {"good.note": GOOD, "good.tlog-proof": GOOD_PROOF, "good.fork.json": GOOD_FORK}
    found = {FOLDER / name: data for name, data in good.items()}
    for folder, suffix, cases in (
        ("notes", ".note", NOTES),
        ("checkpoints", ".txt", CHECKPOINTS),
        ("proofs", ".tlog-proof", PROOFS),
        ("forks", ".json", FORKS),
    ):
        found |= {FOLDER / folder / f"{name}{suffix}": data for name, (data, _) in cases.items()}
    return found


if __name__ == "__main__":
    for path, data in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
