"""A chain of ClamAV databases: one that is judged, and a signed delta to the next."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.images.provide import ProvidedImage
from pipelines.verify.session import Session
from tests.judge.signatures.databases import STRONG, WEAK, Database, pinned
from tests.judge.signatures.pe_tricks import ADA, EVE
from tests.judge.signatures.signing import Vendor
from tests.judge.updates.cdiffs import BASE, TARGET, cdiff, everything, script
from tests.judge.updates.external_signatures import external
from tests.lab import SOURCE, verified, write_recipe

SCRIPT = script(everything(BASE), everything(TARGET))
PINS: Mapping[str, Any] = pinned(STRONG, WEAK).model_dump(mode="json")
DELTA_PINS = {**pinned(STRONG).model_dump(mode="json"), "format": "cdiff"}
KNOWN = Digest.of(BASE.whole())


def unsigned(database: Database) -> bytes:
    """Return a database as it is built."""
    return database.but(strong=None, weak=None, info_signature=None).whole()


def recipe(
    folder: Path, version: str, built: Mapping[str, bytes], *artefacts: tuple[bytes, dict[str, Any]]
) -> Path:
    """Build files from nothing but their bytes; artefacts are what was shipped, and its fields."""
    steps = [
        ["sh", "-c", f"echo {base64.b64encode(data).decode()} | base64 -d > /out/{name}"]
        for name, data in built.items()
    ]
    inputs = [{"role": "source", "locator": "file:source.c", "sha256": str(Digest.of(SOURCE))}]
    if version == "7":
        base = {"role": "base", "locator": "file:test-6.cvd", "sha256": str(KNOWN)}
        inputs.append({**base, "release": f"lab/{folder.name}@6"})
    declared = [
        {**one, "shipped": {"locator": f"file:{one['name']}", "sha256": str(Digest.of(data))}}
        for data, one in artefacts
    ]
    path = write_recipe(
        folder, steps, version=version, kind="update", inputs=inputs, artefacts=declared
    )
    for data, one in artefacts:
        (folder / one["name"]).write_bytes(data)
    return path.rename(folder / f"{version}.yaml")


def first(folder: Path) -> Path:
    shipped = {"name": "test-6.cvd", "signature": dict(PINS)}
    return recipe(folder, "6", {"test-6.cvd": unsigned(BASE)}, (BASE.whole(), shipped))


def second(folder: Path, text: bytes = SCRIPT, *, by: Vendor | None = None, **needed: str) -> Path:
    """Return the recipe of the update; `needed` are fields of the signature in the delta.

    With `by`, there is an external signature beside that.
    """
    shipped = cdiff(text, by=STRONG)
    sign = {
        "name": "test-7.cdiff.sign",
        "signature": {"format": "clamsign", "signers": [str(ADA.pin)]},
        "manifest": {"format": "clamsign", "files": {"signed-file": "test-7.cdiff"}},
    }
    delta = {"format": "cdiff", "judged": "rebuilt", "base": str(KNOWN), "target": "test-7.cvd"}
    return recipe(
        folder,
        "7",
        {"test-7.cvd": unsigned(TARGET), "test-7.cdiff": cdiff(text)},
        (TARGET.whole(), {"name": "test-7.cvd", "signature": dict(PINS)}),
        (
            shipped,
            {"name": "test-7.cdiff", "signature": {**DELTA_PINS, **needed}, "delta": delta},
        ),
        *([(external(by, shipped), sign)] if by else []),
    )


def test_a_signed_delta_gives_the_signed_database(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    folder = tmp_path / "clam"
    (base,) = verified(session, first(folder)).artefacts
    assert base.verdict is Verdict.IDENTICAL_SIGNED, base.reason
    target, delta = verified(session, second(folder)).artefacts
    assert target.verdict is Verdict.IDENTICAL_SIGNED, target.reason
    assert delta.verdict is Verdict.IDENTICAL_SIGNED, delta.reason
    assert delta.delta is not None
    assert delta.delta.members
    assert delta.delta.applied == delta.delta.expected

    planted = SCRIPT + b"OPEN test.fp\nADD aa:1:Eicar\nCLOSE\n"
    target, delta = verified(session, second(folder, planted)).artefacts
    assert target.verdict is Verdict.IDENTICAL_SIGNED, target.reason
    assert delta.verdict is Verdict.DIFFERENT
    assert delta.reason.startswith("checksum-differs: "), delta.reason


@pytest.mark.parametrize(
    ("by", "verdict", "reason"),
    [
        (None, Verdict.DIFFERENT, "external-signature-missing: "),
        (ADA, Verdict.IDENTICAL_SIGNED, "same SHA-256 with the vendor's signature"),
        (EVE, Verdict.DIFFERENT, "external-signature-refused: test-7.cdiff.sign: signature-"),
    ],
    ids=["none", "of ADA", "of EVE"],
)
def test_a_delta_that_needs_an_external_signature(
    session: Session, build_image: ProvidedImage, tmp_path: Path,
    by: Vendor | None, verdict: Verdict, reason: str,
) -> None:  # fmt: skip
    folder = tmp_path / "clam"
    verified(session, first(folder))
    recipe = second(folder, by=by, external="required")
    found = {one.name: one for one in verified(session, recipe).artefacts}
    assert found["test-7.cvd"].verdict is Verdict.IDENTICAL_SIGNED
    delta = found["test-7.cdiff"]
    assert delta.verdict is verdict, delta.reason
    assert delta.reason.startswith(reason), delta.reason
