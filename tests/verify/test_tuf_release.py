"""A release with metadata of The Update Framework, from its recipe to what a customer sees."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.images.provide import ProvidedImage
from pipelines.center.file import local_policy_file
from pipelines.evidence.report import Report
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.verify.session import Session
from tests.command import samebits
from tests.judge.updates.tuf_repository import (
    APP,
    RELEASES,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TufRelease,
    written,
)
from tests.lab import SOURCE, verified, write_recipe

KEYS = {"targets": TARGETS, "snapshot": SNAPSHOT, "timestamp": TIMESTAMP}


def recipe(folder: Path, release: TufRelease, **fields: Any) -> Path:
    """Build the newest file and the targets without a signature; nothing else of the metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    app = f"app-{release.version}.bin"
    made = {app: APP[app], "targets.json": written(release.targets)}
    shipped = {**release.published(), app: APP[app]}
    before = RELEASES[release.version - 2].published() if release.version > 1 else {}
    for name, data in shipped.items():
        (folder / name).write_bytes(data)
    artefacts: list[dict[str, Any]] = []
    inputs = [{"role": "source", "locator": "file:source.c", "sha256": str(Digest.of(SOURCE))}]
    for name, data in shipped.items():
        role = name.removesuffix(".json")
        one: dict[str, Any] = {
            "name": name,
            "shipped": {"locator": f"file:{name}", "sha256": str(Digest.of(data))},
        }
        if role in KEYS:
            key = KEYS[role]
            one["signature"] = {
                "format": "tuf", "signers": [str(key.pin)], "public_keys": [key.pem],
            }  # fmt: skip
            one["manifest"] = {"format": f"tuf-{role}"}
            if before:
                digest = str(Digest.of(before[name]))
                one["manifest"]["previous"] = digest
                (folder / f"before.{name}").write_bytes(before[name])
                inputs.append({
                    "role": "base", "locator": f"file:before.{name}", "sha256": digest,
                    "release": f"lab/{folder.name}@{release.version - 1}",
                })  # fmt: skip
        artefacts.append(one)
    steps = [
        ["sh", "-c", f"echo {base64.b64encode(data).decode()} | base64 -d > /out/{name}"]
        for name, data in made.items()
    ]
    more = {
        "version": str(release.version),
        "kind": "update",
        "inputs": inputs,
        "artefacts": artefacts,
    }
    return write_recipe(folder, steps, **{**more, **fields})


def verdicts(report: Report) -> dict[str, Verdict]:
    return {finding.name: finding.verdict for finding in report.artefacts}


def test_targets_are_ours_and_the_rest_follows_from_them(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    first = verified(session, recipe(tmp_path / "tuf", RELEASES[0]))
    assert Verdict.EQUIVALENT is first.verdict, [finding.reason for finding in first.artefacts]
    report = verified(session, recipe(tmp_path / "tuf", RELEASES[1]))
    assert verdicts(report) == {
        "app-2.bin": Verdict.IDENTICAL,
        "targets.json": Verdict.IDENTICAL_SIGNED,
        "snapshot.json": Verdict.EQUIVALENT,
        "timestamp.json": Verdict.EQUIVALENT,
    }, [finding.reason for finding in report.artefacts]
    targets = next(one.manifest for one in report.artefacts if one.name == "targets.json")
    assert isinstance(targets, ManifestFact)
    assert "app-2.bin: sha256" in targets.recomputed
    assert targets.previous
    assert targets.previous.judged
    assert targets.previous.judged.run == first.run
    home, out = session.center.home, tmp_path / "tuf.bundle.tar"
    shown = samebits("evidence", "show", report.release, home=home)
    assert "app-2.bin: custom" in shown.out, shown.out
    made = samebits("evidence", "export", report.release, "--out", out, home=home)
    assert made.code == 0, made.err
    words = ("evidence", "check", out, "--policy", local_policy_file(home))
    checked = samebits(*words, "--file", tmp_path / "tuf" / "targets.json", home=home)
    told = "NOT REPRODUCED: lab/tuf@2, by center local: snapshot.json is EQUIVALENT, timestamp.json"
    assert checked.out.startswith(told), checked.out
    assert "verdicts       every verdict follows" in checked.out, checked.out


def test_metadata_that_had_expired_is_a_difference_with_a_name(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    old = replace(RELEASES[2], expires=datetime(2026, 2, 1, tzinfo=UTC))
    report = verified(session, recipe(tmp_path / "expired", old))
    for finding in report.artefacts:
        if finding.manifest is None:
            assert finding.verdict is Verdict.IDENTICAL
            continue
        assert finding.verdict is Verdict.DIFFERENT, finding.name
        assert finding.reason.startswith("expired: "), finding.reason
