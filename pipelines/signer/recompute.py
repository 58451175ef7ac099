"""The verdict found again: the judge's own code, over facts that are hashed here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from builders.build.outputs import OutputKind
from builders.build.seal import SealedFile, seal_key
from builders.core.digest import Digest, canonical_json
from builders.core.enums import Outcome, Role, Verdict
from builders.core.errors import InputMismatchError
from builders.inputs.collect import input_name
from builders.inputs.file import InputFile
from builders.inputs.sourcedigest import source_digest
from builders.locators.dsc import MAX_DSC_BYTES, companions
from builders.recipe.recipe import Input
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.statements.run import confirming_attempt
from pipelines.judge.compare import compare, confirm
from pipelines.judge.copied import Contents, check_inputs, contents
from pipelines.judge.copied import InputFile as CheckedInput
from pipelines.judge.facts import Coverage, Declared, Facts, InputCheck, Rebuilt, Unreachable
from pipelines.judge.finding import Finding
from pipelines.judge.look import FileFact
from pipelines.signer.case import Case

_COVERAGE: dict[OutputKind, Coverage] = {
    OutputKind.ARTEFACT: "declared",
    OutputKind.BY_PRODUCT: "by-product",
    OutputKind.IGNORED: "ignored",
    OutputKind.UNEXPECTED: "unexpected",
}


def findings(case: Case) -> tuple[Finding, ...]:
    """Judge the case, confirming attempt included."""
    judged = case.run.judged
    outputs = judged.outputs if judged else ()
    published = {a.name: a.shipped.sha256 for a in case.recipe.artefacts}
    built = case.report.outcome is Outcome.BUILT
    facts = Facts(
        outcome=case.report.outcome,
        outcome_reason=case.report.reason or "",
        declared=tuple(Declared(name=n, published=d) for n, d in published.items()),
        rebuilt=tuple(
            Rebuilt(
                name=o.name,
                file=FileFact(sha256=o.sha256, size=o.size),
                coverage=_COVERAGE[o.part],
            )
            for o in outputs
        ),
        served={
            f.name: FileFact(sha256=f.shipped.sha256, size=f.shipped.size)
            if f.shipped.sha256 is not None and f.shipped.size is not None
            else Unreachable(reason="it was not served")
            for f in case.report.artefacts
            if f.shipped
        },
        inputs=check_inputs(_scanned(case), published)
        if built and outputs
        else InputCheck(fault=None),
    )
    return tuple(_confirmed(case, finding) for finding in compare(facts))


def sealed(case: Case) -> tuple[SealedFile, ...]:
    """Return the lines of the seal, made from the bytes in the store."""
    judged = case.run.judged
    outputs = judged.outputs if judged else ()
    key = seal_key(case.center.id, case.report.run)
    return tuple(
        SealedFile(
            name=o.name,
            size=o.size,
            hmac=case.source.evidence(
                o.sha256, check="output-bytes", what=f"output {o.name}", key=key
            ).hmac,
        )
        for o in sorted(outputs, key=lambda o: o.name)
        if o.part is not OutputKind.IGNORED
    )


def seal_digest(lines: tuple[SealedFile, ...]) -> Digest:
    """Return the seal over `lines`, as `builders.build.seal` makes it."""
    return Digest.of(canonical_json([line.model_dump(mode="json") for line in lines]))


def read_source(case: Case, item: Input) -> Digest:
    """Return the source digest of a source input, read from the vault."""
    return source_digest(list(_files(case, item)), lambda file: case.source.opener(file.sha256))


def _confirmed(case: Case, finding: Finding) -> Finding:
    again = confirming_attempt(case.report)
    if again is None or finding.verdict is not Verdict.DIFFERENT:
        return finding
    digests = {o.name: o.sha256 for o in again.rebuild.outputs}
    return confirm(finding, digests.get(finding.name))


def _scanned(case: Case) -> Iterator[tuple[CheckedInput, Contents]]:
    for item in case.recipe.inputs:
        for file in _files(case, item):
            checked = CheckedInput(
                role=file.role,
                name=file.name,
                digest=file.sha256,
                open=partial(case.source.opener, file.sha256),
            )
            yield checked, contents(checked, cache=case.cache)


def _files(case: Case, item: Input) -> Iterator[InputFile]:
    """Yield the files of an input, each of them hashed unless what is in it is known already."""
    name = input_name(item)
    yield _file(case, item.role, name, item.sha256)
    if item.role is Role.SOURCE and name.endswith(".dsc"):
        with case.source.opener(item.sha256) as stream:
            dsc = stream.read(MAX_DSC_BYTES + 1)
        try:
            found = companions(dsc, what=name)
        except InputMismatchError as error:
            raise RefusedError(
                "a source package cannot be read", check="input-bytes", got=error
            ) from error
        for companion in found:
            yield _file(case, item.role, companion.name, companion.sha256)


def _file(case: Case, role: Role, name: str, digest: Digest) -> InputFile:
    if case.cache is None or case.cache.get(digest) is None:
        case.source.vaulted(digest, check="input-bytes", what=f"input {name}")
    return InputFile(role=role, name=name, sha256=digest)
