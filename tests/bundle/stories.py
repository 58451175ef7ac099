"""Lies that take several changes at once, so that the parts of the bundle bear each other out."""

from __future__ import annotations

import json
from typing import Any

from builders.core.digest import Digest
from pipelines.evidence.privatekey import PrivateKey
from pipelines.judge.normalizers.ledger import MaskLedger
from tests.bundle.bundles import EVIDENCE, REPORT, Altered, Document
from tests.bundle.tells import (
    ATTEMPT,
    COMPARISON,
    GRAFTING,
    LATER,
    OTHER,
    PROVENANCE,
    ROBUSTNESS,
    by_product,
    in_one,
    member_of,
    payload_of,
    set_at,
    without,
)
from tests.evidence.contradictions import delta
from tests.evidence.examples import STATEMENTS as EXAMPLES
from tests.signer.scene import OURS


def second_provenance(altered: Altered, other: PrivateKey) -> None:
    altered.members[member_of("provenance-2")] = altered.members[member_of(PROVENANCE)]
    altered.statement(
        "provenance-2",
        lambda d: set_at(d, "predicate/runDetails/metadata/finishedOn", LATER),
        relink=False,
    )


def hidden(altered: Altered, other: PrivateKey) -> None:
    """Leave out an artefact that differs, in comparison, provenance and report alike."""
    without(COMPARISON)(altered, other)
    altered.statement(PROVENANCE, lambda d: d["subject"].pop(0))
    altered.report(lambda d: (d["artefacts"].pop(0), d.update(verdict="IDENTICAL")))


def glossed(altered: Altered, other: PrivateKey) -> None:
    """Call a difference identical, everywhere."""
    altered.every("comparison", lambda d: d["predicate"].update(verdict="IDENTICAL"))
    altered.statement(COMPARISON, lambda d: d["predicate"].update(ground="same-digest"))
    altered.report(lambda d: d.update(verdict="IDENTICAL"))
    told_as(altered, "IDENTICAL")


def grafted_more(altered: Altered, other: PrivateKey) -> None:
    """Say of a file that is identical that a signature was put onto it."""
    rebuilt = payload_of(altered, member_of(PROVENANCE))["subject"][1]
    altered.statement(GRAFTING, lambda d: d["subject"].append(rebuilt))


def unchecked(altered: Altered, other: PrivateKey) -> None:
    """Say of a file that was served and compared that nobody serves it."""
    altered.statement(
        COMPARISON,
        lambda d: d["predicate"].update(verdict="NOT_CHECKED", ground="shipped-unreachable"),
    )
    altered.report(
        lambda d: (d["artefacts"][0].update(verdict="NOT_CHECKED"), d.update(verdict="NOT_CHECKED"))
    )


def undeclared(altered: Altered, other: PrivateKey) -> None:
    """Say of an output that nobody declared that it was not checked."""
    altered.statement("comparison-3", lambda d: d["predicate"].update(verdict="NOT_CHECKED"))
    altered.report(
        lambda d: (d["artefacts"][2].update(verdict="NOT_CHECKED"), d.update(verdict="NOT_CHECKED"))
    )


def told_as(altered: Altered, verdict: str) -> None:
    """Let the report, which cannot hold a contradiction, bend its digests to the verdict."""

    def change(document: Document) -> None:
        finding = document["artefacts"][0]
        finding.update(verdict=verdict)
        finding["rebuilt"] = {k: finding["shipped"][k] for k in ("sha256", "size")}

    altered.report(change)


def copied(altered: Altered, other: PrivateKey) -> None:
    altered.statement(
        PROVENANCE,
        lambda d: d["predicate"]["buildDefinition"]["resolvedDependencies"][1].update(
            digest={"sha256": str(Digest.of(OURS))}
        ),
    )


def difference_with_a_ledger(altered: Altered, other: PrivateKey) -> None:
    """Call a file different whose ledger the report has."""
    told = {"verdict": "DIFFERENT", "ground": "bytes-differ", "normalizers": []}
    altered.statement(COMPARISON, lambda d: d["predicate"].update(told))
    altered.statement(COMPARISON, lambda d: d["predicate"].pop("maskLedger"))


def ledger_of_another_file(altered: Altered, other: PrivateKey) -> None:
    """Tell in the report of a file with another digest."""
    _ledger_of(altered, published=OTHER, sha256=OTHER)


def ledger_of_another_size(altered: Altered, other: PrivateKey) -> None:
    """Tell in the report of a file with another size."""
    _ledger_of(altered, size=1 << 20)


