"""Altered files of every format: each is refused, by a name of its own."""

from __future__ import annotations

import pytest

from tests.judge.signatures import (
    apk_tricks,
    cab_tricks,
    cdiff_tricks,
    database_tricks,
    jar_tricks,
    module_tricks,
    nuget_tricks,
    page_hash_tricks,
    pe_tricks,
    rauc_tricks,
    rpm_tricks,
    text_tricks,
    tuf_tricks,
)
from tests.judge.signatures.planted import Planted, check

TABLES: dict[str, dict[str, Planted]] = {
    "apk": {**apk_tricks.TRICKS},
    "cab": {**cab_tricks.TRICKS},
    "cdiff": {**cdiff_tricks.TRICKS},
    "clearsigned": {**text_tricks.TRICKS},
    "cvd": {**database_tricks.TRICKS},
    "jar": {**jar_tricks.TRICKS},
    "kernel-module": {**module_tricks.TRICKS},
    "nuget": {**nuget_tricks.TRICKS},
    "page hashes": {**page_hash_tricks.TRICKS},
    "pe": {**pe_tricks.TRICKS},
    "rauc": {**rauc_tricks.TRICKS},
    "rpm": {**rpm_tricks.TRICKS},
    "tuf": {**tuf_tricks.TRICKS},
}
ALL = {f"{form}: {name}": one for form, table in TABLES.items() for name, one in table.items()}


@pytest.mark.parametrize("name", ALL)
def test_a_trick_is_refused_by_its_name(name: str) -> None:
    check(ALL[name])
