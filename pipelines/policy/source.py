"""From a document to a policy: keys are read, defaults filled in, and nonsense is refused.

Both forms come this way. Of what is signed, no key is a path.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from builders.core.enums import Kind
from builders.core.errors import RecipeError
from builders.core.smallfile import read_small_file
from builders.core.yamlfile import Document, FieldPath, load_document, parse_model
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.publickey import MAX_KEY_FILE, PublicKey, read_public_key
from pipelines.policy.form import CenterEntry, KindRules, PolicyFile
from pipelines.policy.place import refuse
from pipelines.policy.quorum import Quorum, QuorumError
from pipelines.policy.sense import check_sense
from pipelines.policy.value import (
    CenterKey,
    ConsensusRules,
    Operator,
    Policy,
    PolicyCenter,
    Reviewer,
)

NAMESPACE = "https://samebits.example/centers/"
_INLINE = ("-----BEGIN ", "{")


def read_source(path: Path) -> Policy:
    """Read a policy as people write it; raises `RecipeError` with file, line and field."""
    return policy_from(load_document(path), path.parent)


def policy_from(document: Document, folder: Path | None) -> Policy:
    """Validate a document that is already read; key files are looked for in `folder`.

    Without a folder every key must stand inline. Raises `RecipeError`.
    """
    written = _written(document)
    keys = _Keys(document, folder)
    operators = tuple(
        Operator(
            name=entry.name,
            legal=entry.legal,
            key=keys.read(entry.key, ("operators", number, "key"), f"operator {entry.name}"),
        )
        for number, entry in enumerate(written.operators)
    )
    centers = tuple(_center(entry, n, keys) for n, entry in enumerate(written.centers))
    running = {center.operator for center in centers} & {operator.name for operator in operators}
    default = ConsensusRules(k=max(1, min(2, len(running))))
    consensus = _rules(written.consensus, default)
    policy = Policy(
        version=written.version,
        expires=written.expires,
        operators=operators,
        threshold=written.threshold,
        centers=centers,
        quorum=_quorum(written.witnesses, document),
        reviewers=tuple(
            Reviewer(
                name=entry.name,
                key=keys.read(entry.key, ("reviewers", number, "key"), entry.name),
            )
            for number, entry in enumerate(written.reviewers)
        ),
        minimum=written.reviews.minimum,
        kinds=written.reviews.kinds,
        revoked=frozenset(written.revoked),
        consensus=consensus,
        consensus_kinds=_kinds(written.consensus.kinds, consensus),
    )
    check_sense(policy, written, document)
    return policy


def _written(document: Document) -> PolicyFile:
    try:
        return parse_model(document, PolicyFile)
    except RecipeError as error:
        error.todo = "infra/docs/reference/policy.md shows every field of a policy"
        raise


class _Keys:
    """Reads the keys of one document."""

    def __init__(self, document: Document, folder: Path | None) -> None:
        self._document, self._folder = document, folder

    def read(self, text: str, place: FieldPath, whose: str) -> PublicKey:
        """Return the key at `place`; `whose` it is goes into the message."""
        try:
            return read_public_key(self._data(text, place))
        except EvidenceError as error:
            raise RecipeError(
                f"the key of {whose} cannot be used",
                file=self._document.file,
                line=self._document.line_of(place),
                field=".".join(map(str, place)),
                got=error.got,
                expected=error.expected,
                todo="`samebits review key` makes a key; its .pub file belongs here",
            ) from error

    def _data(self, text: str, place: FieldPath) -> bytes:
        if text.lstrip().startswith(_INLINE):
            return text.encode()
        if self._folder is None or "\0" in text:
            self._refuse(place, text)
        return read_small_file(
            self._folder / text,
            limit=MAX_KEY_FILE,
            file=self._document.file,
            field=".".join(map(str, place)),
        )

    def _refuse(self, place: FieldPath, text: str) -> NoReturn:
        refuse(
            self._document, place, "no key", got=ascii(text[:80]), expected="PEM text, or key JSON"
        )


def _center(entry: CenterEntry, number: int, keys: _Keys) -> PolicyCenter:
    return PolicyCenter(
        id=entry.id,
        operator=entry.operator,
        region=entry.region,
        builder=entry.builder or f"{NAMESPACE}{entry.id}/builder",
        verifier=entry.verifier or f"{NAMESPACE}{entry.id}/verifier",
        origin=entry.log.origin,
        log_key=entry.log.key,
        witness_key=entry.witness,
        keys=tuple(
            CenterKey(
                key=keys.read(
                    key.key, ("centers", number, "keys", place, "key"), f"center {entry.id}"
                ),
                start=key.from_,
                end=key.until,
            )
            for place, key in enumerate(entry.keys)
        ),
    )


def _quorum(text: str, document: Document) -> Quorum:
    try:
        return Quorum.parse(text)
    except QuorumError as error:
        start = document.line_of(("witnesses",))
        block = error.number if "\n" in text else 0  # a block begins below its key
        raise RecipeError(
            error.what,
            file=document.file,
            line=start + block if start else None,
            field="witnesses",
            got=error.got,
            expected=error.expected,
            todo="The lines are those of C2SP tlog-policy",
        ) from error


def _rules(written: KindRules, base: ConsensusRules) -> ConsensusRules:
    return ConsensusRules(
        k=base.k if written.k is None else written.k,
        regions=base.regions if written.regions is None else written.regions,
        max_dissent=base.max_dissent if written.max_dissent is None else written.max_dissent,
        normalizers=(
            base.normalizers if written.normalizers is None else frozenset(written.normalizers)
        ),
    )


def _kinds(written: dict[Kind, KindRules], consensus: ConsensusRules) -> dict[Kind, ConsensusRules]:
    return {kind: _rules(rules, consensus) for kind, rules in written.items()}
