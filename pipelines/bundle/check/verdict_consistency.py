"""Checks of the findings: every artefact judged, each verdict in accord with its own digests."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.audit.center_finding import ExclusionReason
from pipelines.audit.verdict_rule import contradiction
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.check.result import (
    NotNeededError,
    require,
    require_equal,
    require_fields,
    require_list,
)
from pipelines.evidence.statements.comparison import masked_by
from pipelines.evidence.statements.statement import DigestSet, value_of
from pipelines.judge.normalizers.ledger import MaskLedger

_CHANGED = frozenset({Verdict.IDENTICAL_SIGNED, Verdict.EQUIVALENT})
"""Verdicts on rebuilt bytes with a signature attached or with fields masked."""
_SIGNED = Verdict.IDENTICAL_SIGNED


def check_complete(opened: OpenedBundle) -> str:
    """Require what the audit does of a run: each artefact compared once, as the attempts say."""
    for excluded in opened.run_findings.excluded:
        incomplete = excluded.reason is ExclusionReason.INCOMPLETE
        require(not incomplete, f"{excluded.record} does not fit its run", excluded.detail)
    shipped = [b for b in opened.comparisons if b.predicate.shipped]
    return f"{len(shipped)} artefacts, none left out"


def check_built(opened: OpenedBundle) -> str:
    """Require provenance of a build, about the rebuilt bytes of the artefacts and no others."""
    rebuilt = {
        b.name: b.predicate.rebuilt.digest
        for b in opened.comparisons
        if opened.built and b.predicate.shipped and b.predicate.rebuilt
    }
    found = {s.name: s.digest for s in opened.provenance.subject} if opened.provenance else {}
    require_fields("the provenance is not of what was compared:", found, rebuilt)
    return f"provenance of {len(found)} rebuilt files"


def check_provenance(opened: OpenedBundle) -> str:
    """Require that every comparison of rebuilt bytes names the provenance in the bundle."""
    digest = opened.provenance.digest() if opened.provenance else None
    for statement in opened.comparisons:
        found = statement.predicate
        named = found.provenance.sha256 if found.provenance else None
        what = f"the comparison of {statement.name} names another provenance"
        require_equal(what, named or "none", (digest if found.rebuilt else None) or "none")
    return f"sha256 {digest}" if digest else "nothing was built, so there is none"


def check_not_copied(opened: OpenedBundle) -> str:
    """Require that nothing passes whose shipped bytes went into the build.

    Nor may the rebuilt bytes have gone into it, where others than those are the shipped ones.
    """
    if opened.provenance is None:
        raise NotNeededError("nothing was built")
    definition = opened.provenance.predicate.build_definition
    dependencies = definition.resolved_dependencies
    inputs = {digest: r.name for r in dependencies for digest in _values(r.digest)}
    for statement in opened.comparisons:
        found = statement.predicate
        files: dict[str, DigestSet] = {}
        if found.shipped and found.verdict in {Verdict.IDENTICAL, *_CHANGED}:
            files["shipped"] = found.shipped.published
        if found.rebuilt and found.verdict in _CHANGED:
            files["rebuilt"] = found.rebuilt.digest
        for which, digest in files.items():
            copy = next((inputs[value] for value in _values(digest) if value in inputs), None)
            require(
                copy is None,
                f"{statement.name} was copied, not rebuilt",
                f"{found.verdict}, with the {which} file as the input {copy}",
                "NOT_CHECKED (copied-input)",
            )
    return f"{len(dependencies)} inputs, none of them a file that is judged"


def _values(digest: DigestSet) -> list[Digest]:
    """Return the plain and the keyed digest of a file, as far as they are there."""
    return [value for value in (digest.sha256, digest.hmac_sha256) if value]


def check_verdicts(opened: OpenedBundle) -> str:
    """Require the verdict, and the ground for it, that follow from its digests."""
    for statement in opened.comparisons:
        found, name = statement.predicate, statement.name
        expected = contradiction(statement, built=opened.built)
        what = f"the verdict on {name} does not follow from its digests"
        require(expected is None, what, f"{found.verdict} ({found.ground})", expected)
    return "every verdict follows from its digests"


def check_ledgers(opened: OpenedBundle) -> str:
    """Require the ledgers that comparisons name, in the report, and what they say of them."""
    found = ((f.name, f.ledger) for f in opened.report.artefacts)
    ledgers = {name: ledger for name, ledger in found if isinstance(ledger, MaskLedger)}
    about = {s.name: s.predicate for s in opened.comparisons if s.predicate.mask_ledger}
    require_fields(
        "the report has another ledger of",
        {name: ledger.digest() for name, ledger in ledgers.items()},
        {name: value_of(one.mask_ledger) for name, one in about.items()},
    )
    for name, ledger in ledgers.items():
        shipped = about[name].shipped
        compared = shipped.compared if shipped else None
        require(
            compared is not None
            and (compared.digest.sha256, compared.size) == (ledger.sha256, ledger.size),
            f"the ledger of {name} is of another file",
            ledger.sha256,
            compared and compared.digest.sha256,
        )
        what = f"the ledger of {name} masks other bytes than its comparison says:"
        require_list(what, masked_by(ledger), about[name].normalizers)
    if not ledgers:
        raise NotNeededError("nothing was masked")
    masked = sum(ledger.masked for ledger in ledgers.values())
    return f"{masked} masked bytes, each in a ledger of the report"


def check_grafted(opened: OpenedBundle) -> str:
    """Require provenance of the files with a vendor's signature, from those that were rebuilt."""
    made, rebuilt = opened.grafting, opened.provenance
    signed = {s.name: s.predicate for s in opened.comparisons if s.predicate.verdict is _SIGNED}
    found = {s.name: s.digest for s in made.subject} if made else {}
    grafted = {name: p.signature and p.signature.grafted for name, p in signed.items()}
    expected = {name: file and file.digest for name, file in grafted.items()}
    require_fields("the provenance is not of the signed file:", found, expected)
    if made is None or rebuilt is None:
        raise NotNeededError("no vendor's signature was put onto a rebuilt file")
    definition, first = (one.predicate.build_definition for one in (made, rebuilt))
    same = definition.external_parameters == first.external_parameters
    require(same, "the provenance of the signed files is of another build")
    parts: list[tuple[object, ...]] = []
    for r in definition.resolved_dependencies:
        role, origin = r.annotation("role"), r.annotation("provenance")
        parts.append((r.name, role, *((r.digest, origin) if role == "rebuilt" else ())))
    wanted: list[tuple[object, ...]] = []
    for name, p in signed.items():
        wanted.append((name, "rebuilt", p.rebuilt and p.rebuilt.digest, str(rebuilt.digest())))
        wanted.append((name, "signature"))
    require_list("the signed files are made of other parts:", parts, wanted)
    listed = made.predicate.run_details.byproducts
    require(not listed, "the provenance of the signed files names by-products", len(listed), 0)
    return f"provenance of {len(found)} signed files"
