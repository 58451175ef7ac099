"""Checks of what the log itself shows: all that was said of a run is there, and in its order.

Rules: C2SP tlog-proof and tlog-checkpoint for the proofs; the chain of leaves and the commitment
before the look are ours.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import pairwise

from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.bundle.card import STATEMENTS
from pipelines.bundle.check.dossier import Dossier, LoggedLeaf
from pipelines.bundle.check.result import NotNeededError, UncheckedError, WrongError
from pipelines.bundle.check.runchecks import run_of
from pipelines.bundle.layout import LEAF, LOG, OTHER, PROOF
from pipelines.evidence.dsse import verify
from pipelines.evidence.statements import read_statement
from pipelines.log.leaf import CommitmentLeaf, Leaf, StatementLeaf
from pipelines.log.merkle import leaf_hash


def check_leaves(dossier: Dossier) -> str:
    """Require leaves with their proofs, all under one checkpoint."""
    names = [name for name in dossier.bundle.members if name.startswith(LOG)]
    if not names:
        raise UncheckedError(
            "the bundle has nothing of the center's log",
            got="no leaves",
            expected="a leaf and a proof for every statement",
            todo="Export it again: without the log nothing says that nothing was left out",
        )
    for name in names:
        stem = name.partition(".")[0]
        for twin in (f"{stem}{LEAF}", f"{stem}{PROOF}"):
            if twin not in names:
                raise WrongError(f"{name} stands alone", got=f"no {twin}", expected="both")
    leaves = dossier.leaves
    for index, logged in leaves.items():
        if logged.proof.index != index:
            raise WrongError(
                f"{LOG}{index}{PROOF} is of another leaf", got=logged.proof.index, expected=index
            )
        if logged.proof.extra is not None:
            raise WrongError(
                f"{LOG}{index}{PROOF} has data that nobody has signed",
                got=f"{len(logged.proof.extra)} bytes",
                expected="no extra line",
            )
    notes = {logged.proof.checkpoint for logged in leaves.values()}
    if len(notes) > 1:
        raise WrongError("the proofs are under several checkpoints", got=len(notes), expected=1)
    return f"{len(leaves)} leaves, {min(leaves)} to {max(leaves)}"


def check_inclusion(dossier: Dossier) -> str:
    """Require that every leaf is in the tree of a checkpoint that the log's key has signed."""
    if not dossier.leaves:
        raise NotNeededError("no leaves")
    key = dossier.log_key
    for logged in dossier.leaves.values():
        logged.proof.verify(leaf_hash(logged.data), origin=key.name, keys=[key])
    checkpoint = dossier.checkpoint.checkpoint
    shown = f"in the log {checkpoint.origin} of {checkpoint.size} leaves"
    if dossier.policy is None:
        raise UncheckedError(
            f"{shown}, signed by a key that nothing vouches for",
            got=str(key),
            expected="a policy that names the log's key",
            todo="Give the policy of the centers with --policy",
        )
    return shown


def check_logged(dossier: Dossier) -> str:
    """Require a leaf for each statement and a statement for each leaf of this run."""
    if not dossier.leaves:
        raise NotNeededError("no leaves")
    stated = {envelope.digest(): name for name, envelope in dossier.envelopes.items()}
    seen: dict[str, int] = {}
    for index, logged in dossier.leaves.items():
        _check_about(dossier, index, logged)
        leaf = logged.leaf
        name = stated.get(leaf.pae) if isinstance(leaf, StatementLeaf) else None
        if name is None or not isinstance(leaf, StatementLeaf):
            _check_other(dossier, index, leaf)
            continue
        if name in seen:
            raise WrongError(
                f"{name} is in the log twice",
                got=f"leaves {seen[name]} and {index}",
                expected="one",
            )
        _check_leaf(dossier, name, index, leaf)
        seen[name] = index
    if odd := sorted(dossier.others.keys() - _foreign(dossier, stated)):
        raise WrongError(
            f"{LOG}{odd[0]}{OTHER} is of no leaf",
            got="a statement",
            expected="statements of other runs, where the log has them",
        )
    if left := sorted(stated[pae] for pae in stated if stated[pae] not in seen):
        raise WrongError(
            f"{left[0]} is not in the log",
            got=f"{len(seen)} statements with leaves",
            expected=f"{len(stated)}",
        )
    return f"{len(seen)} statements, each with its leaf"


def check_chain(dossier: Dossier) -> str:
    """Require that the leaves follow each other without a hole, each naming the one before."""
    leaves = list(dossier.leaves.items())
    for (_, before), (index, logged) in pairwise(leaves):
        expected = before.leaf.sequence + 1
        if logged.leaf.sequence != expected:
            raise WrongError(
                f"a leaf is missing before {index}",
                got=f"sequence {logged.leaf.sequence}",
                expected=f"sequence {expected}",
                todo="Somebody left it out: ask the center for it, and why",
            )
        if isinstance(logged.leaf, StatementLeaf):
            named = logged.leaf.previous.hex
            if named != leaf_hash(before.data).hex():
                raise WrongError(
                    f"leaf {index} names another one before it",
                    got=named,
                    expected=leaf_hash(before.data).hex(),
                )
    if not leaves:
        raise NotNeededError("no leaves")
    first, last = leaves[0][1].leaf.sequence, leaves[-1][1].leaf.sequence
    return f"sequence {first} to {last} of the release"


