"""Updates end to end: the real engine builds, the real jail applies, the center's log is asked."""

from __future__ import annotations

import bz2
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.images.provide import ProvidedImage
from pipelines.center.center import Center
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.report import Report
from pipelines.evidence.statements.comparison import ComparisonStatement, Ground
from pipelines.evidence.statements.statement import DigestSet
from pipelines.verify.session import Session
from tests.command import samebits
from tests.lab import SOURCE, verified, write_recipe

BUILD = """
import bz2, pathlib, sys
source = pathlib.Path("/inputs/source/source.c").read_bytes()
version, out = sys.argv[1], pathlib.Path("/out")
full = source * 40 + version.encode() + b"\\n"
(out / f"agent-{version}.bin").write_bytes(full)
for base in pathlib.Path("/inputs/base").glob("base-0"):
    same = len(source) * 40
    numbers = b"".join(n.to_bytes(8, "little") for n in (same, len(full) - same, 0))
    parts = [bz2.compress(part) for part in (numbers, bytes(same), full[same:])]
    sizes = (len(parts[0]), len(parts[1]), len(full))
    head = b"BSDIFF40" + b"".join(n.to_bytes(8, "little") for n in sizes)
    (out / "rebuilt.bsdiff").write_bytes(head + b"".join(parts))
"""
"""Makes the full file of a version, and a delta of bsdiff from each base."""
COMMON = SOURCE * 40


def full(version: str) -> bytes:
    return COMMON + version.encode() + b"\n"


def bsdiff(target: bytes, same: int = len(COMMON), *, size: int | None = None) -> bytes:
    """Return the delta that the build makes, or one that says another size."""
    numbers = b"".join(n.to_bytes(8, "little") for n in (same, len(target) - same, 0))
    parts = [bz2.compress(part) for part in (numbers, bytes(same), target[same:])]
    sizes = (len(parts[0]), len(parts[1]), len(target) if size is None else size)
    head = b"BSDIFF40" + b"".join(n.to_bytes(8, "little") for n in sizes)
    return head + b"".join(parts)


