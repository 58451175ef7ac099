"""Checks of bytes: the form of a bundle, its members, its evidence, and files that a reader has."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO

from builders.core.digest import Digest, keyed_digest_stream
from builders.rebuild.seal import SealedFile, seal_digest, seal_key
from pipelines.audit.center_finding import ExclusionReason
from pipelines.bundle.check.opened import GivenFile, OpenedBundle, refuse
from pipelines.bundle.check.result import (
    FileAnswer,
    NotNeededError,
    UncheckedError,
    WrongError,
    require,
    require_equal,
    require_fields,
    require_list,
)
from pipelines.bundle.layout import (
    EVIDENCE,
    KEYS,
    MEDIA_TYPE,
    STATEMENTS,
    check_members,
    sums_of,
)
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.comparison import ExplanationDigests
from pipelines.evidence.statements.provenance import ProvenanceStatement
from pipelines.evidence.statements.statement import DigestSet
from pipelines.judge.finding import worst_verdict

_KINDS = ("provenance", "comparison", "attempt", "robustness", "explanation", "seal")
_AT_MOST_ONE = ("robustness", "explanation")
_SIZE = re.compile("[0-9]{1,15}")


def check_form(opened: OpenedBundle) -> str:
    """Require a bundle, in the one form that it can have."""
    return f"{MEDIA_TYPE}, {len(opened.bundle.members)} members, {len(opened.data)} bytes"


def check_known_members(opened: OpenedBundle) -> str:
    """Require the members of a bundle and no others."""
    check_members(opened.bundle.members)
    return "all that belongs to a bundle is there, and nothing else"


def check_digests(opened: OpenedBundle) -> str:
    """Require the digests of all members, as they are listed in the bundle."""
    members, sums = opened.bundle.members, opened.bundle.sums
    expected = sums_of(members)
    sized = len(sums) <= 2 * len(expected)  # before it is split: it can be as large as a bundle
    require(sized, "SHA256SUMS does not fit the members", len(sums), f"{len(expected)} bytes")
    lines = (text.decode(errors="replace").split("\n") for text in (sums, expected))
    require_list("SHA256SUMS does not fit the members:", *lines)
    return f"SHA-256 of {len(members)} members"


def check_card(opened: OpenedBundle) -> str:
    """Require a card of the center."""
    card = opened.card
    return f"center {card.id}, builder {card.builder_id}"


def check_keys(opened: OpenedBundle) -> str:
    """Require the public keys that the card names, and no others, as they are written."""
    found = {use: key.keyid for use, key in opened.keys.items()}
    named: dict[str, str] = {key.use: key.keyid for key in opened.card.keys}
    require_fields("the keys are not those on the center's card:", found, named)
    for use, key in opened.keys.items():
        name = f"{KEYS}{use}.pub"
        as_written = opened.bundle.members[name] == key.to_pem()
        require(as_written, f"{name} is written in another way", expected="PEM, as keys are made")
    return f"keys for {', '.join(found)}"


def check_envelopes(opened: OpenedBundle) -> str:
    """Require canonical envelopes, each with another payload."""
    payloads = set()
    for name, envelope in opened.envelopes.items():
        require_canonical(opened, name, envelope)
        twice = envelope.payload in payloads
        require(not twice, f"{name} is in the bundle twice", expected="every statement once")
        payloads.add(envelope.payload)
    return f"{len(payloads)} envelopes"


def require_canonical(opened: OpenedBundle, name: str, envelope: Envelope) -> None:
    """Require the member `name` to be the canonical JSON of its envelope."""
    canonical = envelope.to_bytes() == opened.bundle.members[name]
    require(canonical, f"{name} is not canonical", expected="canonical JSON (RFC 8785)")


def require_key_ids(name: str, envelope: Envelope, signers: Sequence[PublicKey]) -> None:
    """Require the signatures of `signers` alone, each under its own id, which is not signed."""
    found, ids = [s.keyid for s in envelope.signatures], [key.keyid for key in signers]
    require_list(f"{name} names other keys than those that signed it:", found, ids)


def check_schema(opened: OpenedBundle) -> str:
    """Require statements as their types have them; an unknown type cannot be checked."""
    refuse(opened, "is no statement of its type", ExclusionReason.UNREADABLE)
    for name, predicate_type in opened.unknown.items():
        raise UncheckedError(
            f"{name} has a predicate that this version does not know",
            got=f"{predicate_type!a:.120}",
            todo="A newer samebits may know it",
        )
    return f"{len(opened.statements)} statements"


def check_kinds(opened: OpenedBundle) -> str:
    """Require statements about a run, numbered from 1, under the names of their kinds."""
    counts = dict.fromkeys(_KINDS, 0)
    for name, statement in opened.statements.items():
        kind = statement.KIND
        require(kind in counts, f"{name} is not about a run", kind, ", ".join(_KINDS))
        counts[kind] += 1
        expected = f"{STATEMENTS}{kind}-{counts[kind]}.dsse.json"
        require_equal("a statement has the name of another", name, expected)
    for kind in _AT_MOST_ONE:
        single = counts[kind] <= 1
        require(single, f"the run has more than one {kind} statement", counts[kind], 1)
    made = [s.build_type for s in opened.statements.values() if isinstance(s, ProvenanceStatement)]
    twice = next((one for one in made if made.count(one) > 1), None)
    require(twice is None, "the run has more than one provenance of a build type", twice, "one")
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def check_evidence(opened: OpenedBundle) -> str:
    """Require evidence with the digest of its name, and a statement that names it."""
    named = named_evidence(opened)
    evidence = {n: d for n, d in opened.bundle.members.items() if n.startswith(EVIDENCE)}
    found = []
    for name, data in evidence.items():
        promised = Digest(name.removeprefix(EVIDENCE))
        require_equal(f"{name} holds something else", Digest.of(data), promised)
        known = promised in named
        require(known, f"{name} is named by no statement", expected="evidence of this run")
        found.append(named[promised])
    if not evidence:
        raise NotNeededError("the bundle has no further objects")
    return f"{len(evidence)} objects, each named by a statement: {', '.join(found)}"


def check_by_products(opened: OpenedBundle) -> str:
    """Require by-products under keyed digests alone, which prove work, and their sizes."""
    if opened.built and opened.provenance is None:
        raise NotNeededError("there is no provenance, which would name them")
    lines = by_product_lines(opened.provenance) if opened.provenance else ()
    return f"{len(lines)} by-products"


def by_product_lines(provenance: ProvenanceStatement) -> list[SealedFile]:
    """Return the lines of the seal for the by-products of a build; raises `WrongError`."""
    lines = []
    for product in provenance.by_products:
        keyed, size = product.digest.hmac_sha256, product.annotation("size") or ""
        if keyed is None or product.digest.sha256 or not _SIZE.fullmatch(size):
            raise WrongError(
                f"the by-product {product.name} makes no line of the seal",
                got=f"{product.digest.to_dict()}, size {size!a:.40}",
                expected="a keyed digest alone, and a size",
            )
        lines.append(SealedFile(name=product.name, size=int(size), hmac=keyed))
    return lines


def named_evidence(opened: OpenedBundle) -> dict[Digest, str]:
    """Return what each piece of evidence is that the statements name, by its plain digest."""
    found = [(s.predicate.log, f"log of attempt {s.predicate.number}") for s in opened.attempts]
    found += [(s.predicate.log, "log of the robustness rebuild") for s in opened.robustness]
    for statement in opened.comparisons:
        about, name = statement.predicate, statement.name
        found += _of_explanation(name, about.explanation)
        found += [
            (about.mask_ledger, f"mask ledger of {name}"),
            (about.rebuilt.digest if about.rebuilt else None, f"{name}, rebuilt"),
        ]
        served = about.shipped.compared if about.shipped else None
        found.append((served.digest if served else None, f"{name}, as served"))
    for explained in (statement.predicate for statement in opened.explanations):
        found.append((explained.document, "explanation"))
        again = explained.confirming
        found.append((again.log if again else None, "log of the confirming rebuild"))
        for one in explained.artefacts:
            found += _of_explanation(one.name, one.explanation)
            found.append((one.rebuilt, f"{one.name}, rebuilt to confirm"))
    if opened.provenance:
        listed = opened.provenance.predicate.run_details.byproducts
        found += [(r.digest, r.name) for r in listed if r.name != "seal"]
    return {d.sha256: what for d, what in reversed(found) if d and d.sha256}


def _of_explanation(
    name: str, explanation: ExplanationDigests | None
) -> list[tuple[DigestSet | None, str]]:
    if explanation is None:
        return []
    return [
        (explanation.json_diff, f"explanation of {name}, JSON"),
        (explanation.html_diff, f"explanation of {name}, HTML"),
    ]


def check_files(opened: OpenedBundle) -> str:
    """Require that each given file is one that the statements are about."""
    if not opened.files:
        raise NotNeededError("no file was given; --file ARTEFACT looks one up")
    answers = file_answers(opened)
    for file, answer in zip(opened.files, answers, strict=True):
        if answer.verdict is None:
            raise _not_about(opened, file)
    return ", ".join(f"{a.file} is {a.artefact}" for a in answers)


def file_answers(opened: OpenedBundle) -> tuple[FileAnswer, ...]:
    """Return what the statements say about each given file."""
    return tuple(_file_answer(opened, file) for file in opened.files)


def _file_answer(opened: OpenedBundle, file: GivenFile) -> FileAnswer:
    """Return what the statements say about one file; of several verdicts the worst."""
    about = [b for b in opened.comparisons if b.subject[0].digest.sha256 == file.sha256]
    worst = worst_verdict(b.predicate.verdict for b in about)
    name = next((b.name for b in about if b.predicate.verdict is worst), None)
    return FileAnswer(
        file=file.name, sha256=file.sha256, artefact=name, verdict=worst if about else None
    )


def _not_about(opened: OpenedBundle, file: GivenFile) -> WrongError | UncheckedError:
    """Return the error for a file that is the subject of no statement."""
    for statement in opened.comparisons:
        found = statement.predicate
        served = found.shipped.compared if found.shipped else None
        for what, seen in (("served", served), ("rebuilt", found.rebuilt)):
            if seen and seen.digest.sha256 == file.sha256:
                return WrongError(
                    f"{file.name} is what was {what} as {statement.name}, "
                    "and is not the published file",
                    got=file.sha256,
                    expected=found.shipped.published.sha256 if found.shipped else None,
                )
    named = (s.predicate.shipped for s in opened.comparisons if s.name == file.name)
    if shipped := next(named, None):
        return UncheckedError(
            f"{file.name} has other bytes than the artefact of that name",
            got=f"sha256 {file.sha256}",
            expected=f"sha256 {shipped.published.sha256}",
            todo="It is altered, or of another release that has a file of the same name",
        )
    return UncheckedError(
        f"{file.name} is no artefact of this bundle",
        got=f"sha256 {file.sha256}",
        todo="Look for the bundle of the release that the file belongs to",
    )


def check_sealed(opened: OpenedBundle) -> str:
    """Require the seal of the given bytes: a center that has not built them could not make it.

    Outputs that are in the bundle as evidence need not be given.
    """
    seal, at_hand = opened.seal, _at_hand(opened)
    if seal is None:
        raise NotNeededError("there is no seal")
    if opened.closed:
        raise NotNeededError("the source is closed: of what else was sealed only the center knows")
    if opened.provenance is None:
        raise NotNeededError("no provenance names what else was sealed")
    key = seal_key(opened.card.id, opened.about.run)
    lines = by_product_lines(opened.provenance)
    for statement in opened.comparisons:
        rebuilt, name = statement.predicate.rebuilt, statement.name
        if rebuilt is None:
            continue
        keyed = at_hand.get(rebuilt.digest.sha256) if rebuilt.digest.sha256 else None
        if keyed is None:
            raise NotNeededError(
                f"to make the seal again needs the bytes of every output; give {name} by --file"
            )
        lines.append(SealedFile(name=name, size=rebuilt.size, hmac=keyed(key)))
    found = seal_digest(sorted(lines, key=lambda line: line.name))
    require_equal("the seal is not of these files", found, seal)
    return f"made again from {len(lines)} files: {found}"


def _at_hand(opened: OpenedBundle) -> dict[Digest, Callable[[bytes], Digest]]:
    """Return what keys each file that is given, or is in the bundle as evidence, by its digest."""
    members = opened.bundle.members
    kept: dict[Digest, Callable[[bytes], Digest]] = {
        Digest(name.removeprefix(EVIDENCE)): partial(_keyed, data)
        for name, data in members.items()
        if name.startswith(EVIDENCE)
    }
    return kept | {file.sha256: file.keyed for file in opened.files}


def _keyed(data: bytes, key: bytes) -> Digest:
    return keyed_digest_stream(key, BytesIO(data))
