"""Signed files of any size, by format: what `samebits bench graft` measures."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from builders.recipe.signature import PinnedSignature, SignedFormat
from tests.judge.signatures import (
    cab_tricks,
    module_tricks,
    modules,
    nuget_tricks,
    rauc_tricks,
    rpm_tricks,
)
from tests.judge.signatures.apk_tricks import BY_ANN, FULL
from tests.judge.signatures.page_hash_tricks import listed, pages, with_pages
from tests.judge.signatures.pe_tricks import ADA, BOB, BY_ADA, pinned
from tests.judge.signatures.rauc_signing import BLOCK, Verity, squashfs
from tests.judge.signatures.rpm_signing import Rpm
from tests.judge.signatures.signing import Signing, program, signed
from tests.judge.signatures.zips import Item, archive

Pair = tuple[bytes, bytes, PinnedSignature]
"""A shipped file, ours, and who has to sign."""
_FOLDER = 1 << 20


def _content(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311


def _cab(size: int) -> Pair:
    content = _content(size)
    ours = cab_tricks.cabinet(*(content[at : at + _FOLDER] for at in range(0, size, _FOLDER)))
    return cab_tricks.signed(ours), ours, cab_tricks.BY_ADA


def _kernel_module(size: int) -> Pair:
    ours = modules.module() + _content(size)
    return modules.signed(ours, module_tricks.ADA), ours, module_tricks.BY_ADA


def _nuget(size: int) -> Pair:
    ours = nuget_tricks.package(**{"lib/a.dll": _content(size)})
    return nuget_tricks.signed(ours), ours, nuget_tricks.BY_ADA


def _pe(size: int) -> Pair:
    ours = program(_content(size))
    return signed(ours, Signing(by=ADA), Signing(by=BOB)), ours, pinned(ADA, BOB)


def _pe_with_pages(size: int) -> Pair:
    ours = program(_content(size))
    return with_pages(listed(b"".join(pages(ours))), ours), ours, BY_ADA


def _apk(size: int) -> Pair:
    step = max(1 << 16, -(-size // 2000))
    content = _content(size)
    items = [
        Item(name=f"res/{at}", content=content[at : at + step], stored=True)
        for at in range(0, size, step)
    ]
    return replace(FULL, first=(), stated=True).made(items), archive(items), BY_ANN


def _rauc(size: int) -> Pair:
    blocks = -(-size // BLOCK)
    image = squashfs(b"", blocks)[:96] + _content(blocks * BLOCK - 96)
    shipped = Verity(image=image).by(ADA)
    return shipped, Verity(image=image, salt=bytes(32)).by(BOB), rauc_tricks.BY_ADA


def _rpm(size: int) -> Pair:
    made = Rpm(payload=_content(size))
    return made.signed(made.by(rpm_tricks.ADA)), made.file(), rpm_tricks.BY_ADA


LARGE: dict[str, Callable[[int], Pair]] = {
    SignedFormat.APK: _apk,
    SignedFormat.CAB: _cab,
    SignedFormat.KERNEL_MODULE: _kernel_module,
    SignedFormat.NUGET: _nuget,
    SignedFormat.PE: _pe,
    "pe, page hashes": _pe_with_pages,
    SignedFormat.RAUC: _rauc,
    SignedFormat.RPM: _rpm,
}
