"""Checks of the log: every statement of the run is in it, in order, and none is left out.

Rules: C2SP tlog-proof and tlog-checkpoint for the proofs; the chain of leaves, and the commitment
before the shipped files are opened, are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from builders.core.enums import Outcome
from pipelines.bundle.check.bundle_format import require_canonical
from pipelines.bundle.check.opened import LoggedLeaf, OpenedBundle
from pipelines.bundle.check.result import NotNeededError, UncheckedError, WrongError, require_equal
from pipelines.bundle.layout import LEAF, LOG, OTHER, PROOF
from pipelines.evidence.dsse import verify_envelope
from pipelines.evidence.statements.reader import read_statement
from pipelines.log.leaf import CommitmentLeaf, StatementLeaf
from pipelines.log.merkle import leaf_hash

_OMITTED = "It was left out: ask the center for it, and why"


def check_leaves(opened: OpenedBundle) -> str:
    """Require leaves with their proofs, all under one checkpoint."""
    names = [name for name in opened.bundle.members if name.startswith(LOG)]
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
    leaves = opened.leaves
    for index, logged in leaves.items():
        name = f"{LOG}{index}{PROOF}"
        require_equal(f"{name} is of another leaf", got=logged.proof.index, expected=index)
        if logged.proof.extra is not None:
            raise WrongError(
                f"{name} has data that is not signed",
                got=f"{len(logged.proof.extra)} bytes",
                expected="no extra line",
            )
    notes = {logged.proof.checkpoint for logged in leaves.values()}
    require_equal("the proofs are under several checkpoints", got=len(notes), expected=1)
    return f"{len(leaves)} leaves, {min(leaves)} to {max(leaves)}"


def _leaves(opened: OpenedBundle) -> Mapping[int, LoggedLeaf]:
    if not opened.leaves:
        raise NotNeededError("no leaves")
    return opened.leaves


def check_inclusion(opened: OpenedBundle) -> str:
    """Require that every leaf is in the tree of a checkpoint that the log's key has signed."""
    leaves, key = _leaves(opened), opened.log_key
    for logged in leaves.values():
        logged.proof.verify(leaf_hash(logged.data), origin=key.name, keys=[key])
    checkpoint = opened.checkpoint.checkpoint
    shown = f"in the log {checkpoint.origin} of {checkpoint.size} leaves"
    if opened.policy is None:
        raise UncheckedError(
            f"{shown}, signed by a key that is not trusted",
            got=str(key),
            expected="a policy that names the log's key",
            todo="Give the policy of the centers with --policy",
        )
    return shown


def check_logged(opened: OpenedBundle) -> str:
    """Require a leaf for each statement and a statement for each leaf of this run."""
    stated = {envelope.digest(): name for name, envelope in opened.envelopes.items()}
    seen: dict[str, int] = {}
    foreign = set()
    for index, logged in _leaves(opened).items():
        leaf = logged.leaf
        require_equal(
            f"leaf {index} is about something else",
            got=f"{leaf.release} of {leaf.center}",
            expected=f"{opened.report.release} of {opened.card.id}",
        )
        if not isinstance(leaf, StatementLeaf):
            continue
        name = stated.get(leaf.pae)
        if name is None:
            foreign.add(index)
            _check_foreign(opened, index, leaf)
            continue
        if name in seen:
            raise WrongError(
                f"{name} is in the log twice",
                got=f"leaves {seen[name]} and {index}",
                expected="one",
            )
        _check_leaf(opened, name, index, leaf)
        seen[name] = index
    if odd := sorted(opened.others.keys() - foreign):
        raise WrongError(
            f"{LOG}{odd[0]}{OTHER} is of no leaf",
            got="a statement",
            expected="statements of other runs, where the log has them",
        )
    if left := sorted(name for name in stated.values() if name not in seen):
        raise WrongError(
            f"{left[0]} is not in the log",
            got=f"{len(seen)} statements with leaves",
            expected=f"{len(stated)}",
        )
    return f"{len(seen)} statements, each with its leaf"


