"""What is reviewed: every source of a release, and the claim that is built from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builders.core.digest import Digest
from pipelines.evidence.salt import Salt
from pipelines.evidence.statements.statement import DigestSet


@dataclass(frozen=True, kw_only=True)
class ReviewTarget:
    """Source digests and claim as reviews name them: keyed ones for a private release."""

    sources: tuple[DigestSet, ...]
    claim: DigestSet

    @classmethod
    def of(cls, sources: Iterable[Digest], claim: Digest, salt: Salt | None) -> ReviewTarget:
        """Return what reviews of a release name; `salt` is that of a private one."""
        if salt is None:
            return cls.named(sources, claim, keyed=False)
        return cls.named(map(salt.keyed, sources), salt.keyed(claim), keyed=True)

    @classmethod
    def named(cls, sources: Iterable[Digest], claim: Digest, *, keyed: bool) -> ReviewTarget:
        """Return it from digests that are keyed already, or need not be, as a public report's."""

        def named(digest: Digest) -> DigestSet:
            return DigestSet(hmac_sha256=digest) if keyed else DigestSet(sha256=digest)

        return cls(sources=tuple(named(d) for d in sorted(set(sources))), claim=named(claim))


def plain(named: DigestSet) -> Digest:
    """Return the digest, keyed or not; raises ValueError when there is none."""
    digest = named.sha256 or named.hmac_sha256
    if digest is None:
        message = "neither SHA-256 nor a keyed digest"
        raise ValueError(message)
    return digest
