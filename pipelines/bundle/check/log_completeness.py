"""Checks of the log: every statement of the run is in it, in order, and none is left out.

Rules: C2SP tlog-proof and tlog-checkpoint for the proofs; the chain of leaves, and the commitment
before the shipped files are opened, are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from builders.core.enums import Outcome
from pipelines.bundle.check.members import require_canonical, require_key_ids
from pipelines.bundle.check.opened import LoggedLeaf, OpenedBundle
from pipelines.bundle.check.result import (
    NotNeededError,
    UncheckedError,
    WrongError,
    require,
    require_equal,
)
from pipelines.bundle.layout import LEAF, LOG, OTHER, PROOF
from pipelines.evidence.dsse import verify_envelope
from pipelines.evidence.statements.reader import read_statement
from pipelines.evidence.statements.statement import value_of
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.leaf import CommitmentLeaf, ReleaseChains, StatementLeaf

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
            require(twin in names, f"{name} stands alone", f"no {twin}", "both")
    leaves = opened.leaves
    for index, logged in leaves.items():
        name, extra = f"{LOG}{index}{PROOF}", logged.proof.extra or b""
        require_equal(f"{name} is of another leaf", logged.proof.index, index)
        require_equal(f"{name} has data that is not signed", f"{len(extra)} bytes", "0 bytes")
    notes = {logged.proof.checkpoint for logged in leaves.values()}
    require_equal("the proofs are under several checkpoints", len(notes), 1)
    return f"{len(leaves)} leaves, {min(leaves)} to {max(leaves)}"


def _leaves(opened: OpenedBundle) -> Mapping[int, LoggedLeaf]:
    if not opened.leaves:
        raise NotNeededError("no leaves")
    return opened.leaves


def check_inclusion(opened: OpenedBundle) -> str:
    """Require that every leaf is in the tree of a checkpoint that the log's key has signed."""
    leaves, key = _leaves(opened), opened.log_key
    log = LogIdentity.of(key)
    for logged in leaves.values():
        logged.proof.verify(logged.fields.hash, log)
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
            f"{leaf.release} of {leaf.center}",
            f"{opened.about.release} of {opened.card.id}",
        )
        if not isinstance(leaf, StatementLeaf):
            continue
        name = stated.get(leaf.pae)
        if name is None:
            foreign.add(index)
            _check_foreign(opened, index, leaf)
            continue
        places = f"leaves {seen.get(name)} and {index}"
        require(name not in seen, f"{name} is in the log twice", places, "one")
        _check_leaf(opened, name, index, leaf)
        seen[name] = index
    for odd in sorted(opened.others.keys() - foreign):
        raise WrongError(f"{LOG}{odd}{OTHER} is of no leaf", expected="a leaf of another run")
    for name in stated.values():
        logged_ones = f"{len(seen)} of {len(stated)} statements with leaves"
        require(name in seen, f"{name} is not in the log", logged_ones, "all of them")
    return f"{len(seen)} statements, each with its leaf"


def _check_leaf(opened: OpenedBundle, name: str, index: int, leaf: StatementLeaf) -> None:
    """Require what a leaf says of its statement."""
    envelope, statement = opened.envelopes[name], opened.statements.get(name)
    predicate_type = statement.predicate_type if statement else opened.unknown.get(name)
    what = f"leaf {index} names another type than {name}"
    require_equal(what, leaf.predicate_type, predicate_type)
    _check_keyid(index, leaf, name, [signature.keyid for signature in envelope.signatures])


def _check_keyid(index: int, leaf: StatementLeaf, name: str, keyids: list[str]) -> None:
    what = f"leaf {index} names another key than that of {name}"
    require(leaf.keyid in keyids, what, leaf.keyid, keyids[0])


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
    require_equal(f"{name} is of another leaf", envelope.digest(), leaf.pae)
    require_canonical(opened, name, envelope)
    signers = verify_envelope(envelope, opened.signers)
    require_key_ids(name, envelope, signers)
    _check_keyid(index, leaf, name, [key.keyid for key in signers])
    about = read_statement(envelope.payload).run_reference
    run = about.run if about else "no run"
    other = about is not None and run != opened.about.run
    require(other, f"{name} is not of another run", run, "those of this run among its statements")


def check_chain(opened: OpenedBundle) -> str:
    """Require that the leaves follow each other without a gap, each naming the one before."""
    leaves = [(index, logged.fields) for index, logged in _leaves(opened).items()]
    first, last = leaves[0][1], leaves[-1][1]
    chains = ReleaseChains(lambda _: (first.sequence, first.previous or ""))
    for index, leaf in leaves:
        broken = chains.follow(leaf)
        skipped = broken is not None and broken.what == "sequence"
        require(not skipped, f"a leaf is missing before {index}", broken, todo=_OMITTED)
        require(broken is None, f"leaf {index} names another one before it", broken)
    return f"sequence {first.sequence} to {last.sequence} of the release"


def check_commitment(opened: OpenedBundle) -> str:
    """Require that claim and seal were logged before anything that was found with them."""
    leaves, about, seal = _leaves(opened), opened.about, opened.seal
    found = {
        index: logged.leaf
        for index, logged in leaves.items()
        if isinstance(logged.leaf, CommitmentLeaf) and logged.leaf.run == about.run
    }
    single = len(found) <= 1
    require(single, "the run committed more than once", f"{len(found)} commitments", "one")
    if seal is None:
        if found and not any(a.predicate.outcome is Outcome.BUILT for a in opened.attempts):
            raise WrongError("a commitment to a build that never was", got=f"leaf {min(found)}")
        return "nothing was found, whatever was built or committed to"
    if not found:
        raise WrongError(
            "the run committed to nothing before the shipped files were opened",
            got="no commitment in the log",
            expected=f"one with the seal {seal}",
        )
    ((index, leaf),) = found.items()
    require_equal(
        "the run committed to something else",
        f"claim {leaf.claim}, seal {leaf.seal}",
        f"claim {value_of(about.claim)}, seal {seal}",
    )
    stated = {envelope.digest() for envelope in opened.envelopes.values()}
    for early, logged in leaves.items():
        own = isinstance(logged.leaf, StatementLeaf) and logged.leaf.pae in stated
        require(
            early > index or not own,
            "the shipped files were opened before the commitment",
            f"a statement at {early}",
            f"all after the commitment at {index}",
        )
    return f"committed at {index}, before the shipped files were opened"
