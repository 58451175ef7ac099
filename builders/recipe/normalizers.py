"""What may be masked where a rebuilt file differs from the shipped one, as a recipe declares it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from builders.core.frozen_model import FrozenModel, duplicate

MAX_MASKED = 16 << 10
"""Bytes that can be masked of one file at most, whatever its recipe says."""


class NormalizerName(StrEnum):
    """Normalizers: each knows one kind of field, and masks it where two files differ."""

    AR_OWNERS = "ar-owners"
    AR_TIMES = "ar-times"
    ELF_BUILD_ID = "elf-build-id"
    PE_TIME_STAMP = "pe-time-stamp"
    PYC_TIME = "pyc-time"
    TAR_TIMES = "tar-times"
    ZIP_TIMES = "zip-times"


class DeclaredNormalizer(FrozenModel):
    """A normalizer that a recipe uses for one file."""

    name: Annotated[NormalizerName, Field(description="What is masked.")]
    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$",
            description="Why no declared parameter gives these bytes.",
        ),
    ]
    bytes: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_MASKED,
            description="Bytes that it may mask, where 0.1 % of the file or 4 KiB are too few.",
        ),
    ] = None


def _distinct(declared: tuple[DeclaredNormalizer, ...]) -> tuple[DeclaredNormalizer, ...]:
    if twice := duplicate(one.name for one in declared):
        raise ValueError(f"expected each normalizer once; {twice!r} is declared twice")
    return declared


Normalizers = Annotated[
    tuple[DeclaredNormalizer, ...],
    Field(min_length=1, max_length=16),
    AfterValidator(_distinct),
]
