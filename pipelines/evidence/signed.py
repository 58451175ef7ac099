"""Which statements a run gets, and under which names they are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from builders.core.digest import Digest
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.moved import MovedRebuild
from pipelines.evidence.statements import Statement, kind_of, read_statement
from pipelines.evidence.statements.attempt import attempts
from pipelines.evidence.statements.comparison import comparison
from pipelines.evidence.statements.provenance import provenance
from pipelines.evidence.statements.robustness import robustness
from pipelines.evidence.statements.run import Run

SUFFIX = ".dsse.json"


def statements_for(run: Run, *, sbom: Digest, moved: MovedRebuild | None = None) -> list[Statement]:
    """Return all statements about a run: A if it was built, B for each finding, E for each try.

    `sbom` is the digest of its SBOM. There is always at least one E, whatever went wrong. What a
    moved rebuild showed, if one was made, comes last.
    """
    made = provenance(run, sbom=sbom)
    digest = made.digest() if made else None
    statements: list[Statement] = [made] if made else []
    statements += [comparison(run, f, provenance=digest) for f in run.report.artefacts]
    tests = [robustness(run, moved)] if moved else []
    return [*statements, *attempts(run), *tests]


def statement_of(envelope: Envelope) -> Statement:
    """Return the statement in an envelope; raises `MalformedError`. Nothing is verified."""
    return read_statement(envelope.payload)


def named(envelopes: Iterable[Envelope]) -> dict[str, Envelope]:
    """Return envelopes by the name of their record: `<kind>-<n>.dsse.json`, counted from 1."""
    seen: Counter[str] = Counter()
    found = {}
    for envelope in envelopes:
        kind = kind_of(statement_of(envelope))
        seen[kind] += 1
        found[f"{kind}-{seen[kind]}{SUFFIX}"] = envelope
    return found
