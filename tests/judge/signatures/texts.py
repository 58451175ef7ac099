"""Clear-signs small texts as gpg would, and badly in every way that a test wants."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace

from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures.pgp_signing import PgpKey, Signature, ed25519_key

DSC = b"Format: 3.0 (quilt)\nSource: hello\n-dash\nFiles:\n 1234  hello.tar \n\nFrom here on\n"
ADA, BOB, EVE = ed25519_key(), ed25519_key("Bob <bob@example.com>"), ed25519_key("Eve <e@e.e>")
_NAMES = {1: "MD5", 2: "SHA1", 8: "SHA256", 10: "SHA512", 12: "SHA3-256"}


def pinned(*signers: PgpKey) -> PinnedSignature:
    return PinnedSignature(
        format=SignedFormat.CLEARSIGNED,
        signers=tuple(one.fingerprint for one in signers),
        public_keys=tuple(one.armored for one in signers),
    )


def canonical(text: bytes) -> bytes:
    lines = text.removesuffix(b"\n").split(b"\n")
    return b"\r\n".join(line.rstrip(b" \t\r") for line in lines)


def escaped(text: bytes) -> bytes:
    lines = text.split(b"\n")
    return b"\n".join(b"- " + one if one.startswith((b"-", b"From ")) else one for one in lines)


@dataclass(frozen=True, kw_only=True)
class ClearSigned:
    """A clear-signed text; the defaults are right."""

    text: bytes = DSC
    by: tuple[PgpKey, ...] = (ADA,)
    signed: bytes | None = None
    """What is signed in place of the text."""
    shown: bytes | None = None
    """The lines in the frame, if other than the text with dashes."""
    headers: bytes | None = None
    kind: int = 1
    digest: int = 10
    width: int = 64
    armor_headers: bytes = b""
    checksum: bytes = b""
    packets: bytes | None = None
    before: bytes = b""
    after: bytes = b""
    more: bytes = b""
    """More packets."""
    unhashed: bytes | None = None

    @property
    def data(self) -> bytes:
        if self.packets is not None:
            return self.packets
        about = canonical(self.text if self.signed is None else self.signed)
        made = [
            Signature(by=one, kind=self.kind, digest=self.digest, unhashed=self.unhashed)
            for one in self.by
        ]
        return b"".join(one.packet(about) for one in made) + self.more

    def whole(self) -> bytes:
        """Return the file."""
        letters = base64.b64encode(self.data)
        lines = [letters[at : at + self.width] for at in range(0, len(letters), self.width)]
        headers = f"Hash: {_NAMES[self.digest]}\n".encode()
        return b"".join(
            [
                self.before,
                b"-----BEGIN PGP SIGNED MESSAGE-----\n",
                headers if self.headers is None else self.headers,
                b"\n",
                escaped(self.text) if self.shown is None else self.shown,
                b"-----BEGIN PGP SIGNATURE-----\n",
                self.armor_headers,
                b"\n",
                *(line + b"\n" for line in lines),
                self.checksum,
                b"-----END PGP SIGNATURE-----\n",
                self.after,
            ]
        )

    def but(self, **changes: object) -> ClearSigned:
        return replace(self, **changes)  # type: ignore[arg-type]


GOOD = ClearSigned()
