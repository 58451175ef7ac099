"""Proofs for offline use (C2SP tlog-proof): a leaf's index and path, and a signed checkpoint.

Reading a proof verifies nothing; `verify` checks signature, log and path together. The extra data
is not signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pipelines.evidence.strictbase64 import encode_base64
from pipelines.log.checkpoint import LogIdentity, SignedCheckpoint, open_checkpoint
from pipelines.log.errors import ProofError
from pipelines.log.merkle import MAX_SIZE, check_hashes, verify_inclusion
from pipelines.log.note import MAX_NOTE, Note
from pipelines.log.text import check_range, parse_base64, parse_number, parse_text, shown

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63
"""Hashes of the longest path: one a level of the largest tree."""
MAX_EXTRA = 64 << 10
MAX_PROOF = MAX_NOTE + MAX_EXTRA * 2
_WHAT = "the proof"
_EXTRA = "extra "
_INDEX = "index "


@dataclass(frozen=True, kw_only=True)
class LogProof:
    """The place of a leaf in a log: `hashes` lead from it to the root in `checkpoint`.

    `checkpoint` is the signed note, byte by byte as it was published; `extra` is application data.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        what = f"{_WHAT} is of a leaf that no log has"
        check_range(self.index, 0, MAX_SIZE - 1, what=what, error=ProofError)
        what = f"{_WHAT} has too many hashes"
        check_range(len(self.hashes), 0, MAX_HASHES, what=what, error=ProofError)
        check_hashes(_WHAT, self.hashes)
        if self.extra is not None and not 0 < len(self.extra) <= MAX_EXTRA:
            raise ProofError(
                f"{_WHAT} has too much or empty extra data",
                got=f"{len(self.extra)} bytes",
                expected=f"1 to {MAX_EXTRA} bytes, or no extra line",
            )
        _check_note(self.checkpoint)

    @classmethod
    def parse(cls, data: bytes) -> LogProof:
        """Read a proof, verifying nothing; raises `ProofError` or `NoteError`."""
        whole = parse_text(data, what=_WHAT, limit=MAX_PROOF, error=ProofError)
        above, blank, checkpoint = whole.partition("\n\n")
        if not blank:
            raise ProofError(
                f"{_WHAT} has no checkpoint", got="no blank line", expected="one above it"
            )
        header, *lines = above.split("\n")
        if header != HEADER:
            raise ProofError(f"{_WHAT} is of another form", got=shown(header), expected=HEADER)
        extra = None
        if lines and lines[0].startswith(_EXTRA):
            text = lines.pop(0).removeprefix(_EXTRA)
            extra = parse_base64(text, what=f"the extra data of {_WHAT}", error=ProofError)
        if not lines or not lines[0].startswith(_INDEX):
            raise ProofError(
                f"{_WHAT} does not say which leaf it is of",
                got=shown(lines[0]) if lines else "no line",
                expected="`index ` and a number",
            )
        number, what = lines.pop(0).removeprefix(_INDEX), f"a hash of {_WHAT}"
        return cls(
            index=parse_number(number, what=f"the index of {_WHAT}", error=ProofError),
            hashes=tuple(parse_base64(line, what=what, error=ProofError) for line in lines),
            checkpoint=checkpoint.encode(),
            extra=extra,
        )

    def to_bytes(self) -> bytes:
        """Return the file `.tlog-proof`; `parse` gives an equal value, and this the same bytes."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(_EXTRA + encode_base64(self.extra))
        lines.append(f"{_INDEX}{self.index}")
        lines += map(encode_base64, self.hashes)
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint

    def verify(self, leaf: bytes, log: LogIdentity) -> SignedCheckpoint:
        """Return the checkpoint of `log` whose tree has the hash `leaf` at this index.

        A policy decides which cosignatures are enough. Raises `NoteError`, `CheckpointError`
        or `ProofError`.
        """
        signed = open_checkpoint(self.checkpoint, log)
        verify_inclusion(
            leaf=leaf,
            index=self.index,
            size=signed.checkpoint.size,
            proof=self.hashes,
            root=signed.checkpoint.root,
        )
        return signed


@lru_cache(8)  # many proofs lead to the same few checkpoints
def _check_note(checkpoint: bytes) -> None:
    Note.parse(checkpoint)