def _ledger_of(altered: Altered, **file: Any) -> None:
    """Change the shipped file and its ledger in the report, and let the comparison name that."""

    def change(report: Document) -> None:
        finding = report["artefacts"][0]
        finding["shipped"].update(file)
        finding["ledger"].update({n: v for n, v in file.items() if n in finding["ledger"]})
        digest = MaskLedger.model_validate_json(json.dumps(finding["ledger"])).digest()
        in_one(COMPARISON, "predicate/maskLedger/sha256", str(digest))(altered, altered.key)

    altered.report(change)


def passed_unbuilt(altered: Altered, other: PrivateKey) -> None:
    """Give a failed build the verdict MISSING, which only a build can have."""
    for name in ("comparison-1", "comparison-2"):
        altered.statement(
            name, lambda d: d["predicate"].update(verdict="MISSING", ground="not-rebuilt")
        )
    altered.report(
        lambda d: (
            d.update(verdict="MISSING"),
            [f.update(verdict="MISSING") for f in d["artefacts"]],
        )
    )


def unknown(altered: Altered, other: PrivateKey) -> None:
    document = payload_of(altered, member_of(ATTEMPT))
    document["predicateType"] = "https://samebits.example/rebuild-attempt/v9"
    altered.put(member_of("attempt-9"), document)


def as_before_there_were_scopes(altered: Altered, other: PrivateKey) -> None:
    """Write all statements in format version 1, under a policy that wants version 2."""
    for kind, field in (("comparison", "scope"), ("attempt", "report")):

        def older(document: Document, field: str = field) -> None:
            document["predicateType"] = document["predicateType"].replace("/v2", "/v1")
            del document["predicate"][field]

        altered.every(kind, older)
    inside = {"causes": [], "explanation": {"status": "none"}}
    altered.every("comparison", lambda d: d["predicate"].update(inside))
    altered.report(lambda d: d.update(scope=None))
    altered.policy.update(min_evidence=2)


def another_seal(altered: Altered, other: PrivateKey) -> None:
    """Give another seal, in provenance, attempt and report alike."""
    by_product("seal", digest={"sha256": OTHER})(altered, other)
    altered.statement(ATTEMPT, lambda d: d["predicate"].update(seal={"sha256": OTHER}))
    altered.report(lambda d: d.update(seal=OTHER))


def seal_as_evidence(altered: Altered, other: PrivateKey) -> None:
    """Bring what was sealed along, as if it were evidence: it holds digests nobody may publish."""
    seal = str(Digest.of(b"sealed"))
    by_product("seal", digest={"sha256": seal})(altered, other)
    altered.statement(ATTEMPT, lambda d: set_at(d, "predicate/seal", {"sha256": seal}))
    altered.report(lambda d: d.update(seal=seal))
    altered.members[f"{EVIDENCE}{seal}"] = b"sealed"


def wrong_evidence(altered: Altered, other: PrivateKey) -> None:
    member = next(name for name in altered.members if name.startswith(EVIDENCE))
    altered.members[member] += b"!"


def delta_on_no_base(altered: Altered, other: PrivateKey) -> None:
    """Say of a file that it is a delta, on a base that the build has not read."""
    altered.statement(COMPARISON, lambda document: delta()(document["predicate"]))


def moved_unbuilt(altered: Altered, other: PrivateKey) -> None:
    """Say of a run in which nothing was built that a moved rebuild gave the same."""
    document = EXAMPLES["robustness"].to_dict()
    document["predicate"]["claim"] = {"sha256": json.loads(altered.members[REPORT])["claim"]}
    altered.put(member_of(ROBUSTNESS), document)


def moved_more(altered: Altered, other: PrivateKey) -> None:
    """Say of a file that neither rebuild left that it was left the same."""
    more = {"name": "other.bin", "same": True}
    altered.statement(ROBUSTNESS, lambda document: document["predicate"]["artefacts"].append(more))


def moved_declared(altered: Altered, other: PrivateKey) -> None:
    """Say that the order of folders was moved, which the recipe declares."""

    def change(document: Document) -> None:
        test = document["predicate"]
        test["kept"] = [k for k in test["kept"] if k["factor"] != "folder-order"]
        test["moved"].insert(2, {"factor": "folder-order", "from": "one", "to": "another"})

    altered.statement(ROBUSTNESS, change)


def moved_twice(altered: Altered, other: PrivateKey) -> None:
    document = payload_of(altered, member_of(ROBUSTNESS))
    document["predicate"]["testedOn"] = "2026-01-02T03:25:00Z"
    altered.put(member_of("robustness-2"), document)
