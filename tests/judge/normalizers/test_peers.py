"""strip-nondeterminism on the same files: what it makes the same, and we do not call so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.judge.normalizers.made_files import PAIRS
from tests.judge.normalizers.mask_tricks import TRICKS

pytestmark = pytest.mark.host

SUFFIXES = {b"!<ar": ".a", b"PK\3\4": ".zip", b"\x1f\x8b\x08\0": ".gz"}
"""It knows files by their names."""
MASKED = {
    "ar times",
    "ar owners",
    "zip times",
    "zip extra times",
    "a zip whose directory is in another order",
}
"""Of the pairs that are equivalent here, those that it makes the same."""
HIDDEN = {
    "a compressed file": "it replaces the time, and we ask for the packing to be declared",
    "a month that there is not": "any time is replaced",
    "a normalizer that is not declared": "nothing is declared to it",
    "a size of an ar member in other columns": "it reads digits anywhere in their field",
    "a zip member that reaches into the directory": "it writes the local header anew",
    "a zip member with two names": "it writes the local header anew",
    "a zip member twice": "it keeps both, in another order of time",
    "an ar member twice": "it looks at no names",
    "an ar member without a name": "it looks at no names",
    "an archive that ends early": "it does not look for the end",
    "an hour that there is not": "any time is replaced",
    "bytes of a zip that no member has": "it writes the members anew, and the rest is gone",
    "compression of a zip member": "it writes the local header anew",
    "name of a zip member": "it writes the local header anew",
    "time of an ar member in no digits": "any time is replaced",
    "two tables of names in an ar": "it looks at no names",
}
"""Tricks that are DIFFERENT here and that it makes the same, and how."""


def stripped(data: bytes, path: Path) -> bytes:
    path.write_bytes(data)
    command = ["strip-nondeterminism", "--normalizers", "+ar", str(path)]
    subprocess.run(command, capture_output=True, timeout=300, check=False)
    return path.read_bytes()


def same(shipped: bytes, rebuilt: bytes, folder: Path) -> bool:
    suffix = SUFFIXES.get(shipped[:4], "")
    if not suffix:
        return False  # it leaves other files alone, which spares a process
    return stripped(shipped, folder / f"a{suffix}") == stripped(rebuilt, folder / f"b{suffix}")


def test_what_it_masks_is_masked_here_and_what_it_hides_is_not(tmp_path: Path) -> None:
    pairs = {n: (p.make(p.shipped), p.make(p.rebuilt)) for n, p in PAIRS.items()}
    assert {name for name, pair in pairs.items() if same(*pair, tmp_path)} == MASKED
    tricks = {name: (one.shipped(), one.rebuilt()) for name, one in TRICKS.items()}
    assert {name for name, pair in tricks.items() if same(*pair, tmp_path)} == HIDDEN.keys()
