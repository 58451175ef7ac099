"""The verdict: a pure function of the facts of one rebuild.

The rules, in order; the first that holds decides:

1. The outcome is not BUILT: every artefact is NOT_CHECKED. A served file that is not the published
   one is then named in the reason, with both digests in the finding.
2. An input holds an artefact under test, or could not be searched: every verdict is NOT_CHECKED,
   those of undeclared outputs too.
3. Then, per declared artefact, worst first:
   the served file is not the published one: SHIPPED_MISMATCH, rebuilt or not;
   nothing was rebuilt under its name: MISSING, even when the shipped file is out of reach, since
   MISSING is the worse of the two and does not need the shipped bytes;
   the shipped file is out of reach: NOT_CHECKED;
   its signature could not be looked at, for want of a jail or of the file that holds it:
   NOT_CHECKED;
   size and SHA-256 are the same: IDENTICAL;
   the vendor's signature on the rebuilt bytes gives the shipped file: IDENTICAL_SIGNED;
   masking declared fields of the rebuilt bytes gives the shipped file: EQUIVALENT;
   those fields could not be looked at, for want of a jail: NOT_CHECKED;
   the bytes are not the same: DIFFERENT.
   Of a delta or a manifest, after the first of these: its checks have found a fault: DIFFERENT,
   whatever its bytes. And in the end, if its bytes are right or none had to be rebuilt: it was not
   checked, or rests on a base that was not judged: NOT_CHECKED; only its result was compared:
   EQUIVALENT.
4. An output that is neither declared nor covered as a by-product or ignored: UNEXPECTED.

IDENTICAL is only ever the result of two equal digests that are both there, IDENTICAL_SIGNED and
EQUIVALENT of the digest of a file that was made of the rebuilt one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.frozen_model import duplicate
from builders.rebuild.rebuild_result import Output, OutputKind
from pipelines.judge.finding import Confirmation, FileFact, Finding, ShippedFact, VaultFile
from pipelines.judge.normalizers.ledger import MaskLedger, NotMasked
from pipelines.judge.signatures.signature_format import Graft, Refused
from pipelines.judge.updates.checked_delta import CheckedDelta
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.update_fault import UpdateResult

_COVERED = frozenset({OutputKind.BY_PRODUCT, OutputKind.PUBLISHED, OutputKind.IGNORED})


class DeclaredArtefact(Protocol):
    """What a recipe declares of an artefact; see `Declared`."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def output(self) -> str | None: ...  # noqa: D102
    @property
    def is_update(self) -> bool: ...  # noqa: D102
    @property
    def stands_in(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Declared:
    """An artefact of the recipe, with the digest its vendor published."""

    name: str
    published: Digest
    output: str | None = None
    """`FILE#path` of an artefact that is a file inside another output."""
    is_update: bool = False
    """Whether it is a delta or a manifest, which counts only once that was checked."""
    stands_in: bool = False
    """Whether these checks may stand in for a file that the build does not leave."""

    @classmethod
    def of(cls, artefact: DeclaredArtefact, published: Digest) -> Self:
        """Return what is declared of an artefact that was published with that digest."""
        return cls(
            name=artefact.name,
            published=published,
            output=artefact.output,
            is_update=artefact.is_update,
            stands_in=artefact.stands_in,
        )


@dataclass(frozen=True, kw_only=True)
class Unreachable:
    """A shipped file that could not be fetched."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A signature, fields or a delta that nothing could look at."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One rebuild, what it left, and what was served as shipped; names are unique."""

    outcome: Outcome
    outcome_reason: str | None
    """Why there is nothing to compare; only read when the outcome is not BUILT."""
    declared: tuple[Declared, ...]
    rebuilt: tuple[Output, ...]
    served: Mapping[str, FileFact | Unreachable] = field(hash=False)
    """By artefact name: the bytes really fetched. One that is absent was not fetched."""
    input_fault: str | None
    """`copied-input: ...` or `input-not-scanned: ...`; None when surely no input holds one."""
    grafts: Mapping[str, Graft | Refused | Unread] = field(default_factory=dict, hash=False)
    """By artefact name, of those that differ and whose signature the recipe pins."""
    masks: Mapping[str, MaskLedger | NotMasked | Unread] = field(default_factory=dict, hash=False)
    """By artefact name, of those that differ and of which the recipe lets fields be masked."""
    deltas: Mapping[str, CheckedDelta | Unread] = field(default_factory=dict, hash=False)
    """By artefact name, of the deltas that were served."""
    manifests: Mapping[str, ManifestFact | Unread] = field(default_factory=dict, hash=False)
    """By artefact name, of the manifests that were served."""

    def __post_init__(self) -> None:
        for what, names in (
            ("declared", [artefact.name for artefact in self.declared]),
            ("rebuilt", [output.name for output in self.rebuilt]),
        ):
            if (name := duplicate(names)) is not None:
                raise ValueError(f"{what}: {name!r} is there twice")


def compare(facts: Facts) -> tuple[Finding, ...]:
    """Return a finding for every declared artefact, then one for every undeclared output."""
    rebuilt = {output.name: output for output in facts.rebuilt}
    names = {artefact.name for artefact in facts.declared}
    findings = [_judge(a, rebuilt.get(a.name), facts) for a in facts.declared]
    if facts.outcome is Outcome.BUILT:
        findings += [
            _undeclared(output, facts)
            for output in facts.rebuilt
            if output.name not in names and output.part not in _COVERED
        ]
    return tuple(findings)


def confirm_difference(finding: Finding, again: Digest | None) -> Confirmation:
    """Return what a second rebuild says of the DIFFERENT `finding`, whose verdict stays.

    `again` is the digest of the same artefact in the second rebuild, None when that left none.
    Raises ValueError for any other verdict, and for bytes that do not differ.
    """
    if not finding.differs or not finding.shipped or not finding.rebuilt:
        raise ValueError(f"only DIFFERENT is confirmed by a second rebuild, got {finding.verdict}")
    if again is None:
        return Confirmation.ABSENT
    if again == finding.rebuilt.sha256:
        return Confirmation.SAME
    return Confirmation.SHIPPED if again == finding.shipped.published else Confirmation.OTHER


def _judge(artefact: Declared, output: Output | None, facts: Facts) -> Finding:
    served = facts.served.get(artefact.name, Unreachable(reason="it was not fetched"))
    file = _file(output) if output else None
    verdict, reason = _verdict(artefact, file, served, facts)
    fetched = served if isinstance(served, FileFact) else None
    copy = served if isinstance(served, VaultFile) else None
    ledger = _ledger(verdict, facts.masks.get(artefact.name))
    return Finding(
        name=artefact.name,
        verdict=verdict,
        reason=reason,
        shipped=ShippedFact(
            published=artefact.published,
            sha256=fetched.sha256 if fetched else None,
            size=fetched.size if fetched else None,
            from_vault=copy is not None,
            fetched_on=copy.fetched_on if copy else None,
        ),
        rebuilt=file,
        signature=_signature(verdict, facts.grafts.get(artefact.name)),
        normalizers=tuple(ledger.bytes_by_normalizer) if isinstance(ledger, MaskLedger) else (),
        ledger=ledger,
        delta=delta if isinstance(delta := facts.deltas.get(artefact.name), CheckedDelta) else None,
        manifest=manifest
        if isinstance(manifest := facts.manifests.get(artefact.name), ManifestFact)
        else None,
    )


def _ledger(
    verdict: Verdict, found: MaskLedger | NotMasked | Unread | None
) -> MaskLedger | NotMasked | None:
    decides = verdict in {Verdict.EQUIVALENT, Verdict.DIFFERENT}
    return found if decides and not isinstance(found, Unread) else None


def _signature(verdict: Verdict, found: Graft | Refused | Unread | None) -> Graft | Refused | None:
    decides = verdict in {Verdict.IDENTICAL_SIGNED, Verdict.EQUIVALENT, Verdict.DIFFERENT}
    if isinstance(found, Graft) and verdict is Verdict.DIFFERENT:
        return None  # something else is wrong, which the reason names
    return found if decides and not isinstance(found, Unread) else None


def _verdict(
    artefact: Declared, file: FileFact | None, served: FileFact | Unreachable, facts: Facts
) -> tuple[Verdict, str]:
    mismatch = _mismatch(artefact, served)
    if fault := _unjudged(facts):
        return Verdict.NOT_CHECKED, f"{fault}; {mismatch}" if mismatch else fault
    if mismatch:
        return Verdict.SHIPPED_MISMATCH, mismatch
    update = facts.deltas.get(artefact.name) or facts.manifests.get(artefact.name)
    if refused := _refused(update, UpdateResult.REFUSED):
        return Verdict.DIFFERENT, refused
    found = _of_bytes(artefact, file, served, facts)
    return _of_update(update, *found) if artefact.is_update else found


def _of_bytes(
    artefact: Declared, file: FileFact | None, served: FileFact | Unreachable, facts: Facts
) -> tuple[Verdict, str]:
    """Return the verdict on what was rebuilt, if anything had to be."""
    if file is None and not artefact.stands_in:
        return Verdict.MISSING, _missing(artefact)
    if isinstance(served, Unreachable):
        return Verdict.NOT_CHECKED, _unreachable(artefact, file, served)
    if file is None:
        return Verdict.EQUIVALENT, "no such file was to be rebuilt"
    verdict, reason = _compared(file, served, facts.grafts.get(artefact.name))
    if verdict is Verdict.DIFFERENT and (mask := facts.masks.get(artefact.name)):
        return _masked(file, served, mask)
    return verdict, reason


def _of_update(
    update: CheckedDelta | ManifestFact | Unread | None, verdict: Verdict, reason: str
) -> tuple[Verdict, str]:
    """Return the verdict on a delta or a manifest, of which the bytes alone give `verdict`."""
    if verdict not in {Verdict.IDENTICAL, Verdict.IDENTICAL_SIGNED, Verdict.EQUIVALENT}:
        return verdict, reason
    if update is None or isinstance(update, Unread):
        why = update.reason if update else "nothing has checked it"
        return Verdict.NOT_CHECKED, f"update-not-read: {why}"
    if refused := _refused(update, UpdateResult.UNJUDGED):
        return Verdict.NOT_CHECKED, refused
    return verdict, f"{reason}; {update}"


def _refused(
    update: CheckedDelta | ManifestFact | Unread | None, result: UpdateResult
) -> str | None:
    """Return what is wrong with an update, if that leaves this of the verdict."""
    if update is None or isinstance(update, Unread) or not update.refused:
        return None
    refused = update.refused
    return f"{refused.fault}: {refused.detail}" if update.result is result else None


def _unreachable(artefact: Declared, file: FileFact | None, served: Unreachable) -> str:
    reason = f"shipped file unreachable: {served.reason}"
    if file is None:
        return reason
    likeness = "the" if file.sha256 == artefact.published else "not the"
    return f"{reason}; the rebuilt file has {likeness} published digest"


def _missing(artefact: Declared) -> str:
    if artefact.output is None:
        return "the build succeeded and left no file of this name"
    return f"the build succeeded, and no file {artefact.output} could be taken from what it left"


def _compared(
    file: FileFact, served: FileFact, found: Graft | Refused | Unread | None
) -> tuple[Verdict, str]:
    """Return the verdict on a rebuilt file from the bytes alone, then from its graft."""
    if isinstance(found, Unread):
        return Verdict.NOT_CHECKED, f"signature-not-read: {found.reason}"
    if (file.sha256, file.size) == (served.sha256, served.size):
        return Verdict.IDENTICAL, "same SHA-256"
    sizes = f"{served.size} bytes shipped, {file.size} rebuilt"
    match found:
        case Graft(sha256=served.sha256, size=served.size):
            return Verdict.IDENTICAL_SIGNED, "same SHA-256 with the vendor's signature"
        case Refused(fault=fault, detail=detail):
            return Verdict.DIFFERENT, f"{fault}: {detail}; {sizes}"
        case _:
            return Verdict.DIFFERENT, f"the bytes differ: {sizes}"


def _masked(
    file: FileFact, served: FileFact, found: MaskLedger | NotMasked | Unread
) -> tuple[Verdict, str]:
    """Return the verdict on a rebuilt file that differs, from its ledger."""
    match found:
        case Unread(reason=reason):
            return Verdict.NOT_CHECKED, f"fields-not-read: {reason}"
        case MaskLedger(sha256=served.sha256, size=served.size):
            sizes = ", ".join(f"{n} {size}" for n, size in found.bytes_by_normalizer.items())
            reason = f"same SHA-256 once {found.masked} of {served.size} bytes are masked: {sizes}"
            return Verdict.EQUIVALENT, reason
        case NotMasked(fault=fault, detail=detail):
            sizes = f"{served.size} bytes shipped, {file.size} rebuilt"
            return Verdict.DIFFERENT, f"{fault}: {detail}; {sizes}"
        case _:
            raise ValueError("a ledger that replays to another file than the served one")


def _undeclared(output: Output, facts: Facts) -> Finding:
    reason = "the build left a file that no declaration covers"
    fault = _unjudged(facts)
    return Finding(
        name=output.name,
        verdict=Verdict.NOT_CHECKED if fault else Verdict.UNEXPECTED,
        reason=f"{fault}; {reason}" if fault else reason,
        rebuilt=_file(output),
    )


def _file(output: Output) -> FileFact:
    return FileFact(sha256=output.sha256, size=output.size)


def _unjudged(facts: Facts) -> str | None:
    """Return why nothing of this rebuild may be judged."""
    if facts.outcome is not Outcome.BUILT:
        why = f": {facts.outcome_reason}" if facts.outcome_reason else ""
        return f"no rebuild to compare with: {facts.outcome}{why}"
    return facts.input_fault


def _mismatch(artefact: Declared, served: FileFact | Unreachable) -> str | None:
    if isinstance(served, Unreachable) or served.sha256 == artefact.published:
        return None
    return (
        f"the file served as shipped is not the published one: got sha256 {served.sha256}, "
        f"the recipe pins {artefact.published}"
    )
