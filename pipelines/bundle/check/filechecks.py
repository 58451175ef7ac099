"""Checks of bytes: public evidence in the bundle, and files that its reader has."""

from __future__ import annotations

from builders.build.seal import SealedFile, seal_key
from builders.core.digest import Digest, canonical_json
from pipelines.bundle.check.dossier import Dossier, GivenFile
from pipelines.bundle.check.result import FileAnswer, NotNeededError, UncheckedError, WrongError
from pipelines.bundle.layout import EVIDENCE
from pipelines.judge.finding import worst_of


def check_evidence(dossier: Dossier) -> str:
    """Require evidence with the digest of its name, and a statement that names it."""
    named = named_digests(dossier)
    count = 0
    for name, data in dossier.bundle.members.items():
        if not name.startswith(EVIDENCE):
            continue
        promised = Digest(name.removeprefix(EVIDENCE))
        if Digest.of(data) != promised:
            raise WrongError(f"{name} holds something else", got=Digest.of(data), expected=promised)
        if promised not in named:
            raise WrongError(f"{name} is named by no statement", expected="evidence of this run")
        count += 1
    return f"{count} objects, each named by a statement"


def named_digests(dossier: Dossier) -> frozenset[Digest]:
    """Return the digests of all evidence that the statements name."""
    found = [a.predicate.log for a in dossier.attempts]
    found += [r.predicate.log for r in dossier.robustness]
    for statement in dossier.comparisons:
        why = statement.predicate.explanation
        found += [why.json_diff, why.html_diff, statement.predicate.mask_ledger]
    if dossier.provenance:
        made = dossier.provenance.predicate.run_details.byproducts
        found += [r.digest for r in made if r.name != "seal"]
    return frozenset(d.sha256 for d in found if d and d.sha256)


def check_files(dossier: Dossier) -> str:
    """Require that each given file is one that the statements are about."""
    for file in dossier.files:
        if answer(dossier, file).verdict is None:
            _explain(dossier, file)
    return ", ".join(f"{a.file} is {a.artefact}" for a in answers(dossier)) or "none given"


def check_sealed(dossier: Dossier) -> str:
    """Require the seal of the bytes at hand: who has not built them could not have made it."""
    report, given = dossier.report, {file.sha256: file for file in dossier.files}
    if report.seal is None:
        raise NotNeededError("there is no seal")
    if dossier.closed:
        raise NotNeededError("the source is closed: of what else was sealed only the center knows")
    key = seal_key(report.center, report.run)
    lines = list(report.by_products)
    for statement in dossier.comparisons:
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
    found = Digest.of(canonical_json([line.model_dump(mode="json") for line in lines]))
    if found != report.seal:
        raise WrongError("the seal is not of these files", got=found, expected=report.seal)
    return f"made again from {len(lines)} files: {found}"


def answers(dossier: Dossier) -> tuple[FileAnswer, ...]:
    """Return what the statements say about each given file."""
    return tuple(answer(dossier, file) for file in dossier.files)


def answer(dossier: Dossier, file: GivenFile) -> FileAnswer:
    """Return what the statements say about one file; of several verdicts the worst."""
    about = [b for b in dossier.comparisons if b.subject[0].digest.sha256 == file.sha256]
    worst = worst_of(b.predicate.verdict for b in about)
    name = next((b.subject[0].name for b in about if b.predicate.verdict is worst), None)
    return FileAnswer(
        file=file.name, sha256=file.sha256, artefact=name, verdict=worst if about else None
    )


def _explain(dossier: Dossier, file: GivenFile) -> None:
    """Say of a file that nothing is about whether it is met somewhere else."""
    for statement in dossier.comparisons:
        found, name = statement.predicate, statement.subject[0].name
        served = found.shipped.served if found.shipped else None
        if served and served.digest.sha256 == file.sha256:
            raise WrongError(
                f"{file.name} is what was served as {name}, and is not the published file",
                got=file.sha256,
                expected=found.shipped.published.sha256 if found.shipped else None,
            )
        if found.rebuilt and found.rebuilt.digest.sha256 == file.sha256:
            raise WrongError(
                f"{file.name} is what was rebuilt as {name}, and is not the published file",
                got=file.sha256,
                expected=found.shipped.published.sha256 if found.shipped else None,
            )
    raise UncheckedError(
        f"{file.name} is no artefact of this bundle",
        got=f"sha256 {file.sha256}",
        todo="Look for the bundle of the release that the file belongs to",
    )