def _check_leaf(opened: OpenedBundle, name: str, index: int, leaf: StatementLeaf) -> None:
    """Require what a leaf says of its statement."""
    envelope, statement = opened.envelopes[name], opened.statements.get(name)
    predicate_type = statement.predicate_type if statement else opened.unknown.get(name)
    require_equal(
        f"leaf {index} names another type than {name}",
        got=leaf.predicate_type,
        expected=predicate_type,
    )
    if leaf.keyid not in {signature.keyid for signature in envelope.signatures}:
        raise WrongError(
            f"leaf {index} names another key than that of {name}",
            got=leaf.keyid,
            expected=envelope.signatures[0].keyid,
        )


def _check_foreign(opened: OpenedBundle, index: int, leaf: StatementLeaf) -> None:
    """Require of a statement that is none of this run's proof that it is another's."""
    envelope, name = opened.others.get(index), f"{LOG}{index}{OTHER}"
    if envelope is None:
        raise WrongError(
            "the log has a statement that the bundle has not",
            got=f"leaf {index}: {leaf.predicate_type}",
            expected="every statement of the run, whatever it says",
            todo=_OMITTED,
        )
    require_equal(f"{name} is of another leaf", got=envelope.digest(), expected=leaf.pae)
    require_canonical(opened, name, envelope)
    signers = verify_envelope(envelope, opened.signers)
    if leaf.keyid not in {key.keyid for key in signers}:
        raise WrongError(
            f"leaf {index} names another key than that of {name}",
            got=leaf.keyid,
            expected=signers[0].keyid,
        )
    about = read_statement(envelope.payload).run_reference
    if about is None or about.run == opened.report.run:
        raise WrongError(
            f"{name} is not of another run",
            got=about.run if about else "of no run",
            expected="those of this run among its statements",
        )


def check_chain(opened: OpenedBundle) -> str:
    """Require that the leaves follow each other without a gap, each naming the one before."""
    leaves = list(_leaves(opened).items())
    for (_, before), (index, logged) in pairwise(leaves):
        require_equal(
            f"a leaf is missing before {index}",
            got=f"sequence {logged.leaf.sequence}",
            expected=f"sequence {before.leaf.sequence + 1}",
            todo=_OMITTED,
        )
        if isinstance(logged.leaf, StatementLeaf):
            require_equal(
                f"leaf {index} names another one before it",
                got=logged.leaf.previous.hex,
                expected=leaf_hash(before.data).hex(),
            )
    first, last = leaves[0][1].leaf.sequence, leaves[-1][1].leaf.sequence
    return f"sequence {first} to {last} of the release"


def check_commitment(opened: OpenedBundle) -> str:
    """Require that claim and seal were logged before anything that was found with them."""
    leaves, report = _leaves(opened), opened.report
    found = {
        index: logged.leaf
        for index, logged in leaves.items()
        if isinstance(logged.leaf, CommitmentLeaf) and logged.leaf.run == report.run
    }
    if len(found) > 1:
        raise WrongError(
            "the run committed more than once", got=f"{len(found)} commitments", expected="one"
        )
    if report.seal is None:
        if found and not any(a.predicate.outcome is Outcome.BUILT for a in opened.attempts):
            raise WrongError("a commitment to a build that never was", got=f"leaf {min(found)}")
        return "nothing was found, whatever was built or committed to"
    if not found:
        raise WrongError(
            "the run committed to nothing before the shipped files were opened",
            got="no commitment in the log",
            expected=f"one with the seal {report.seal}",
        )
    ((index, leaf),) = found.items()
    require_equal(
        "the run committed to something else",
        got=f"claim {leaf.claim}, seal {leaf.seal}",
        expected=f"claim {report.claim}, seal {report.seal}",
    )
    stated = {envelope.digest() for envelope in opened.envelopes.values()}
    for early, logged in leaves.items():
        if early < index and isinstance(logged.leaf, StatementLeaf) and logged.leaf.pae in stated:
            raise WrongError(
                "the shipped files were opened before the commitment",
                got=f"a statement at {early}",
                expected=f"all after the commitment at {index}",
            )
    return f"committed at {index}, before the shipped files were opened"
