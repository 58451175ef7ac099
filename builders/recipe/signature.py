"""The vendor's signature on a shipped file, as a recipe pins it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel


class SignedFormat(StrEnum):
    """Formats of signed files."""

    CAB = "cab"
    MSI = "msi"
    PE = "pe"


class PinnedSignature(FrozenModel):
    """The format of a signature, and whose it has to be."""

    format: Annotated[SignedFormat, Field(description="How the file is signed.")]
    signers: Annotated[
        tuple[Digest, ...],
        Field(
            min_length=1,
            max_length=16,
            description="SHA-256 of each signer's certificate; all of them have to sign.",
        ),
    ]
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
