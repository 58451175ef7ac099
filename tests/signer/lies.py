"""Lies to tell a signer: each changes honest evidence, and names the check that finds it out."""

from __future__ import annotations

import base64
import zlib
from typing import Any

from builders.core.digest import Digest
from builders.inputs.vault import Vault
from builders.recipe.claim import MAX_SCRIPT
from pipelines.storage.names import Visibility
from tests.signer.bytelies import BYTE_LIES
from tests.signer.explanationlies import CONTENT, EXPLANATION_LIES
from tests.signer.lie import OTHER, Change, Document, Lie, finding_with
from tests.signer.maskinglies import MASKING_LIES
from tests.signer.robustnesslies import ROBUSTNESS_LIES
from tests.signer.scene import OURS, THEIRS, Scene


def _report(**changes: Any) -> Change:
    return lambda e, _: e["report"].update(changes)


def _environment(**changes: Any) -> Change:
    return lambda e, _: e["report"]["environment"].update(changes)


def _rebuild(index: int = 0, **changes: Any) -> Change:
    return lambda e, _: e["report"]["attempts"][index]["rebuild"].update(changes)


def _attempt(index: int = 0, **changes: Any) -> Change:
    return lambda e, _: e["report"]["attempts"][index].update(changes)


def _output(index: int = 0, **changes: Any) -> Change:
    return lambda e, _: e["report"]["attempts"][0]["rebuild"]["outputs"][index].update(changes)


def _recipe(old: bytes, new: bytes) -> Change:
    def tell(evidence: Document, scene: Scene) -> None:
        text = base64.b64decode(evidence["recipe"])
        assert old in text
        evidence["recipe"] = base64.b64encode(text.replace(old, new, 1)).decode()

    return tell


def _timings(**changes: float) -> Change:
    return lambda e, _: e["report"].update(timings=changes)


def _fact(data: bytes) -> Document:
    return {"sha256": str(Digest.of(data)), "size": len(data)}


