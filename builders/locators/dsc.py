"""The files that a Debian source control file (.dsc) names and pins.

The .dsc itself is pinned by digest, so its checksums count as pins; its OpenPGP signature is not
checked. It is read in the parser jail. Format: deb-src-control(5), dsc(5).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from debian.deb822 import Dsc
from pydantic import TypeAdapter

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, InputMismatchError
from builders.core.frozen_model import FrozenModel, duplicate
from builders.jail.errors import JailFailedError
from builders.jail.file_reader import Jail, JailLimits, Reader, Scratch

MAX_DSC_BYTES = 1 << 20
MAX_FILES = 100
MAX_FILE_BYTES = 16 << 30
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:_-]{0,254}")


@dataclass(frozen=True, kw_only=True)
class Companion:
    """One file that belongs to a source package; `size` in bytes."""

    name: str
    size: int
    sha256: Digest


class DscName(FrozenModel):
    """What a .dsc is called in messages."""

    name: str


def companions(dsc: BinaryIO, jail: Jail, *, what: str) -> tuple[Companion, ...]:
    """Return the other files of a source package, in the order of the .dsc.

    `what` names the .dsc in messages. Raises `InputMismatchError` for a file that is no .dsc, or
    that names files without SHA-256, outside its own folder, or beyond the limits, and
    `InfrastructureError` where its reader gave no answer.
    """
    try:
        return jail.run(COMPANIONS, [dsc], DscName(name=what))
    except JailFailedError as error:
        raise InfrastructureError(
            f"{what} was not read", got=error, expected="an answer of its reader"
        ) from error


def read_companions(dsc: bytes, *, what: str) -> tuple[Companion, ...]:
    """Read a .dsc in the jail; see `companions`."""
    if len(dsc) > MAX_DSC_BYTES:
        raise _refused(what, got=f"{len(dsc)} bytes", expected=f"at most {MAX_DSC_BYTES}")
    try:
        fields = Dsc(dsc.decode("utf-8").splitlines())
        entries = [dict(entry) for entry in fields.get("Checksums-Sha256", ())]
    except (ValueError, TypeError, KeyError) as error:
        raise _refused(what, got=error, expected="a Debian source control file") from error
    if not entries or "Source" not in fields:
        raise _refused(what, got="no such fields", expected="Source and Checksums-Sha256")
    if len(entries) > MAX_FILES:
        raise _refused(what, got=f"{len(entries)} files", expected=f"at most {MAX_FILES}")
    found = tuple(_companion(entry, what) for entry in entries)
    if duplicate(companion.name for companion in found):
        raise _refused(what, got="one file name twice", expected="each file once")
    return found


def _companion(entry: dict[str, str], what: str) -> Companion:
    name, size, digest = (entry.get(key, "") for key in ("name", "size", "sha256"))
    if not _NAME.fullmatch(name):
        raise _refused(what, got=repr(name[:80]), expected="plain file names, without a folder")
    if not re.fullmatch(r"\d{1,15}", size) or int(size) > MAX_FILE_BYTES:
        raise _refused(
            what, got=f"{name} of {size[:20]!r} bytes", expected=f"at most {MAX_FILE_BYTES} bytes"
        )
    try:
        return Companion(name=name, size=int(size), sha256=Digest(digest))
    except ValueError as error:
        raise _refused(what, got=f"{name}: {error}", expected="a SHA-256 for each file") from error


def _refused(what: str, *, got: object, expected: object) -> InputMismatchError:
    return InputMismatchError(
        f"{what} is not a .dsc that can be used",
        got=got,
        expected=expected,
        todo="Pin the .dsc that the archive serves with arch=source",
    )


def _read(files: Sequence[BinaryIO], parameters: DscName, _: Scratch) -> tuple[Companion, ...]:
    return read_companions(files[0].read(MAX_DSC_BYTES + 1), what=parameters.name)


COMPANIONS = Reader(
    name="builders.locators.dsc:COMPANIONS",
    read=_read,
    parameters=DscName,
    result=TypeAdapter(tuple[Companion, ...]),
    limits=JailLimits(seconds=20, answer=1 << 20),
    errors=(InputMismatchError,),
)
"""Reads a .dsc."""