def artefact(folder: Path, name: str, shipped: bytes, **fields: Any) -> dict[str, Any]:
    (folder / name).write_bytes(shipped)
    return {
        "name": name,
        "shipped": {"locator": f"file:{name}", "sha256": str(Digest.of(shipped))},
        **fields,
    }


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A delta as it is shipped, and what the recipe says of it."""

    delta: bytes
    base: tuple[str, bytes]
    judged: str = "applied"


def release(folder: Path, version: str, **deltas: Shipped) -> Path:
    """Write the recipe of a version of the agent, its shipped files and its bases."""
    folder.mkdir(parents=True)
    files = [artefact(folder, f"agent-{version}.bin", full(version))]
    inputs = [{"role": "source", "locator": "file:source.c", "sha256": str(Digest.of(SOURCE))}]
    for number, (of, content) in enumerate(dict.fromkeys(one.base for one in deltas.values())):
        (folder / f"base-{number}").write_bytes(content)
        said = {"release": of, "sha256": str(Digest.of(content))}
        inputs.append({"role": "base", "locator": f"file:base-{number}", **said})
    for name, one in deltas.items():
        base = str(Digest.of(one.base[1]))
        about = {"format": "bsdiff", "judged": one.judged, "base": base}
        delta = {**about, "target": f"agent-{version}.bin"}
        files.append(artefact(folder, f"{name}.bsdiff", one.delta, delta=delta))
    return write_recipe(
        folder,
        [["python3", "-c", BUILD, version]],
        product="agent",
        version=version,
        kind="update" if deltas else "binary",
        inputs=inputs,
        artefacts=files,
        ignore=[] if "rebuilt" in deltas else ["rebuilt.bsdiff"],
    )


def comparison(session: Session, report: Report, name: str) -> ComparisonStatement:
    """Return what a run states of a file, as the store has it."""
    folder = f"public/releases/lab/agent/{report.version}/{report.center}/{report.run}/"
    records = [key for key in session.store.list(folder) if "/comparison-" in key]
    envelopes = [Envelope.from_bytes(session.store.get(key, 1 << 20)) for key in records]
    statements = [ComparisonStatement.from_bytes(envelope.payload) for envelope in envelopes]
    return next(statement for statement in statements if statement.name == name)


def test_an_update_rests_on_what_the_center_has_judged(
    center: Center, session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    old, new = full("1.0"), full("1.1")
    first = verified(session, release(tmp_path / "1.0", "1.0"))
    assert first.verdict is Verdict.IDENTICAL
    base = ("lab/agent@1.0", old)
    recipe = release(
        tmp_path / "1.1",
        "1.1",
        rebuilt=Shipped(delta=bsdiff(new), base=base, judged="rebuilt"),
        applied=Shipped(delta=bsdiff(new, 0), base=base),
        swapped=Shipped(delta=bsdiff(full("6.6")), base=base),
        wrong_base=Shipped(delta=bsdiff(new, 1), base=("lab/agent@1.0", old + b".")),
        bomb=Shipped(delta=bsdiff(new, size=1 << 40), base=base),
    )
    ended = samebits("verify", recipe, "--json", home=center.home)
    assert ended.code == 1, ended.err
    report = Report.model_validate(ended.document()["reports"][0])
    assert {f.name: (f.verdict, f.reason.partition(":")[0]) for f in report.artefacts[3:]} == {
        "swapped.bsdiff": (Verdict.DIFFERENT, "application-mismatch"),
        "wrong_base.bsdiff": (Verdict.NOT_CHECKED, "base-not-judged"),
        "bomb.bsdiff": (Verdict.DIFFERENT, "grows-without-bound"),
    }
    grounds = {
        f.name: (f.verdict, comparison(session, report, f.name).predicate.ground)
        for f in report.artefacts
    }
    assert grounds == {
        "agent-1.1.bin": (Verdict.IDENTICAL, Ground.SAME_DIGEST),
        "rebuilt.bsdiff": (Verdict.IDENTICAL, Ground.SAME_DIGEST),
        "applied.bsdiff": (Verdict.EQUIVALENT, Ground.DELTA_APPLIED),
        "swapped.bsdiff": (Verdict.DIFFERENT, Ground.UPDATE_REFUSED),
        "wrong_base.bsdiff": (Verdict.NOT_CHECKED, Ground.UPDATE_UNJUDGED),
        "bomb.bsdiff": (Verdict.DIFFERENT, Ground.UPDATE_REFUSED),
    }
    stated = comparison(session, report, "rebuilt.bsdiff").predicate.delta
    assert stated
    assert stated.applied == stated.expected
    assert stated.expected
    assert stated.expected.digest.sha256 == stated.target.sha256 == Digest.of(new)
    rests_on = comparison(session, first, "agent-1.0.bin").digest()
    assert (stated.base.release, stated.base.run) == ("lab/agent@1.0", first.run)
    assert stated.base.comparison == DigestSet(sha256=rests_on)

    shown = samebits("evidence", "show", "lab/agent@1.1", home=center.home).out
    assert "EQUIVALENT       applied.bsdiff" in shown
    assert "- bsdiff, applied: our agent-1.1.bin" in shown
    assert f"of lab/agent@1.0, IDENTICAL in run {first.run}" in shown

    of_delta = Shipped(delta=bsdiff(full("1.2"), 0), base=("lab/agent@1.1", bsdiff(new)))
    refused = verified(session, release(tmp_path / "1.2", "1.2", of_delta=of_delta))
    assert [finding.verdict for finding in refused.artefacts] == [
        Verdict.IDENTICAL,
        Verdict.DIFFERENT,
    ]
    assert refused.artefacts[1].reason.startswith("delta-of-delta: ")


@pytest.mark.parametrize("command", ["verify", "recipe lint"])
def test_a_downgrade_is_refused_before_anything_is_built(tmp_path: Path, command: str) -> None:
    delta = Shipped(delta=bsdiff(full("0.9")), base=("lab/agent@1.0", full("1.0")))
    recipe = release(tmp_path / "0.9", "0.9", back=delta)
    ended = samebits(*command.split(), recipe, home=tmp_path / "home")
    assert ended.code == 64
    assert "downgrade: expected a version higher than that of lab/agent@1.0" in ended.err
    ended.assert_clear()