def check_commitment(dossier: Dossier) -> str:
    """Require that claim and seal were logged before anything that was found with them."""
    if not dossier.leaves:
        raise NotNeededError("no leaves")
    run, seal = dossier.report.run, dossier.report.seal
    found = {
        index: logged.leaf
        for index, logged in dossier.leaves.items()
        if isinstance(logged.leaf, CommitmentLeaf) and logged.leaf.run == run
    }
    if len(found) > 1:
        raise WrongError(
            "the run committed more than once", got=f"{len(found)} commitments", expected="one"
        )
    if seal is None:
        if found and not any(a.predicate.outcome is Outcome.BUILT for a in dossier.attempts):
            raise WrongError("a commitment to a build that never was", got=f"leaf {min(found)}")
        return "nothing was found, whatever was built or committed to"
    if not found:
        raise WrongError(
            "the run committed to nothing before it looked",
            got="no commitment in the log",
            expected=f"one with the seal {seal}",
        )
    index, leaf = next(iter(found.items()))
    if (leaf.claim, leaf.seal) != (dossier.report.claim, seal):
        raise WrongError(
            "the run committed to something else",
            got=f"claim {leaf.claim}, seal {leaf.seal}",
            expected=f"claim {dossier.report.claim}, seal {seal}",
        )
    stated = {envelope.digest() for envelope in dossier.envelopes.values()}
    early = [
        i
        for i, logged in dossier.leaves.items()
        if i < index and isinstance(logged.leaf, StatementLeaf) and logged.leaf.pae in stated
    ]
    if early:
        raise WrongError(
            "the run looked before it committed",
            got=f"a statement at {early[0]}",
            expected=f"all after the commitment at {index}",
        )
    return f"committed at {index}, before it looked"


def _check_about(dossier: Dossier, index: int, logged: LoggedLeaf) -> None:
    found = (logged.leaf.center, logged.leaf.release)
    expected = (dossier.card.id, dossier.report.release)
    if found != expected:
        raise WrongError(
            f"leaf {index} is about something else",
            got=" of ".join(reversed(found)),
            expected=" of ".join(reversed(expected)),
        )


def _check_leaf(dossier: Dossier, name: str, index: int, leaf: StatementLeaf) -> None:
    """Require what a leaf tells of its statement."""
    envelope, statement = dossier.envelopes[name], dossier.statements.get(name)
    kind = dossier.unknown.get(name) or (statement.predicate_type if statement else None)
    if leaf.predicate_type != kind:
        raise WrongError(
            f"leaf {index} tells another kind of {name}", got=leaf.predicate_type, expected=kind
        )
    if leaf.keyid not in {signature.keyid for signature in envelope.signatures}:
        raise WrongError(
            f"leaf {index} tells another key of {name}",
            got=leaf.keyid,
            expected=envelope.signatures[0].keyid,
        )


def _check_other(dossier: Dossier, index: int, leaf: Leaf) -> None:
    """Require of a statement that is none of this run's proof that it is another's."""
    if not isinstance(leaf, StatementLeaf):
        return
    envelope = dossier.others.get(index)
    if envelope is None:
        raise WrongError(
            "the log has a statement that the bundle has not",
            got=f"leaf {index}: {leaf.predicate_type}",
            expected="every statement of the run, whatever it says",
            todo="Somebody left it out: ask the center for it, and why",
        )
    name = f"{LOG}{index}{OTHER}"
    if envelope.digest() != leaf.pae:
        raise WrongError(f"{name} is of another leaf", got=envelope.digest(), expected=leaf.pae)
    if envelope.to_bytes() != dossier.bundle.members[name]:
        raise WrongError(f"{name} is in another spelling", expected="canonical JSON (RFC 8785)")
    signers = verify(envelope, dossier.trusted or [dossier.keys[STATEMENTS]])
    if leaf.keyid not in {key.keyid for key in signers}:
        raise WrongError(
            f"leaf {index} tells another key of {name}", got=leaf.keyid, expected=signers[0].keyid
        )
    run = run_of(read_statement(envelope.payload))
    if run is None or run == dossier.report.run:
        raise WrongError(
            f"{name} is not of another run",
            got=run or "of no run",
            expected="those of this run among its statements",
        )


def _foreign(dossier: Dossier, stated: Container[Digest]) -> set[int]:
    """Return the indexes of the leaves of other runs' statements."""
    return {
        index
        for index, logged in dossier.leaves.items()
        if isinstance(logged.leaf, StatementLeaf) and logged.leaf.pae not in stated
    }
