"""Whether a center did the work: its keyed digests, made again from bytes of our own.

The key is that of the one run (`builders.build.seal`), so a line can neither be copied from another
run nor made from a digest. An empty file proves nothing: everybody has its bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from builders.build.seal import SealedFile, seal_key
from builders.core.digest import Digest, canonical_json
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.crosscheck import CheckedFile, Proof, overall


@dataclass(frozen=True, kw_only=True)
class OwnFile:
    """A file that we have built: its name, size in bytes, and HMAC-SHA256 under a key."""

    name: str
    size: int
    by_product: bool
    keyed: Callable[[bytes], Digest]


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What a run of another center offers as its proof of work."""

    center: str
    run: str
    lines: tuple[SealedFile, ...]
    """Its by-products, as its provenance tells them."""
    seal: Digest
    """What it committed to before it looked at a shipped file."""


@dataclass(frozen=True, kw_only=True)
class WorkProof:
    """What came of checking, file by file, and whether the whole seal could be made again."""

    proof: Proof
    seal: Proof
    files: tuple[CheckedFile, ...]


def check_work(
    claimed: Claimed, own: Sequence[OwnFile], *, same_outputs: bool, salt: Salt | None = None
) -> WorkProof:
    """Check the proof of work of a run of the same claim against our `own` outputs.

    `same_outputs` says that it tells the same digests of its outputs as we do: then its seal can be
    made again as a whole. With a `salt`, its lines are told by number and keyed once more.
    """
    key = seal_key(claimed.center, claimed.run)
    made = sorted(
        (SealedFile(name=f.name, size=f.size, hmac=f.keyed(key)) for f in own),
        key=lambda line: line.name,
    )
    products = {file.name for file in own if file.by_product}
    lines = [line for line in made if line.name in products]
    files = _by_name(claimed.lines, lines) if salt is None else _veiled(claimed.lines, lines, salt)
    seal = Proof.NONE
    if same_outputs:
        digest = Digest.of(canonical_json([line.model_dump(mode="json") for line in made]))
        seal = Proof.PROVED if digest == claimed.seal else Proof.WRONG
    return WorkProof(proof=overall((f.proof for f in files), seal), seal=seal, files=files)


def _by_name(claimed: Sequence[SealedFile], lines: Sequence[SealedFile]) -> tuple[CheckedFile, ...]:
    """Check lines of equal names: what only we have is absent, what only they have is wrong."""
    offered = Counter(line.name for line in claimed)
    ours = {line.name: line for line in lines}
    theirs = {line.name: line for line in claimed}
    checked = []
    for name in sorted(ours.keys() | theirs.keys()):
        proof = _proof(ours.get(name), theirs.get(name))
        checked.append(CheckedFile(name=name, proof=proof if offered[name] < 2 else Proof.WRONG))
    return tuple(checked)


def _veiled(
    claimed: Sequence[SealedFile], lines: Sequence[SealedFile], salt: Salt
) -> tuple[CheckedFile, ...]:
    """Check lines that are told by number, in the order of the names that they do not tell."""
    told = tuple(
        SealedFile(name=f"by-product-{number}", size=line.size, hmac=salt.keyed(line.hmac))
        for number, line in enumerate(lines, start=1)
    )
    return _by_name(claimed, told)


def _proof(ours: SealedFile | None, theirs: SealedFile | None) -> Proof:
    if theirs is None:
        return Proof.NONE if ours is not None and not ours.size else Proof.ABSENT
    if ours != theirs:
        return Proof.WRONG
    return Proof.PROVED if theirs.size else Proof.NONE
