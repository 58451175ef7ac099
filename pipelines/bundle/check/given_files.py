"""Checks of bytes: public evidence in the bundle, and files that its reader has."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.rebuild.seal import SealedFile, seal_digest, seal_key
from pipelines.bundle.check.opened import GivenFile, OpenedBundle
from pipelines.bundle.check.result import (
    FileAnswer,
    NotNeededError,
    UncheckedError,
    WrongError,
    require_equal,
)
from pipelines.bundle.layout import EVIDENCE
from pipelines.judge.finding import worst_verdict


def check_evidence(opened: OpenedBundle) -> str:
    """Require evidence with the digest of its name, and a statement that names it."""
    named = named_digests(opened)
    evidence = {n: d for n, d in opened.bundle.members.items() if n.startswith(EVIDENCE)}
    for name, data in evidence.items():
        promised = Digest(name.removeprefix(EVIDENCE))
        require_equal(f"{name} holds something else", got=Digest.of(data), expected=promised)
        if promised not in named:
            raise WrongError(f"{name} is named by no statement", expected="evidence of this run")
    return f"{len(evidence)} objects, each named by a statement"


def named_digests(opened: OpenedBundle) -> frozenset[Digest]:
    """Return the digests of all evidence that the statements name."""
    found = [s.predicate.log for s in opened.attempts]
    found += [s.predicate.log for s in opened.robustness]
    for statement in opened.comparisons:
        explanation = statement.predicate.explanation
        found += [explanation.json_diff, explanation.html_diff, statement.predicate.mask_ledger]
    if opened.provenance:
        made = opened.provenance.predicate.run_details.byproducts
        found += [r.digest for r in made if r.name != "seal"]
    return frozenset(d.sha256 for d in found if d and d.sha256)


def check_files(opened: OpenedBundle) -> str:
    """Require that each given file is one that the statements are about."""
    for file in opened.files:
        if file_answer(opened, file).verdict is None:
            raise _not_about(opened, file)
    return ", ".join(f"{a.file} is {a.artefact}" for a in file_answers(opened)) or "none given"


def file_answers(opened: OpenedBundle) -> tuple[FileAnswer, ...]:
    """Return what the statements say about each given file."""
    return tuple(file_answer(opened, file) for file in opened.files)


def file_answer(opened: OpenedBundle, file: GivenFile) -> FileAnswer:
    """Return what the statements say about one file; of several verdicts the worst."""
    about = [b for b in opened.comparisons if b.subject[0].digest.sha256 == file.sha256]
    worst = worst_verdict(b.predicate.verdict for b in about)
    name = next((b.subject[0].name for b in about if b.predicate.verdict is worst), None)
    return FileAnswer(
        file=file.name, sha256=file.sha256, artefact=name, verdict=worst if about else None
    )


def _not_about(opened: OpenedBundle, file: GivenFile) -> WrongError | UncheckedError:
    """Return the error for a file that is the subject of no statement."""
    for statement in opened.comparisons:
        found, name = statement.predicate, statement.subject[0].name
        served = found.shipped.served if found.shipped else None
        for what, seen in (("served", served), ("rebuilt", found.rebuilt)):
            if seen and seen.digest.sha256 == file.sha256:
                return WrongError(
                    f"{file.name} is what was {what} as {name}, and is not the published file",
                    got=file.sha256,
                    expected=found.shipped.published.sha256 if found.shipped else None,
                )
    return UncheckedError(
        f"{file.name} is no artefact of this bundle",
        got=f"sha256 {file.sha256}",
        todo="Look for the bundle of the release that the file belongs to",
    )


def check_sealed(opened: OpenedBundle) -> str:
    """Require the seal of the given bytes: a center that has not built them could not make it."""
    report, given = opened.report, {file.sha256: file for file in opened.files}
    if report.seal is None:
        raise NotNeededError("there is no seal")
    if opened.closed:
        raise NotNeededError("the source is closed: of what else was sealed only the center knows")
    key = seal_key(report.center, report.run)
    lines = list(report.by_products)
    for statement in opened.comparisons:
        rebuilt, name = statement.predicate.rebuilt, statement.subject[0].name
        if rebuilt is None:
            continue
        file = given.get(rebuilt.digest.sha256) if rebuilt.digest.sha256 else None
        if file is None:
            raise NotNeededError(
                f"to make the seal again needs the bytes of every output; give {name} by --file"
            )
        lines.append(SealedFile(name=name, size=rebuilt.size, hmac=file.keyed(key)))
    lines.sort(key=lambda line: line.name)
    found = seal_digest(lines)
    require_equal("the seal is not of these files", got=found, expected=report.seal)
    return f"made again from {len(lines)} files: {found}"