def _identical_over_different(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    finding.update(verdict="IDENTICAL", reason="same SHA-256", rebuilt=_fact(OURS))
    evidence["report"]["verdict"] = "IDENTICAL"


def _different_digest_shipped(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    finding.update(verdict="NOT_CHECKED", reason="the shipped file is out of reach")


def _published(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    finding.update(verdict="IDENTICAL", reason="same SHA-256")
    finding["shipped"].update(published=str(Digest.of(THEIRS)), **_fact(THEIRS))


def _served_other(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    finding.update(verdict="SHIPPED_MISMATCH", reason="another file was served")
    finding["shipped"].update(sha256=OTHER, size=5)
    evidence["report"]["verdict"] = "SHIPPED_MISMATCH"


def _served_size(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    finding.update(verdict="DIFFERENT", reason="the bytes differ")
    finding["shipped"]["size"] += 1
    evidence["report"]["verdict"] = "DIFFERENT"


def _served_half(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    finding.update(verdict="NOT_CHECKED", reason="shipped file unreachable")
    finding["shipped"]["sha256"] = None
    evidence["report"]["verdict"] = "NOT_CHECKED"


def _served_without_size(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    finding.update(verdict="NOT_CHECKED", reason="shipped file unreachable")
    finding["shipped"]["size"] = None
    evidence["report"]["verdict"] = "NOT_CHECKED"


def _twins_swapped(evidence: Document, _: Scene) -> None:
    artefacts = evidence["report"]["artefacts"]
    artefacts[2], artefacts[3] = artefacts[3], artefacts[2]


def _swapped_output(evidence: Document, scene: Scene) -> None:
    digest = scene.store.put_cas(Visibility.PRIVATE, b"other bytes")
    output = evidence["report"]["attempts"][0]["rebuild"]["outputs"][0]
    output.update(sha256=str(digest), size=11)


def _damaged_output(evidence: Document, scene: Scene) -> None:
    digest = evidence["report"]["attempts"][0]["rebuild"]["outputs"][0]["sha256"]
    scene.store.objects[f"private/cas/sha256/{digest[:2]}/{digest}"] = [b"damaged"]


def _traversal(evidence: Document, _: Scene) -> None:
    evidence["report"]["attempts"][0]["rebuild"]["outputs"][0]["name"] = "../rules.bin"


def _unsorted(evidence: Document, _: Scene) -> None:
    evidence["report"]["attempts"][0]["rebuild"]["outputs"].reverse()


def _hidden_output(evidence: Document, scene: Scene) -> None:
    outputs = evidence["report"]["attempts"][0]["rebuild"]["outputs"]
    outputs[:] = [o for o in outputs if o["name"] != "rules.debug"]


def _lost_by_product(evidence: Document, _: Scene) -> None:
    evidence["report"]["by_products"] = []


def _no_outputs(evidence: Document, _: Scene) -> None:
    evidence["report"]["attempts"][0]["rebuild"]["outputs"] = []


def _late_outputs(evidence: Document, scene: Scene) -> None:
    digest = scene.store.put_cas(Visibility.PRIVATE, OURS)
    output = {"name": "rules.bin", "size": len(OURS), "sha256": str(digest), "part": "artefact"}
    evidence["report"]["attempts"][0]["rebuild"]["outputs"] = [output]


def _many_attempts(evidence: Document, _: Scene) -> None:
    first = evidence["report"]["attempts"][0]
    retries = [dict(first, number=n, purpose="retry") for n in range(2, 1002)]
    evidence["report"]["attempts"] = [first, *retries]


def _missing(evidence: Document, _: Scene) -> None:
    del evidence["report"]["artefacts"][1]


def _reordered(evidence: Document, _: Scene) -> None:
    evidence["report"]["artefacts"].reverse()


def _extra(evidence: Document, _: Scene) -> None:
    finding = dict(evidence["report"]["artefacts"][0], name="another.bin")
    evidence["report"]["artefacts"].append(finding)


def _hidden_extra(evidence: Document, _: Scene) -> None:
    del evidence["report"]["artefacts"][2]
    evidence["report"]["verdict"] = "IDENTICAL"


def _other_image(evidence: Document, _: Scene) -> None:
    evidence["image"] = OTHER
    evidence["report"]["environment"]["image_config"] = OTHER


def _unknown_image(evidence: Document, scene: Scene) -> None:
    _recipe(b"image: python-wheel", b"image: unknown")(evidence, scene)
    evidence["report"]["environment"]["image"] = "unknown"


def _other_sources(evidence: Document, _: Scene) -> None:
    evidence["report"]["environment"]["sources"][0]["locator"] = "file:other.tar"


def _other_source_digest(evidence: Document, _: Scene) -> None:
    evidence["report"]["environment"]["sources"][0]["source_digest"] = OTHER


def _lost_input(evidence: Document, scene: Scene) -> None:
    del scene.store.objects[Vault.key(Digest.of(b"a tool\n"))]


def _copied(evidence: Document, scene: Scene) -> None:
    """Say IDENTICAL although the source holds the artefact."""
    honest = Scene(folder=scene.folder, store=scene.store, source={"src/copy": OURS})
    copied = honest.make().to_dict()
    evidence.clear()
    evidence.update(copied)


def _copied_encoded(evidence: Document, scene: Scene) -> None:
    """Say IDENTICAL although the source holds the artefact, compressed behind other bytes."""
    hidden = {"src/data.bin": b"data: " + zlib.compress(OURS)}
    honest = Scene(folder=scene.folder, store=scene.store, source=hidden)
    copied = honest.make().to_dict()
    evidence.clear()
    evidence.update(copied)


def _verdict_turned(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][0]
    finding.update(verdict="NOT_CHECKED", reason="shipped file unreachable: it was not served")
    evidence["report"]["verdict"] = "NOT_CHECKED"


def _other_ground(evidence: Document, _: Scene) -> None:
    finding = evidence["report"]["artefacts"][1]
    finding.update(reason="copied-input: rules.idx is already in the source")


def _second_rebuild(evidence: Document, _: Scene) -> None:
    attempt = dict(evidence["report"]["attempts"][0], number=2, purpose="confirming")
    evidence["report"]["attempts"].append(attempt)


def _failed_sealed(evidence: Document, _: Scene) -> None:
    evidence["report"]["seal"] = OTHER


def _failed_by_products(evidence: Document, _: Scene) -> None:
    line = {"name": "rules.debug", "size": 1, "hmac": OTHER}
    evidence["report"]["by_products"] = [line]


LIES: dict[str, Lie] = (
    ROBUSTNESS_LIES
    | EXPLANATION_LIES
    | BYTE_LIES
    | MASKING_LIES
    | {
        "center-not-ours": Lie("center", "identical", _report(center="geneva")),
        "other-vendor": Lie("release", "identical", _report(vendor="umbrella")),
        "other-version": Lie("release", "identical", _report(version="1.11")),
        "run-id-with-a-path": Lie("run-id", "failed", _report(run="../../etc/passwd")),
        "run-id-with-a-path-after-its-time": Lie(
            "run-id", "failed", _report(run="20260102T030405Z-/../../x")
        ),
        "run-id-of-no-day": Lie("run-id", "failed", _report(run="20269999T999999Z-0a1b2c3d")),
        "time-backwards": Lie("times", "failed", _timings(total=-1.0)),
        "step-backwards": Lie("times", "failed", _timings(total=2.0, rebuild=-1.0)),
        "no-total": Lie("times", "failed", _timings(rebuild=1.0)),
        "run-without-end": Lie("times", "failed", _timings(total=1e12)),
        "run-from-the-future": Lie("times", "failed", _report(run="20260102T043405Z-0a1b2c3d")),
        "other-environment": Lie("environment", "identical", _environment(method="debian")),
        "other-hostname": Lie(
            "environment",
            "identical",
            lambda e, _: e["report"]["environment"]["declared"].update(hostname="db1.internal"),
        ),
        "other-image-name": Lie("environment", "identical", _environment(image="differ")),
        "other-image": Lie("image", "identical", lambda e, _: e.update(image=OTHER)),
        "image-that-the-center-has-no-lock-of": Lie("image", "identical", _unknown_image),
        "other-image-used": Lie("image", "identical", _environment(image_config=OTHER)),
        "other-image-throughout": Lie("image", "identical", _other_image),
        "pulled-image-of-another-digest": Lie("image", "pulled", _other_image),
        "other-claim": Lie("claim", "identical", _report(claim=OTHER)),
        "no-claim": Lie("claim", "identical", _report(claim=None)),
        "other-scope": Lie("scope", "identical", _report(scope=OTHER)),
        "no-scope": Lie("scope", "identical", _report(scope=None)),
        "hidden-by-the-recipe": Lie(
            "scope", "identical", _recipe(b"by_products:\n", b"by_products:\n- other.bin\n")
        ),
        "other-script": Lie(
            "claim", "identical", lambda e, _: e.update(script=base64.b64encode(b"evil").decode())
        ),
        "script-too-large": Lie(
            "schema",
            "identical",
            lambda e, _: e.update(script=base64.b64encode(bytes(MAX_SCRIPT + 1)).decode()),
        ),
        "no-script": Lie("script", "identical", lambda e, _: e.update(script=None)),
        "other-recipe": Lie("claim", "identical", _recipe(b"kind: ruleset", b"kind: binary")),
        "broken-recipe": Lie("recipe", "identical", _recipe(b"schema:", b"scheme:")),
        "recipe-not-text": Lie(
            "recipe", "identical", lambda e, _: e.update(recipe=base64.b64encode(b"\xff").decode())
        ),
        "other-sbom": Lie("sbom", "identical", lambda e, _: e.update(sbom=OTHER)),
        "attempt-skipped": Lie("attempts", "identical", _attempt(number=2)),
        "attempt-begins-as-retry": Lie("attempts", "identical", _attempt(purpose="retry")),
        "attempt-of-odd-purpose": Lie("attempts", "identical", _attempt(purpose="moved")),
        "confirmed-in-the-report": Lie("attempts", "different", _second_rebuild),
        "attempts-without-end": Lie("attempts", "failed", _many_attempts),
        "built-without-a-build": Lie("outcome", "failed", _report(outcome="BUILT")),
        "built-without-an-attempt": Lie("outcome", "unavailable", _report(outcome="BUILT")),
        "failure-renamed": Lie("outcome", "failed", _report(outcome="INPUT_UNAVAILABLE")),
        "failure-called-off": Lie("outcome", "failed", _report(outcome="CANCELLED")),
        "success-called-a-failure": Lie("outcome", "broken", _report(outcome="BUILD_FAILED")),
        "built-with-exit-code": Lie("ending", "identical", _rebuild(exit_code=1)),
        "built-without-exit-code": Lie("ending", "identical", _rebuild(exit_code=None)),
        "built-and-killed": Lie("ending", "identical", _rebuild(signal=9)),
        "built-out-of-memory": Lie("ending", "identical", _rebuild(oom_killed=True)),
        "failed-with-outputs": Lie("ending", "failed", _late_outputs),
        "memory-below-nothing": Lie("figures", "failed", _rebuild(peak_memory=-1)),
        "memory-without-end": Lie("figures", "failed", _rebuild(peak_memory=1 << 52)),
        "longer-than-the-run": Lie("figures", "failed", _rebuild(wall_seconds=99.0)),
        "exit-code-out-of-range": Lie("figures", "failed", _rebuild(exit_code=4096)),
        "signal-out-of-range": Lie("figures", "failed", _rebuild(signal=-5)),
        "other-log": Lie("log", "identical", _rebuild(log=OTHER)),
        "no-log": Lie("log", "identical", _rebuild(log=None)),
        "path-in-an-output": Lie("output-names", "identical", _traversal),
        "folder-in-an-output": Lie("output-names", "identical", _output(name="a/rules.bin")),
        "hidden-name": Lie("output-names", "identical", _output(name=".rules")),
        "line-break-in-a-name": Lie("output-names", "identical", _output(name="rules\n.bin")),
        "outputs-out-of-order": Lie("output-names", "identical", _unsorted),
        "by-product-ignored": Lie("output-parts", "identical", _output(2, part="ignored")),
        "unexpected-covered": Lie("output-parts", "unexpected", _output(2, part="by-product")),
        "other-output-digest": Lie("output-bytes", "identical", _output(sha256=OTHER)),
        "other-output-size": Lie("output-bytes", "identical", _output(size=1)),
        "output-damaged": Lie("output-bytes", "identical", _damaged_output),
        "output-swapped": Lie("seal", "identical", _swapped_output),
        "output-hidden": Lie("seal", "identical", _hidden_output),
        "built-without-outputs": Lie("seal", "identical", _no_outputs),
        "other-seal": Lie("seal", "identical", _report(seal=OTHER)),
        "no-seal": Lie("seal", "identical", _report(seal=None)),
        "other-run": Lie("seal", "identical", _report(run="20260102T030405Z-ffffffff")),
        "failure-with-a-seal": Lie("seal", "failed", _failed_sealed),
        "by-product-not-listed": Lie("by-products", "identical", _lost_by_product),
        "by-product-of-a-failure": Lie("by-products", "failed", _failed_by_products),
        "other-source": Lie("sources", "identical", _other_sources),
        "other-source-of-no-attempt": Lie("sources", "unavailable", _other_sources),
        "no-source": Lie("sources", "identical", _environment(sources=[])),
        "other-source-digest": Lie("sources", "identical", _other_source_digest),
        "artefact-left-out": Lie("missing-artefact", "identical", _missing),
        "no-artefacts": Lie("missing-artefact", "identical", _report(artefacts=[])),
        "artefacts-out-of-order": Lie("missing-artefact", "identical", _reordered),
        "artefact-added": Lie("extra-artefact", "identical", _extra),
        "unexpected-left-out": Lie("extra-artefact", "unexpected", _hidden_extra),
        "other-published-digest": Lie("published", "different", _published),
        "published-elsewhere": Lie(
            "published", "unexpected", _recipe(str(Digest.of(OURS)).encode(), OTHER.encode())
        ),
        "served-file-invented": Lie("shipped-bytes", "identical", _served_other),
        "served-file-of-other-size": Lie("shipped-bytes", "identical", _served_size),
        "served-file-by-half": Lie("shipped-bytes", "identical", _served_half),
        "served-file-without-size": Lie("shipped-bytes", "identical", _served_without_size),
        "identical-over-different": Lie("rebuilt", "different", _identical_over_different),
        "twins-swapped": Lie("rebuilt", "twins", _twins_swapped),
        "other-rebuilt-size": Lie("rebuilt", "different", finding_with(rebuilt=_fact(b"short"))),
        "match-hidden": Lie("verdict", "identical", _verdict_turned),
        "difference-hidden": Lie("verdict", "different", _different_digest_shipped),
        "copied-from-the-source": Lie("verdict", "identical", _copied),
        "copied-encoded": Lie("verdict", "identical", _copied_encoded),
        "input-not-in-the-vault": Lie("input-bytes", "identical", _lost_input),
        "signature-that-nobody-refused": Lie(
            "signature",
            "different",
            finding_with(signature={"fault": "unexpected-signer", "detail": "another"}),
        ),
        "other-ground": Lie("ground", "unreachable", _other_ground),
        "release-better-than-its-worst": Lie("worst", "different", _report(verdict="IDENTICAL")),
        "release-worse-than-its-worst": Lie("worst", "identical", _report(verdict="MISSING")),
        "cause-in-the-report": Lie("final", "different", finding_with(causes=[CONTENT])),
        "explanation-in-the-report": Lie(
            "final", "different", finding_with(explanation={"status": "complete"})
        ),
        "line-break-in-the-version": Lie("statement", "identical", _environment(samebits="1\n2")),
        "identical-by-schema": Lie(
            "schema", "different", finding_with(verdict="IDENTICAL", reason="same SHA-256")
        ),
        "unknown-field": Lie("schema", "identical", lambda e, _: e.update(trust_me=True)),
        "unknown-field-in-the-report": Lie("schema", "identical", _report(trust_me=True)),
        "unknown-verdict": Lie("schema", "identical", finding_with(verdict="FINE")),
        "short-digest": Lie("schema", "identical", _report(claim="abc")),
        "recipe-in-bad-base64": Lie("schema", "identical", lambda e, _: e.update(recipe="%%%")),
        "recipe-in-loose-base64": Lie("schema", "identical", lambda e, _: e.update(recipe="QR==")),
        "no-recipe": Lie("schema", "identical", lambda e, _: e.pop("recipe")),
        "number-as-text": Lie("schema", "identical", _rebuild(exit_code="0")),
        "other-schema": Lie(
            "schema", "identical", lambda e, _: e.update(schema="samebits/evidence/v2")
        ),
    }
)
