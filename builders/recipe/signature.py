"""The vendor's signature on a shipped file, as a recipe pins it."""

from __future__ import annotations

import base64
import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel

MAX_KEY = 256 << 10

KeyFingerprint = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
"""Of an OpenPGP key of version 4; those of version 6 are SHA-256 digests."""
SignerPin = Digest | KeyFingerprint


class SignedFormat(StrEnum):
    """Formats of signed files."""

    APK = "apk"
    CAB = "cab"
    CDIFF = "cdiff"
    CLAMSIGN = "clamsign"
    CLEARSIGNED = "clearsigned"
    CVD = "cvd"
    JAR = "jar"
    KERNEL_MODULE = "kernel-module"
    MSI = "msi"
    NUGET = "nuget"
    PE = "pe"
    RAUC = "rauc"
    RPM = "rpm"
    TUF = "tuf"


_PEM = re.compile(
    r"-----BEGIN (?:CERTIFICATE|PUBLIC KEY)-----\n([A-Za-z0-9+/=\n]+)-----END [A-Z ]+-----\n?"
)
WITH_PEM = frozenset(
    {SignedFormat.CDIFF, SignedFormat.CVD, SignedFormat.KERNEL_MODULE, SignedFormat.TUF}
)
"""Formats whose keys are certificates or public keys in PEM."""
WITH_KEYS = WITH_PEM | {SignedFormat.CLEARSIGNED, SignedFormat.RPM}
"""Formats whose signatures do not bring the keys that they are verified with."""
WITH_EXTERNAL = frozenset({SignedFormat.CDIFF, SignedFormat.CVD})
"""Formats that an external signature can sign too: a manifest of format clamsign."""
WITH_FINGERPRINTS = frozenset({SignedFormat.CLEARSIGNED, SignedFormat.RPM})
"""Formats whose signers are named by fingerprints of OpenPGP keys."""


class PinnedSignature(FrozenModel):
    """The format of a signature, and whose it has to be.

    (No field is named `keys`, because Prefect takes an object with one for a mapping.)
    """

    format: Annotated[SignedFormat, Field(description="How the file is signed.")]
    signers: Annotated[
        tuple[SignerPin, ...],
        Field(
            min_length=1,
            max_length=16,
            description="SHA-256 of each signer's certificate, or the fingerprint of its OpenPGP "
            "key (the subkey, if that signs); all of them have to sign.",
        ),
    ]
    public_keys: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_KEY)], ...],
        Field(
            max_length=16,
            description="The public keys of the signers, armored, where signatures bring none.",
        ),
    ] = ()
    certificates: Annotated[
        tuple[Digest, ...],
        Field(
            max_length=64,
            description="SHA-256 of the other certificates that the signature carries.",
        ),
    ] = ()
    time_stamps: Annotated[
        tuple[Digest, ...],
        Field(
            max_length=16,
            description="SHA-256 of the certificates of time-stamp authorities that count.",
        ),
    ] = ()
    external: Annotated[
        Literal["required"] | None,
        Field(description="Whether the file needs an external signature beside the one in it."),
    ] = None

    @model_validator(mode="after")
    def _has_what_its_format_needs(self) -> Self:
        if bool(self.public_keys) is not (self.format in WITH_KEYS):
            some = "" if self.format in WITH_KEYS else "no "
            raise ValueError(f"expected {some}public_keys for format {self.format}")
        if self.external and self.format not in WITH_EXTERNAL:
            formats = " or ".join(sorted(WITH_EXTERNAL))
            raise ValueError(f"external for format {self.format}; expected one of {formats}")
        if self.format not in WITH_FINGERPRINTS and any(isinstance(s, str) for s in self.signers):
            raise ValueError("expected SHA-256 digests as signers: 64 lower-case hex digits")
        if self.format in WITH_PEM and {*map(Digest.of, self.pem_keys())} != {*self.signers}:
            raise ValueError("expected the certificate or the public key of each signer, in PEM")
        return self

    def pem_keys(self) -> list[bytes]:
        """Return the DER of each key in PEM; raises ValueError for other text."""
        found = [_PEM.fullmatch(key) for key in self.public_keys]
        if not all(found):
            raise ValueError("expected a certificate or a public key in PEM")
        return [base64.b64decode(one[1]) for one in found if one]
